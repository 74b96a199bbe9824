import { once } from "node:events";
import type { Socket } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { ErrorCode, type JetStreamAccountStats, type NatsConnection, NatsError } from "nats";
import type { NatsConfig, NatsServer } from "../config/nats.ts";
import { EXIT, JobError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import { Bucket } from "../store/bucket.ts";
import { connectNats, tlsOptions } from "../store/connection.ts";
import { JS, jsCode } from "../store/errors.ts";
import type { Climb } from "./climb.ts";
import { dial, type Layer, LayerFailure, NATS_LAYERS, resolveHost, tlsHint } from "./layer.ts";

export interface NatsReady {
  bucket: Bucket;
  /** False where the command does not make it: `plan`, `verify` and `wait`. */
  exists: boolean;
  /** The server's version, for the report. */
  version: string;
}

/** The way up to a usable bucket. `makes`: whether the command may create it. */
export function natsClimb(config: NatsConfig, makes: boolean, log: Log): Climb<NatsReady> {
  return {
    service: "nats",
    where: config.servers.map(address).join(", "),
    layers: NATS_LAYERS,
    async attempt(signal, trying) {
      let best: LayerFailure | undefined;
      for (const server of config.servers) {
        try {
          return await attemptServer(server, config, makes, log, signal, trying);
        } catch (error) {
          if (!(error instanceof LayerFailure)) throw error;
          // Of several servers the one that came furthest tells most.
          if (!best || NATS_LAYERS.indexOf(error.layer as never) > NATS_LAYERS.indexOf(best.layer as never))
            best = error;
        }
      }
      throw best ?? new Error("no server is configured");
    },
  };
}

function address(server: NatsServer): string {
  return `${server.host}:${server.port}`;
}

async function attemptServer(
  server: NatsServer,
  config: NatsConfig,
  makes: boolean,
  log: Log,
  signal: AbortSignal,
  trying: (layer: Layer) => void,
): Promise<NatsReady> {
  const nc = await connectNats(server, config, 4500).catch(async (error) => {
    // The way up is one step for the library: climb it again, slowly, to say where it breaks.
    await diagnose(server, config, signal, trying);
    throw loginFailure(error);
  });
  const close = () => void nc.close();
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  try {
    const bucket = await Bucket.open(config.bucket, nc);
    trying("jetstream");
    await checkJetStream(bucket, nc);
    trying("bucket");
    const exists = await checkBucket(bucket, config, makes, log);
    return { bucket, exists, version: nc.info?.version ?? "" };
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** Throws the LayerFailure of the first layer that does not hold: dns, tcp, tls. */
async function diagnose(
  server: NatsServer,
  config: NatsConfig,
  signal: AbortSignal,
  trying: (layer: Layer) => void,
): Promise<void> {
  trying("dns");
  await resolveHost(server, signal);
  trying("tcp");
  const socket = await dial(server, signal);
  try {
    trying(server.tls ? "tls" : "login");
    const info = await readInfo(socket, signal, server.tls);
    checkTlsWanted(server, info);
    if (server.tls) await handshake(server, config, socket, signal);
  } finally {
    socket.destroy();
  }
}

interface ServerInfo {
  tls_required?: boolean;
  tls_available?: boolean;
}

/** A NATS server speaks first: one INFO line. */
async function readInfo(socket: Socket, signal: AbortSignal, tls: boolean): Promise<ServerInfo> {
  let text = "";
  try {
    while (!text.includes("\r\n")) {
      const [data] = (await once(socket, "data", { signal })) as [Buffer];
      text += data.toString("latin1");
      if (text.length > 65_536 || !"INFO ".startsWith(text.slice(0, 5))) throw new Error("no INFO line");
    }
    socket.pause();
    return JSON.parse(text.slice(5, text.indexOf("\r\n"))) as ServerInfo;
  } catch (error) {
    const cause = signal.aborted ? new Error("the server accepted the connection but sent no INFO") : error;
    throw new LayerFailure(tls ? "tls" : "login", {
      cause,
      hint: "something accepts the connection but does not speak like a nats-server: check NATS_SERVERS, and the server's log",
    });
  }
}

function checkTlsWanted(server: NatsServer, info: ServerInfo): void {
  if (info.tls_required && !server.tls) {
    throw new LayerFailure("tls", {
      cause: new Error("the server requires TLS, the job is not set up for it"),
      hint: "use tls:// in NATS_SERVERS or NATS_TLS_ENABLED=true, with NATS_TLS_CA_FILE",
      final: true,
    });
  }
  if (server.tls && !info.tls_required && !info.tls_available) {
    throw new LayerFailure("tls", {
      cause: new Error("the server offers no TLS, the job is set up for it"),
      hint: "use nats:// in NATS_SERVERS and NATS_TLS_ENABLED=false, or give the server a certificate",
      final: true,
    });
  }
}

async function handshake(
  server: NatsServer,
  config: NatsConfig,
  socket: Socket,
  signal: AbortSignal,
): Promise<void> {
  let secure: TLSSocket | undefined;
  try {
    secure = tlsConnect({ ...tlsOptions(server, config), socket });
    await once(secure, "secureConnect", { signal });
    // A server that misses the client's certificate says so after TLS 1.3's handshake: with an alert instead of silence.
    const quiet = AbortSignal.any([signal, AbortSignal.timeout(250)]);
    await once(secure, "end", { signal: quiet }).catch((error) => {
      if (!quiet.aborted) throw error;
    });
  } catch (error) {
    const cause = signal.aborted ? new Error("the handshake did not end") : error;
    throw (
      tlsFailure(cause) ??
      new LayerFailure("tls", { cause, hint: "check the server's log, and what is in between" })
    );
  } finally {
    secure?.destroy();
  }
}

function tlsFailure(error: unknown): LayerFailure | undefined {
  const hint = tlsHint(error, "NATS_TLS_CA_FILE", "NATS_TLS_CERT_FILE and NATS_TLS_KEY_FILE");
  return hint === undefined ? undefined : new LayerFailure("tls", { cause: error, hint, final: true });
}

const REFUSED: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
];

function loginFailure(error: unknown): LayerFailure {
  // The library reads a seed or a credentials file only now: one that holds none fails before anything is sent.
  const unreadable = error instanceof Error && error.name === "NKeysError";
  if (unreadable || (error instanceof NatsError && REFUSED.includes(error.code))) {
    return new LayerFailure("login", {
      cause: error,
      hint: "check the credentials: user and password in NATS_SERVERS or NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_CREDS_FILE, NATS_NKEY_SEED_FILE",
      final: true,
    });
  }
  const alert = tlsFailure(error) ?? tlsFailure((error as NatsError)?.chainedError);
  if (alert) return alert;
  return new LayerFailure("login", {
    cause: error ?? "the connection was closed",
    hint: "check the nats-server's log",
  });
}

async function checkJetStream(
  bucket: Bucket,
  nc: NatsConnection,
): Promise<JetStreamAccountStats | undefined> {
  try {
    return await bucket.account();
  } catch (error) {
    // Least privilege does not ask for $JS.API.INFO: the bucket's layer shows whether JetStream works.
    if (isDenied(error)) return undefined;
    const code = jsCode((error as Error).cause);
    if (code === JS.notEnabledForAccount || code === JS.notEnabled) {
      throw new LayerFailure("jetstream", {
        cause: error,
        hint: "enable JetStream for the account of the job's NATS user",
        final: true,
      });
    }
    const off = nc.info?.jetstream !== true;
    throw new LayerFailure("jetstream", {
      cause: off ? new Error("the server runs without JetStream") : error,
      hint: off
        ? "start nats-server with JetStream (jetstream {} in its configuration, or -js)"
        : "check the nats-server's log",
    });
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof JobError && error.code === EXIT.denied && jsCode(error.cause) === undefined;
}

async function checkBucket(bucket: Bucket, config: NatsConfig, makes: boolean, log: Log): Promise<boolean> {
  try {
    if (await bucket.info()) return true;
    if (!makes) return false;
    if (await bucket.create(config.replicas)) {
      log.legacy("info", "bucket.created", `bucket "${bucket.name}" was missing and has been created`, {
        bucket: bucket.name,
        replicas: config.replicas,
      });
    }
    return true;
  } catch (error) {
    const known = error instanceof JobError ? error : undefined;
    throw new LayerFailure("bucket", {
      cause: error,
      hint: known?.hint ?? "check the nats-server's log",
      final: known?.code === EXIT.denied,
    });
  }
}
