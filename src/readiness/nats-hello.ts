import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { NatsConfig, NatsServer } from "../config/nats.ts";
import { tlsOptions } from "../store/connection.ts";
import { LayerFailure, words } from "./layer.ts";
import { dial, EndedError, firstWords, handshake, type Line, readUntil } from "./line.ts";
import type { Step } from "./race.ts";
import { Tap } from "./tap.ts";

/** Milliseconds after which a silent server is asked whether it waits for a TLS handshake. */
const SILENCE = 1500;
/** Milliseconds for the last words of a server that turns the client away: an -ERR, or the alert for a missing certificate. */
const PATIENCE = 250;

interface ServerInfo {
  tls_required?: boolean;
  tls_available?: boolean;
  /** All that came with it. */
  text: string;
}

/**
 * A connection that goes as far as the login: TCP, the server's INFO line, TLS. The library does all that in one step; here each layer
 * is told as it is passed. Returns the server's certificate and those that came with it; none without TLS. `patient`: waits for the last
 * words of a server that turns clients away. Throws LayerFailure.
 */
export async function knock(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  { signal, trying }: Pick<Step, "signal" | "trying">,
  patient = false,
): Promise<X509Certificate[]> {
  const socket = await dial(line, signal);
  socket.on("error", () => {}); // whoever reads from it hears of it
  const patience = patient ? PATIENCE : 0;
  try {
    trying(server.tls ? "tls" : "login");
    if (config.tls.handshakeFirst) {
      return await certificates(line, server, config, socket, signal, patience);
    }
    const info = await readInfo(line, server, config, socket, signal);
    const error = errorIn(info.text) ?? (await lastWords(socket, patience, signal));
    if (error) throw refusal(line, error);
    checkTlsWanted(line, server, info);
    if (!server.tls) return [];
    return await certificates(line, server, config, socket, signal, patience);
  } finally {
    socket.destroy();
  }
}

/** What the server shows in the handshake, its own certificate first; ends the connection. */
async function certificates(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  socket: Socket,
  signal: AbortSignal,
  patience: number,
): Promise<X509Certificate[]> {
  const tap = new Tap(socket);
  try {
    const secure = await handshake(line, tap, tlsOptions(server, config), signal, patience);
    const found: X509Certificate[] = [];
    for (let one = secure.getPeerX509Certificate(); one && found.length < 10; one = one.issuerCertificate)
      found.push(one);
    secure.destroy();
    return found;
  } catch (error) {
    const { where } = line;
    if (tap.heard.startsWith("INFO ")) {
      const said = firstWords(Buffer.from(tap.heard, "latin1"));
      throw LayerFailure.of("tls", "nats.tls.not-first", { where, said }, error);
    }
    // Where the server turns everybody away, it says so without TLS.
    const said = errorIn(tap.heard);
    throw said === undefined ? error : refusal(line, said);
  }
}

/** A NATS server speaks first: one INFO line. */
async function readInfo(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  socket: Socket,
  signal: AbortSignal,
): Promise<ServerInfo> {
  const { where } = line;
  const layer = server.tls ? "tls" : "login";
  const reading = readUntil(socket, (data) => data.includes("\r\n") || !beginsLikeNats(data), signal);
  const waitsForTls = askIfTlsComesFirst(line, server, config, reading, signal);
  try {
    const text = (await Promise.race([reading, waitsForTls])).toString("latin1");
    const error = errorIn(text);
    if (error !== undefined && !text.startsWith("INFO ")) throw refusal(line, error);
    if (!text.startsWith("INFO ")) throw new EndedError(Buffer.from(text, "latin1"));
    return { ...(JSON.parse(text.slice(5, text.indexOf("\r\n"))) as ServerInfo), text };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LayerFailure) throw error;
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
function errorIn(text: string): string | undefined {
  return /^-ERR '(.*)'\r?$/m.exec(text)?.[1];
}

/** What a server says before it hangs up, if it says so within `patience` milliseconds. */
async function lastWords(socket: Socket, patience: number, signal: AbortSignal): Promise<string | undefined> {
  if (patience === 0) return undefined;
  const quiet = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const heard = await readUntil(
    socket,
    (data) => errorIn(data.toString("latin1")) !== undefined,
    quiet,
  ).catch((error) => (error instanceof EndedError ? error.data : undefined));
  signal.throwIfAborted();
  return heard && errorIn(heard.toString("latin1"));
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
  let spoke = false;
  reading.then(
    () => {
      spoke = true;
    },
    () => {
      spoke = true;
    },
  );
  await new Promise((done) => setTimeout(done, SILENCE).unref());
  if (spoke || signal.aborted) return never;
  const first = await tlsComesFirst(line, server, config, signal);
  return first ? Promise.reject(first) : never;
}

/** Whether a handshake is what the server waits for (`handshake_first`), whatever its certificate is worth. */
async function tlsComesFirst(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  signal: AbortSignal,
): Promise<LayerFailure | undefined> {
  const brief = AbortSignal.any([signal, AbortSignal.timeout(SILENCE)]);
  let socket: Socket | undefined;
  try {
    socket = await dial(line, brief);
    socket.on("error", () => {});
    const options = { ...tlsOptions(server, config), rejectUnauthorized: false };
    (await handshake(line, socket, options, brief)).destroy();
    return LayerFailure.of("tls", "nats.tls.first", { where: line.where });
  } catch {
    return undefined; // it did not: what the first connection shows counts
  } finally {
    socket?.destroy();
  }
}

function checkTlsWanted({ where }: Line, server: NatsServer, info: ServerInfo): void {
  if (info.tls_required && !server.tls) throw LayerFailure.of("tls", "nats.tls.required", { where });
  if (server.tls && !info.tls_required && !info.tls_available) {
    throw LayerFailure.of("tls", "nats.tls.off", { where });
  }
}
