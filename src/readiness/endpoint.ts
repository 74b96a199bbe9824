/**
 * readiness/: whether Postgres and NATS can really be used, layer by layer, until a deadline, and the verdict
 * if they cannot. Changes nothing except that it creates a missing bucket.
 */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIP, type Socket, connect as tcpConnect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { abortable } from "../async.ts";
import { type DbServer, isSocketFolder, placeOf } from "../config/db-settings.ts";
import { JobError } from "../errors.ts";
import type { Params, ReasonId } from "../messages/catalog.ts";

/** The layers of each service, in the order in which a probe passes them. */
export const LAYERS = {
  postgres: ["dns", "tcp", "tls", "login", "database", "table", "privileges"],
  nats: ["dns", "tcp", "tls", "login", "jetstream", "bucket"],
} as const;
export type Layer = (typeof LAYERS)[Service][number];

export type Service = "postgres" | "nats";

/** The address of one server of a service. */
export interface Endpoint extends DbServer {
  service: Service;
  /** host:port, for messages. */
  where: string;
}

/** Returns the endpoint of a server. */
export function endpointOf(service: Service, { host, port }: DbServer): Endpoint {
  return { service, host, port, where: placeOf({ host, port }) };
}

/** What a probe reports of its progress. Only this counts as progress; bytes alone do not. */
export interface Attempt {
  signal: AbortSignal;
  /** The layer before is passed, and this one is tried. */
  enter(layer: Layer): void;
  /** The server has given one whole answer: to a statement, a request, or a step of the login. */
  answered(): void;
  /** Sets the connection whose bytes distinguish a slow server from a silent one; undefined: none does. */
  watch(socket: Socket | undefined): void;
  /** Runs a step that only one probe may take at a time. */
  inTurn<R>(work: () => Promise<R>): Promise<R>;
}

/** Returns the error of a probe that fails at `layer`. */
export function layerError<Id extends ReasonId>(
  layer: Layer,
  reason: Id,
  params: Params<Id>,
  cause?: unknown,
): JobError {
  return new JobError(reason, params, { layer, cause }) as unknown as JobError;
}

/** Milliseconds for each address of a name that has several; node gives up a slow one after 250 otherwise. */
const ADDRESS_TIMEOUT = 2000;

/**
 * Opens a connection, which is destroyed when the attempt's signal aborts. It is not read yet, so the first
 * reader gets the first byte. Throws JobError of the layer `dns` or `tcp`.
 */
export async function dial(
  endpoint: Endpoint,
  attempt: Pick<Attempt, "signal" | "enter" | "watch">,
): Promise<Socket> {
  const { service, host, port, where } = endpoint;
  const { signal } = attempt;
  attempt.enter("dns");
  const local = isSocketFolder(host);
  const family = isIP(host);
  const addresses = local || family ? [{ address: host, family }] : await resolveHost(endpoint, signal);
  attempt.enter("tcp");
  const socket = tcpConnect({
    ...(local ? { path: where } : { host, port, lookup: (_name, _options, done) => done(null, addresses) }),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 10_000,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT,
  });
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  attempt.watch(socket);
  try {
    await once(socket, "connect", { signal });
    socket.on("error", () => {}); // its reader gets the error
    return socket;
  } catch (error) {
    socket.destroy();
    const said = causeOf(error);
    if (local) throw layerError("tcp", "postgres.socket", { where, said }, error);
    const refused = said.includes("ECONNREFUSED");
    throw layerError("tcp", `${service}.tcp.${refused ? "refused" : "failed"}`, { where, said }, error);
  }
}

async function resolveHost(
  { service, host, where }: Endpoint,
  signal: AbortSignal,
): Promise<LookupAddress[]> {
  try {
    return await abortable(lookup(host, { all: true }), signal);
  } catch (error) {
    throw layerError("dns", `${service}.dns`, { where, said: causeOf(error) }, error);
  }
}

/** Starts TLS on a connection. Throws JobError of the layer `tls`. */
export async function startTls(
  endpoint: Endpoint,
  socket: Socket,
  options: ConnectionOptions,
  { signal, watch }: Pick<Attempt, "signal" | "watch">,
): Promise<TLSSocket> {
  let secure: TLSSocket | undefined;
  try {
    secure = tlsConnect({ ...options, socket });
    await once(secure, "secureConnect", { signal });
    secure.on("error", () => {});
    // From here on decrypted bytes count: a server's session tickets are no answer.
    watch(secure);
    return secure;
  } catch (error) {
    secure?.destroy();
    socket.destroy();
    const failure = tlsFailure(endpoint, error);
    if (failure) throw failure;
    const said = causeOf(error);
    throw layerError("tls", `${endpoint.service}.tls.broken`, { where: endpoint.where, said }, error);
  }
}

/** Reads until `enough`, at most 64 KiB. Throws EndedError if the connection ends before. */
export function readUntil(
  socket: Socket,
  enough: (data: Buffer) => boolean,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let data: Buffer = Buffer.alloc(0);
    const done = (settle: () => void) => {
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError);
      signal.removeEventListener("abort", onAbort);
      socket.pause();
      settle();
    };
    const onEnd = () => done(() => reject(new EndedError(data)));
    const onError = (error: Error) => done(() => reject(data.length > 0 ? new EndedError(data) : error));
    const onAbort = () => done(() => reject(signal.reason));
    const onData = (piece: Buffer) => {
      data = Buffer.concat([data, piece]);
      if (enough(data)) done(() => resolve(data));
      else if (data.length > 65_536) onEnd();
    };
    socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    else socket.resume();
  });
}

/** The server closed the connection, or sent too much; `data`: what it sent. */
export class EndedError extends Error {
  override readonly name = "EndedError";
  readonly data: Buffer;

  constructor(data: Buffer) {
    super("the server closed the connection");
    this.data = data;
  }
}

/** Returns the beginning of what another program said, as printable characters. */
export function excerpt(data: Buffer): string {
  const [line = ""] = data.toString("latin1", 0, 60).split(/[\r\n]/);
  return line.replace(/[^\x20-\x7e]/g, ".");
}

/** Returns what a TLS error means; undefined for any other error. Waiting helps against none of these. */
export function tlsFailure({ service, where }: Endpoint, error: unknown): JobError | undefined {
  const { code = "" } = (error ?? {}) as NodeJS.ErrnoException;
  const id = TLS_REASONS.find(([pattern]) => pattern.test(code))?.[1];
  return id && layerError("tls", `${service}.tls.${id}`, { where, said: causeOf(error) }, error);
}

/** Codes of node:tls and OpenSSL, the first that matches. */
const TLS_REASONS = [
  [/^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/, "expired"],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, "name"],
  [/^(CERT_|DEPTH_ZERO_|INVALID_(CA|PURPOSE)|SELF_SIGNED_|UNABLE_TO_)/, "untrusted"],
  [/^ERR_SSL_.*(ALERT|CERTIFICATE)/, "rejected"],
  [/^ERR_(SSL|OSSL)_/, "handshake"],
] as const;

/** Formats an error as one line, in the words of whatever raised it. */
export function causeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    // Node tries each address of a name (happy eyeballs) and reports an error for each.
    return [...new Set(error.errors.map(causeOf))].join(", ");
  }
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException;
    // OpenSSL ends its messages with a line feed; nats-server puts them in quotes
    const text = error.message.trim().replace(/^'(.*)'$/, "$1") || error.name;
    return code && !text.includes(code) && /^E[A-Z_]+$/.test(code) ? `${code}: ${text}` : text;
  }
  return String(error);
}
