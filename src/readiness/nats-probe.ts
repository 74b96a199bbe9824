import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { NatsConfig, NatsServer } from "../config/nats-settings.ts";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { Log } from "../output/log.ts";
import { Bucket } from "../store/bucket.ts";
import {
  logInToNats,
  loginFault,
  type NatsConnection,
  type OpenConnection,
  tlsOptions,
} from "../store/nats-connection.ts";
import { settingFailure, warnOfLoss } from "../store/settings.ts";
import { JS, jetStreamText, jsCode } from "../store/store-errors.ts";
import {
  type Attempt,
  causeOf,
  dial,
  EndedError,
  type Endpoint,
  endpointOf,
  excerpt,
  layerError,
  readUntil,
  startTls,
  tlsFailure,
} from "./endpoint.ts";
import type { Probe } from "./probe.ts";

/** Milliseconds for what a server says in plain text after a TLS handshake or a login broke. */
const LAST_WORDS = 4000;
/** Milliseconds for what it says unasked; a write to a server that has hung up would lose that. */
const UNASKED = 500;

export interface NatsReady {
  bucket: Bucket;
  /** False if the command does not create it: `plan`, `verify` and `wait`. */
  exists: boolean;
  /** host:port of the server that was chosen. */
  where: string;
  /** The server's version, for the report. */
  version: string;
  /** The server's certificate and those that came with it; none without TLS. */
  chain: readonly X509Certificate[];
}

/** What a command needs of the bucket. */
interface BucketNeeds {
  /** Whether it may be created. */
  creates: boolean;
  /** Whether its settings have to be those of an object store that accepts uploads. */
  settings: boolean;
}

/** Returns how to become ready on a usable bucket, for each server. */
export function natsProbes(config: NatsConfig, needs: BucketNeeds, log: Log): Probe<NatsReady>[] {
  return config.servers.map((server) => {
    const endpoint = endpointOf("nats", server);
    const { where } = endpoint;
    return {
      endpoint,
      async connect(attempt) {
        const { nc, chain } = await logIn({ endpoint, server, config, attempt });
        try {
          const bucket = await Bucket.open(config.bucket, nc);
          // A server pings whether JetStream answers or not.
          attempt.watch(undefined);
          attempt.enter("jetstream");
          await checkJetStream(where, bucket);
          attempt.enter("bucket");
          const check = { replicas: config.replicas, needs, log, answered: attempt.answered };
          const exists = await attempt.inTurn(() => checkBucket(where, bucket, check));
          return { bucket, exists, where, version: nc.info?.version ?? "", chain };
        } catch (error) {
          nc.close().catch(() => {});
          throw error;
        }
      },
      close: ({ bucket }) => void bucket.nc.close(),
    };
  });
}

/** What a login needs to know. */
interface Login {
  endpoint: Endpoint;
  server: NatsServer;
  config: NatsConfig;
  attempt: Attempt;
}

/**
 * Connects and logs in with the URL's credentials percent-decoded, and, if the server refuses those, again as
 * they stand: nats.py reads them so. Throws JobError of the layers `dns` to `login`.
 */
async function logIn(login: Login): Promise<{ nc: NatsConnection; chain: readonly X509Certificate[] }> {
  const { open, chain } = await reachLogin(login);
  try {
    return { nc: await logInOn(open, login), chain };
  } catch (error) {
    const { literalAuth, ...server } = login.server;
    if (!literalAuth || (error as JobError).reason !== "nats.login.refused") throw error;
    return logIn({ ...login, server: { ...server, auth: literalAuth } });
  }
}

/** Goes as far as the login: TCP, the server's INFO line, TLS. Returns the server's certificates too. */
async function reachLogin(login: Login) {
  const { endpoint, server, config, attempt } = login;
  const { handshakeFirst } = config.tls;
  const plain = await dial(endpoint, attempt);
  attempt.enter(server.tls ? "tls" : "login");
  const encrypted = async () => {
    const socket = await encrypt(login, plain);
    attempt.enter("login");
    return socket;
  };
  try {
    let socket = handshakeFirst ? await encrypted() : plain;
    const info = await readInfo(login, socket);
    attempt.answered();
    const { where } = endpoint;
    if (!handshakeFirst && info.tls_required && !server.tls)
      throw layerError("tls", "nats.tls.required", { where });
    if (!handshakeFirst && server.tls) {
      if (!info.tls_required && !info.tls_available) throw layerError("tls", "nats.tls.off", { where });
      socket = await encrypted();
    }
    return { open: { socket, received: info.received }, chain: chainOf(socket) };
  } catch (error) {
    plain.destroy();
    attempt.signal.throwIfAborted();
    throw error;
  }
}

/** Starts TLS. If that fails, a second connection shows what the server says without TLS. */
async function encrypt({ endpoint, server, config, attempt }: Login, socket: Socket): Promise<TLSSocket> {
  const first = config.tls.handshakeFirst;
  try {
    return await startTls(endpoint, socket, tlsOptions(server, config), attempt);
  } catch (error) {
    const { reason } = error as JobError;
    if (reason !== "nats.tls.handshake" && reason !== "nats.tls.broken") throw error;
    attempt.answered();
    const received = await readPlainText(endpoint, attempt.signal, !first);
    const said = errorIn(received);
    // A server that turns everybody away says so without TLS.
    if (said !== undefined) throw refusal(endpoint, said);
    if (!first || !received.subarray(0, 5).equals(Buffer.from("INFO "))) throw error;
    const params = { where: endpoint.where, said: excerpt(received) };
    throw layerError("tls", "nats.tls.not-first", params, error);
  }
}

/** Returns the server's own certificate and those of its issuers. */
function chainOf(socket: Socket): X509Certificate[] {
  const found: X509Certificate[] = [];
  let one = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  for (; one && found.length < 10; one = one.issuerCertificate) found.push(one);
  return found;
}

interface ServerInfo {
  tls_required?: boolean;
  tls_available?: boolean;
  /** INFO, and everything that came with it. */
  received: Buffer;
}

/** Reads the INFO line: a NATS server speaks first. */
async function readInfo({ endpoint, server, config, attempt }: Login, socket: Socket): Promise<ServerInfo> {
  const { where } = endpoint;
  try {
    const received = await readUntil(socket, isFirstLine, attempt.signal);
    const text = received.toString("utf8");
    const refused = errorIn(received);
    if (refused !== undefined) throw refusal(endpoint, refused);
    if (!text.startsWith("INFO ")) throw new EndedError(received);
    return { ...(JSON.parse(text.slice(5, text.indexOf("\r\n"))) as object), received };
  } catch (error) {
    attempt.signal.throwIfAborted();
    if (error instanceof JobError) throw error;
    // With TLS 1.3 the alert of a server that misses the client's certificate comes after the handshake.
    const alert = tlsFailure(endpoint, error);
    if (alert) throw alert;
    // V8's message about JSON would quote what the server sent.
    const what = error instanceof SyntaxError ? "INFO is not followed by JSON" : causeOf(error);
    const said = error instanceof EndedError && error.data.length > 0 ? excerpt(error.data) : what;
    const layer = server.tls && !config.tls.handshakeFirst ? "tls" : "login";
    throw layerError(layer, "nats.login.protocol", { where, said }, error);
  }
}

/** Returns whether the data are a whole line, or begin neither INFO nor an -ERR in its place. */
function isFirstLine(data: Buffer): boolean {
  const head = data.subarray(0, 5).toString("latin1");
  return data.includes("\r\n") || !["INFO ", "-ERR "].some((word) => word.startsWith(head));
}

/** Returns the words of `-ERR 'maximum connections exceeded'`, as it follows INFO, or stands in its place. */
function errorIn(received: Buffer): string | undefined {
  return /^-ERR '(.*)'\r?$/m.exec(received.toString("latin1"))?.[1];
}

/** Returns what an -ERR before the login means. */
function refusal({ where }: Endpoint, said: string): JobError {
  const id = /maximum .*connections/i.test(said) ? "connections" : "failed";
  return layerError("login", `nats.login.${id}`, { where, said });
}

/**
 * Returns what a server says in plain text on another connection: INFO, and an -ERR behind it or in its
 * place. `ask`: sends something too, for an -ERR that comes only then.
 */
async function readPlainText(endpoint: Endpoint, signal: AbortSignal, ask: boolean): Promise<Buffer> {
  const brief = AbortSignal.any([signal, AbortSignal.timeout(LAST_WORDS)]);
  const socket = await dial(endpoint, { signal: brief, enter() {}, watch() {} }).catch(() => undefined);
  if (!socket) return Buffer.alloc(0);
  let received: Buffer = Buffer.alloc(0);
  socket.on("data", (piece) => {
    received = Buffer.concat([received, piece]);
  });
  const isRefused = () => errorIn(received) !== undefined;
  const read = async (isEnough: () => boolean, until: AbortSignal) => {
    if (!isEnough() && socket.readable) await readUntil(socket, isEnough, until).catch(() => {});
  };
  await read(() => isFirstLine(received), brief);
  await read(isRefused, AbortSignal.any([brief, AbortSignal.timeout(UNASKED)]));
  if (ask && !isRefused()) socket.write("PING\r\n");
  if (ask) await read(isRefused, brief);
  socket.destroy();
  return received;
}

async function logInOn(open: OpenConnection, login: Login): Promise<NatsConnection> {
  const { endpoint, server, config, attempt } = login;
  const { socket } = open;
  let received: Buffer = Buffer.alloc(0);
  const onData = (piece: Buffer) => {
    received = Buffer.concat([received, piece]);
  };
  socket.on("data", onData);
  try {
    return await logInToNats(server, config, open);
  } catch (error) {
    const broken = socket.errored;
    const hungUp = broken !== null || socket.readableEnded;
    socket.destroy();
    if (loginFault(error) === "refused") throw loginFailure(endpoint, error);
    // The library's error of a server that hangs up says little: the server's -ERR and the socket's error say
    // more.
    let said = errorIn(received);
    if (said === undefined && hungUp && !server.tls) {
      attempt.answered(); // hanging up is an answer
      // The -ERR may be lost with the connection; without TLS the server repeats it on any other.
      said = errorIn(await readPlainText(endpoint, attempt.signal, false));
    }
    throw said === undefined ? loginFailure(endpoint, broken ?? error) : refusal(endpoint, said);
  } finally {
    socket.off("data", onData);
  }
}

/** Returns what a failed login means, in the words of nats or of the server. */
export function loginFailure(endpoint: Endpoint, error: unknown): JobError {
  const said = causeOf(error ?? "the connection was closed");
  const fault = loginFault(error);
  if (fault) return layerError("login", `nats.login.${fault}`, { where: endpoint.where, said }, error);
  // With TLS 1.3 the alert of a server that misses the client's certificate comes after the handshake.
  return tlsFailure(endpoint, error) ?? refusal(endpoint, said);
}

/** Checks that JetStream answers for this account. Throws JobError of the layer `jetstream`. */
async function checkJetStream(where: string, bucket: Bucket): Promise<void> {
  try {
    await bucket.account();
  } catch (error) {
    const code = jsCode((error as Error).cause);
    const said = jetStreamText(error) ?? causeOf(error);
    // Least privilege does not include $JS.API.INFO: the bucket's layer shows whether JetStream works.
    if (error instanceof JobError && error.code === EXIT.denied && code === undefined) return;
    if (code === JS.notEnabledForAccount)
      throw layerError("jetstream", "nats.jetstream.account", { where, said }, error);
    if (code === JS.notEnabled || bucket.nc.info?.jetstream !== true)
      throw layerError("jetstream", "nats.jetstream.off", { where }, error);
    throw layerError("jetstream", "nats.jetstream.failed", { where, said }, error);
  }
}

/** Codes with which JetStream refuses to create a bucket, however often it is asked. */
const NEVER = {
  10027: "nats.bucket.streams",
  10065: "nats.bucket.overlap",
  10074: "nats.bucket.replicas",
  10113: "nats.bucket.max-bytes-required",
} as const;

/** Checks the bucket, or creates it; false: it is missing and stays so. Throws layer `bucket`. */
async function checkBucket(
  where: string,
  bucket: Bucket,
  { replicas, needs, log, answered }: { replicas: number; needs: BucketNeeds; log: Log; answered(): void },
): Promise<boolean> {
  const fail = (error: unknown) => {
    throw bucketFailure(where, bucket, error);
  };
  const info = await bucket.info().catch(fail);
  answered();
  if (info && needs.settings) {
    const failure = settingFailure(bucket, info.config, where);
    if (failure) throw failure;
    warnOfLoss(bucket, info.config, log);
  }
  if (info || !needs.creates) return info !== undefined;
  if (await bucket.create(replicas).catch(fail))
    log.info("bucket.created", { bucket: bucket.name, replicas });
  return true;
}

/** Returns what it means that JetStream does not show or create the bucket. */
function bucketFailure(where: string, bucket: Bucket, error: unknown): JobError {
  const code = jsCode((error as Error).cause);
  const params = { where, bucket: bucket.name, said: jetStreamText(error) ?? causeOf(error) };
  const never = NEVER[code as keyof typeof NEVER];
  if (never) return layerError("bucket", never, params, error);
  if (error instanceof JobError && error.code !== EXIT.unavailable) {
    const { reason } = error;
    return new JobError(reason, error.params, { layer: "bucket", server: `NATS at ${where}`, cause: error });
  }
  return layerError("bucket", "nats.bucket.failed", params, error);
}
