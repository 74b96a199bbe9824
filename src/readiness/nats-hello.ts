import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { NatsConfig, NatsServer } from "../config/nats-settings.ts";
import { tlsOptions } from "../store/connection.ts";
import type { OpenConnection } from "../store/transport.ts";
import type { Attempt } from "./attempt.ts";
import { LayerFailure, words } from "./layer.ts";
import { dial, EndedError, firstWords, handshake, type Line, readUntil, tlsFailure } from "./line.ts";

/** Milliseconds after which a silent server is asked whether it waits for a TLS handshake. */
const SILENCE = 1500;
/** Milliseconds for the words that a server says in plain text where a TLS handshake or a login broke. */
const LAST_WORDS = 4000;
/** Milliseconds for those that it says by itself; a write to a server that has hung up would hide them. */
const BY_ITSELF = 500;

interface ServerInfo {
  tls_required?: boolean;
  tls_available?: boolean;
  /** INFO, and all that came with it. */
  heard: Buffer;
}

/** A server that is reached, and that the job wants, but without a login. */
export interface Reached {
  open: OpenConnection;
  /** The server's certificate and those that came with it; none without TLS. */
  chain: X509Certificate[];
}

/** Goes as far as the login: TCP, the server's INFO line, TLS. Throws LayerFailure. */
export async function reach(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  attempt: Attempt,
): Promise<Reached> {
  const { signal } = attempt;
  const socket = await dial(line, attempt);
  attempt.enter(server.tls ? "tls" : "login");
  try {
    if (config.tls.handshakeFirst) {
      const secure = await encrypt(line, server, config, socket, attempt);
      attempt.enter("login");
      const { heard } = await readInfo(line, server, config, secure, attempt);
      return { open: { socket: secure, heard }, chain: chainOf(secure) };
    }
    const { heard, ...info } = await readInfo(line, server, config, socket, attempt);
    attempt.answered();
    const error = errorIn(heard);
    if (error !== undefined) throw refusal(line, error);
    checkTlsWanted(line, server, info);
    if (!server.tls) return { open: { socket, heard }, chain: [] };
    const secure = await encrypt(line, server, config, socket, attempt);
    attempt.enter("login");
    return { open: { socket: secure, heard }, chain: chainOf(secure) };
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  }
}

/** Makes a connection a TLS one. If that fails, a second connection shows what the server says without TLS. */
async function encrypt(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  socket: Socket,
  attempt: Attempt,
): Promise<TLSSocket> {
  const first = config.tls.handshakeFirst;
  try {
    return await handshake(line, socket, tlsOptions(server, config), attempt);
  } catch (error) {
    const failure = error as LayerFailure;
    if (failure.reason !== "nats.tls.handshake" && failure.reason !== "nats.tls.broken") throw error;
    attempt.answered();
    const heard = await plainWords(line, attempt.signal, !first);
    const said = errorIn(heard);
    // A server that turns everybody away says so without TLS.
    if (said !== undefined) throw refusal(line, said);
    if (!first || !heard.subarray(0, 5).equals(Buffer.from("INFO "))) throw error;
    throw LayerFailure.of("tls", "nats.tls.not-first", { where: line.where, said: firstWords(heard) }, error);
  }
}

/**
 * What a server says in plain text on another connection: INFO, and an -ERR behind it or in its place. `ask`: says something too, for
 * words that come only then.
 */
export async function plainWords(line: Line, signal: AbortSignal, ask: boolean): Promise<Buffer> {
  const brief = AbortSignal.any([signal, AbortSignal.timeout(LAST_WORDS)]);
  let heard: Buffer = Buffer.alloc(0);
  let socket: Socket | undefined;
  const hear = async (from: Socket, enough: (data: Buffer) => boolean, until: AbortSignal) => {
    const more = await readUntil(from, enough, until).catch((error) => {
      if (error instanceof EndedError) return error.data;
      throw error;
    });
    heard = Buffer.concat([heard, more]);
  };
  const refused = (data: Buffer) => errorIn(data) !== undefined;
  try {
    socket = await dial(line, { signal: brief, enter() {}, watch() {} });
    await hear(socket, (data) => data.includes("\r\n") || !beginsLikeNats(data), brief);
    if (refused(heard)) return heard;
    const quiet = AbortSignal.any([brief, AbortSignal.timeout(BY_ITSELF)]);
    await hear(socket, refused, quiet).catch(() => {});
    if (!ask || refused(heard)) return heard;
    socket.write("PING\r\n");
    await hear(socket, refused, brief);
  } catch {
    // What was heard before counts.
  } finally {
    socket?.destroy();
  }
  return heard;
}

/** The server's own certificate first. */
function chainOf(secure: TLSSocket): X509Certificate[] {
  const found: X509Certificate[] = [];
  for (let one = secure.getPeerX509Certificate(); one && found.length < 10; one = one.issuerCertificate)
    found.push(one);
  return found;
}

/** A NATS server speaks first: one INFO line. */
async function readInfo(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  socket: Socket,
  { signal }: Attempt,
): Promise<ServerInfo> {
  const { where } = line;
  const layer = server.tls && !config.tls.handshakeFirst ? "tls" : "login";
  const reading = readUntil(socket, (data) => data.includes("\r\n") || !beginsLikeNats(data), signal);
  const waitsForTls = askIfTlsComesFirst(line, server, config, reading, signal);
  try {
    const heard = await Promise.race([reading, waitsForTls]);
    const text = heard.toString("utf8");
    const error = errorIn(heard);
    if (error !== undefined && !text.startsWith("INFO ")) throw refusal(line, error);
    if (!text.startsWith("INFO ")) throw new EndedError(heard);
    return { ...(JSON.parse(text.slice(5, text.indexOf("\r\n"))) as ServerInfo), heard };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LayerFailure) throw error;
    // With TLS 1.3 the alert of a server that misses the client's certificate comes after the handshake.
    const alert = tlsFailure(line, error);
    if (alert) throw alert;
    // It hung up: perhaps it was waiting for us, and the answer to that is under way.
    if (error instanceof EndedError && error.data.length === 0) {
      const first = await tlsComesFirst(line, server, config, signal);
      if (first) throw first;
    }
    // V8's words about JSON would quote what the server sent
    const what = error instanceof SyntaxError ? "INFO is not followed by JSON" : words(error);
    const said = error instanceof EndedError && error.data.length > 0 ? firstWords(error.data) : what;
    throw LayerFailure.of(layer, "nats.login.protocol", { where, said }, error);
  }
}

/** `-ERR 'maximum connections exceeded'`, as it follows INFO, or stands in its place, where the server wants nobody. */
export function errorIn(heard: Buffer): string | undefined {
  return /^-ERR '(.*)'\r?$/m.exec(heard.toString("latin1"))?.[1];
}

/** What an -ERR before the login means. */
export function refusal({ where }: Line, said: string): LayerFailure {
  const id = /maximum .*connections/i.test(said) ? "connections" : "failed";
  return LayerFailure.of("login", `nats.login.${id}`, { where, said });
}

/** INFO, or, where the handshake would come first and nobody is let in, -ERR. */
function beginsLikeNats(data: Buffer): boolean {
  const head = data.subarray(0, 5).toString("latin1");
  return ["INFO ", "-ERR "].some((word) => word.startsWith(head));
}

/** Rejects where a server that has been silent for a while turns out to wait for the handshake; otherwise never settles. */
async function askIfTlsComesFirst(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  reading: Promise<unknown>,
  signal: AbortSignal,
): Promise<never> {
  const never = new Promise<never>(() => {});
  if (config.tls.handshakeFirst) return never;
  let spoke = false;
  const onSpoke = () => {
    spoke = true;
  };
  reading.then(onSpoke, onSpoke);
  await new Promise((done) => setTimeout(done, SILENCE).unref());
  if (spoke || signal.aborted) return never;
  const first = await tlsComesFirst(line, server, config, signal);
  return first && !spoke ? Promise.reject(first) : never;
}

/** Whether a handshake is what the server waits for (`handshake_first`), whatever its certificate is worth. */
async function tlsComesFirst(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  signal: AbortSignal,
): Promise<LayerFailure | undefined> {
  let socket: Socket | undefined;
  try {
    const aside = { signal, enter() {}, watch() {} };
    socket = await dial(line, aside);
    const options = { ...tlsOptions(server, config), rejectUnauthorized: false };
    (await handshake(line, socket, options, aside)).destroy();
    return LayerFailure.of("tls", "nats.tls.first", { where: line.where });
  } catch {
    return undefined; // it did not: what the first connection shows counts
  } finally {
    socket?.destroy();
  }
}

function checkTlsWanted(
  { where }: Line,
  server: NatsServer,
  info: Pick<ServerInfo, "tls_required" | "tls_available">,
): void {
  if (info.tls_required && !server.tls) throw LayerFailure.of("tls", "nats.tls.required", { where });
  if (server.tls && !info.tls_required && !info.tls_available) {
    throw LayerFailure.of("tls", "nats.tls.off", { where });
  }
}
