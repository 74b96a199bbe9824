import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  DiscardPolicy,
  ErrorCode,
  type NatsConnection,
  NatsError,
  RetentionPolicy,
  type StreamConfig,
} from "nats";
import type { NatsConfig, NatsServer } from "../config/nats-settings.ts";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { Log } from "../output/log.ts";
import { Bucket } from "../store/bucket.ts";
import { logInToNats, type OpenConnection, tlsOptions } from "../store/nats-connection.ts";
import { JS, jsCode } from "../store/store-errors.ts";
import {
  dial,
  EndedError,
  firstWords,
  handshake,
  type Line,
  lineTo,
  readUntil,
  tlsFailure,
} from "./endpoint.ts";
import { type Attempt, type Endpoint, LayerFailure, NATS_LAYERS, type Probe, words } from "./probe.ts";

export interface NatsReady {
  bucket: Bucket;
  /** False where the command does not make it: `plan`, `verify` and `wait`. */
  exists: boolean;
  /** host:port of the server that was taken. */
  where: string;
  /** The server's version, for the report. */
  version: string;
  /** The server's certificate and those that came with it; none without TLS. */
  chain: readonly X509Certificate[];
}

/** How to become ready on a usable bucket. */
export function natsProbe(config: NatsConfig, needs: BucketNeeds, log: Log): Probe<NatsReady> {
  const endpoints = config.servers.map((server) => endpointOf(server, config, needs, log));
  return { service: "nats", layers: NATS_LAYERS, endpoints };
}

function endpointOf(
  server: NatsServer,
  config: NatsConfig,
  needs: BucketNeeds,
  log: Log,
): Endpoint<NatsReady> {
  const line = lineTo("nats", server);
  return {
    where: line.where,
    async connect(attempt) {
      const { nc, chain } = await connect(line, server, config, attempt);
      try {
        const bucket = await Bucket.open(config.bucket, nc);
        // A server pings, whether JetStream answers or not.
        attempt.watch(undefined);
        attempt.enter("jetstream");
        await checkJetStream(line, bucket);
        attempt.enter("bucket");
        const exists = await attempt.alone(() => checkBucket(line, bucket, { config, needs, log, attempt }));
        return { bucket, exists, where: line.where, version: nc.info?.version ?? "", chain };
      } catch (error) {
        nc.close().catch(() => {});
        throw error;
      }
    },
    close: ({ bucket }) => void bucket.nc.close(),
  };
}

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

const REFUSED: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
];
/** The library's own: it reads a seed or a credentials file only now, and one that holds none fails before anything is sent. */
const UNREADABLE: readonly string[] = [ErrorCode.BadAuthentication, ErrorCode.BadCreds];

/** Whether the server, and not the network, turned the login down. */
function isRefused(error: unknown): boolean {
  return error instanceof NatsError && REFUSED.includes(error.code);
}

/** A connection with a login, and the certificates that the server showed. */
export interface LoggedIn {
  nc: NatsConnection;
  chain: Reached["chain"];
}

/**
 * Connects and logs in with what the URL says percent-decoded, and, where the server refuses that, again as it stands: nats.py
 * reads it so. Throws LayerFailure.
 */
export async function connect(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  attempt: Attempt,
): Promise<LoggedIn> {
  const { open, chain } = await reach(line, server, config, attempt);
  try {
    return { nc: await logIn(line, server, config, { open, attempt }), chain };
  } catch (error) {
    const { reason } = error as LayerFailure;
    if (!server.literalAuth || reason !== "nats.login.refused") throw error;
    const { literalAuth, ...rest } = server;
    return connect(line, { ...rest, auth: literalAuth }, config, attempt);
  }
}

async function logIn(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  { open, attempt }: { open: OpenConnection; attempt: Attempt },
): Promise<NatsConnection> {
  const { socket } = open;
  let heard: Buffer = Buffer.alloc(0);
  let broken: Error | undefined;
  const onData = (piece: Buffer) => {
    heard = Buffer.concat([heard, piece]);
  };
  const onError = (error: Error) => {
    broken = error;
  };
  socket.on("data", onData).on("error", onError);
  try {
    return await logInToNats(server, config, open);
  } catch (error) {
    const hungUp = broken !== undefined || socket.readableEnded;
    socket.destroy();
    if (isRefused(error)) throw loginFailure(line, error);
    // What the library makes of a server that hangs up says little: its last words and the socket's error say more.
    const said = errorIn(heard) ?? (hungUp ? await missedWords(line, server, attempt) : undefined);
    throw said === undefined ? loginFailure(line, broken ?? error) : refusal(line, said);
  } finally {
    socket.off("data", onData).off("error", onError);
  }
}

/** The -ERR of a server that hung up before it was read; without TLS, where it says it again on any connection. */
async function missedWords(line: Line, server: NatsServer, attempt: Attempt): Promise<string | undefined> {
  if (server.tls) return undefined;
  attempt.answered(); // hanging up is an answer
  return errorIn(await plainWords(line, attempt.signal, false));
}

/** What a login that failed means, in nats' or the server's words. */
export function loginFailure(line: Line, error: unknown): LayerFailure {
  const { where } = line;
  const said = words(error ?? "the connection was closed");
  const { name, code } = (error ?? {}) as NodeJS.ErrnoException;
  if (name === "NKeysError" || UNREADABLE.includes(code ?? "")) {
    return LayerFailure.of("login", "nats.login.credentials", { where, said }, error);
  }
  if (isRefused(error)) return LayerFailure.of("login", "nats.login.refused", { where, said }, error);
  // With TLS 1.3 the alert of a server that misses the client's certificate comes after the handshake.
  return tlsFailure(line, error) ?? refusal(line, said);
}

/** What a command needs of the bucket. */
export interface BucketNeeds {
  /** Whether it may be created. */
  makes: boolean;
  /** Whether its settings have to be those of an object store that takes uploads. */
  settings: boolean;
}

/** What JetStream itself said, where it did: `description (err_code)`. */
function jetStreamWords(error: unknown): string {
  const { cause } = error as Error;
  const { description, err_code: code } = (cause instanceof NatsError && cause.api_error) || {};
  return description ? `${description} (${code})` : words(error);
}

/** Whether JetStream answers for this account. Throws LayerFailure `jetstream`. */
export async function checkJetStream({ where }: Line, bucket: Bucket): Promise<void> {
  try {
    await bucket.account();
  } catch (error) {
    const code = jsCode((error as Error).cause);
    const said = jetStreamWords(error);
    // Least privilege does not ask for $JS.API.INFO: the bucket's layer shows whether JetStream works.
    if (error instanceof JobError && error.code === EXIT.denied && code === undefined) return;
    if (code === JS.notEnabledForAccount) {
      throw LayerFailure.of("jetstream", "nats.jetstream.account", { where, said }, error);
    }
    if (code === JS.notEnabled || bucket.nc.info?.jetstream !== true) {
      throw LayerFailure.of("jetstream", "nats.jetstream.off", { where }, error);
    }
    throw LayerFailure.of("jetstream", "nats.jetstream.failed", { where, said }, error);
  }
}

/** Codes with which JetStream refuses to make a bucket, however often it is asked. */
const NEVER = {
  10027: "nats.bucket.streams",
  10065: "nats.bucket.overlap",
  10074: "nats.bucket.replicas",
  10113: "nats.bucket.max-bytes-required",
} as const;

interface BucketCheck {
  config: NatsConfig;
  needs: BucketNeeds;
  log: Log;
  attempt: Pick<Attempt, "answered">;
}

/** Looks at the bucket, or makes it; false: it is missing and stays so. Throws LayerFailure `bucket`. */
export async function checkBucket(
  { where }: Line,
  bucket: Bucket,
  { config, needs, log, attempt }: BucketCheck,
): Promise<boolean> {
  try {
    const info = await bucket.info();
    attempt.answered();
    if (info) {
      if (needs.settings) {
        checkSettings(where, bucket, info.config);
        warnOfLoss(bucket, info.config, log);
      }
      return true;
    }
    if (!needs.makes) return false;
    if (await bucket.create(config.replicas)) {
      log.info("bucket.created", { bucket: bucket.name, replicas: config.replicas });
    }
    return true;
  } catch (error) {
    if (error instanceof LayerFailure) throw error;
    const code = jsCode((error as Error).cause);
    const said = jetStreamWords(error);
    const params = { where, bucket: bucket.name, said };
    const never = NEVER[code as keyof typeof NEVER];
    if (never) throw LayerFailure.of("bucket", never, params, error);
    if (error instanceof JobError && error.code !== EXIT.unavailable) {
      throw LayerFailure.from("bucket", error, `NATS at ${where}`);
    }
    throw LayerFailure.of("bucket", "nats.bucket.failed", params, error);
  }
}

/** The settings of a stream that somebody else has made: whether an object store can live in it. Throws LayerFailure `bucket`. */
function checkSettings(where: string, bucket: Bucket, config: StreamConfig): void {
  const { name, stream } = bucket;
  const fixed = (id: "mirror" | "retention" | "deny-purge" | "transform") =>
    LayerFailure.of("bucket", `nats.bucket.${id}`, { where, bucket: name });
  const mend = (id: "subjects" | "rollup" | "per-subject" | "message-size" | "no-ack", option: string) => {
    const command = `nats stream edit ${stream} ${option}`;
    return LayerFailure.of("bucket", `nats.bucket.${id}`, { where, bucket: name, command });
  };
  // What needs no writing is right as it is; the first chunk would be refused otherwise, and says so.
  if (config.sealed) return;
  if (config.mirror) throw fixed("mirror");
  if (config.retention !== RetentionPolicy.Limits) throw fixed("retention");
  if (config.deny_purge) throw fixed("deny-purge");
  if (config.subject_transform) throw fixed("transform");
  const subjects = [`$O.${name}.C.>`, `$O.${name}.M.>`];
  if (!subjects.every((subject) => config.subjects?.some((taken) => covers(taken, subject)))) {
    throw mend("subjects", subjects.map((subject) => `--subjects='${subject}'`).join(" "));
  }
  if (!config.allow_rollup_hdrs) throw mend("rollup", "--allow-rollup");
  if (config.max_msgs_per_subject > 0) throw mend("per-subject", "--max-msgs-per-subject=-1");
  if (config.no_ack) throw mend("no-ack", "--ack");
  const largest = Math.min(bucket.nc.info?.max_payload ?? 0, 1024 * 1024);
  if ((config.max_msg_size ?? -1) > 0 && (config.max_msg_size ?? 0) < largest) {
    throw mend("message-size", "--max-msg-size=-1");
  }
}

/** Settings with which packages are stored, and vanish later. */
function warnOfLoss({ name, stream }: Bucket, config: StreamConfig, log: Log): void {
  const edit = (option: string) => `nats stream edit ${stream} ${option}`;
  if (config.max_age > 0) {
    const seconds = config.max_age / 1e9;
    const params = { bucket: name, seconds, command: edit("--max-age=-1") };
    log.warn("bucket.setting", "nats.bucket.max-age", params);
  }
  if (config.discard === DiscardPolicy.Old && (config.max_bytes > 0 || config.max_msgs > 0)) {
    log.warn("bucket.setting", "nats.bucket.discard-old", { bucket: name, command: edit("--discard=new") });
  }
}

/** Whether a subject with wildcards takes everything that `inner` does. */
function covers(outer: string, inner: string): boolean {
  const [ours, theirs] = [outer.split("."), inner.split(".")];
  const at = ours.findIndex((token, i) => token === ">" || (token !== "*" && token !== theirs[i]));
  return at === -1 ? ours.length === theirs.length : ours[at] === ">";
}
