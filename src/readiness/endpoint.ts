import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIP, type Socket, connect as tcpConnect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { abortable } from "../async.ts";
import { type DbServer, isSocketFolder, placeOf } from "../config/db-settings.ts";
import { type Attempt, LayerFailure, type Service, words } from "./probe.ts";

/** Where one server of a service listens. */
export interface Line extends DbServer {
  service: Service;
  /** host:port, for messages. */
  where: string;
}

/** The line to one server of a service. */
export function lineTo(service: Service, { host, port }: DbServer): Line {
  return { service, host, port, where: placeOf({ host, port }) };
}

/** Milliseconds for each address of a name that has several; node gives up a slow one after 250 otherwise. */
const ADDRESS_TIMEOUT = 2000;

/** Resolves a host as any client would; an address needs no resolving. Throws LayerFailure `dns`. */
async function resolveHost({ service, host, where }: Line, signal: AbortSignal): Promise<LookupAddress[]> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  try {
    return await abortable(lookup(host, { all: true }), signal);
  } catch (error) {
    throw LayerFailure.of("dns", `${service}.dns`, { where, said: words(error) }, error);
  }
}

/**
 * Opens a connection, which is destroyed when the attempt ends without success. Throws LayerFailure `dns` or `tcp`. It does not
 * read yet: whoever reads first hears the first byte.
 */
export async function dial(
  line: Line,
  attempt: Pick<Attempt, "signal" | "enter" | "watch">,
): Promise<Socket> {
  const { service, host, port, where } = line;
  const { signal } = attempt;
  attempt.enter("dns");
  const local = isSocketFolder(host);
  const addresses = local ? [] : await resolveHost(line, signal);
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
    socket.on("error", () => {}); // whoever reads from it hears of it
    return socket;
  } catch (error) {
    socket.destroy();
    const said = words(error);
    if (local) throw LayerFailure.of("tcp", "postgres.socket", { where, said }, error);
    const refused = said.includes("ECONNREFUSED");
    throw LayerFailure.of("tcp", `${service}.tcp.${refused ? "refused" : "failed"}`, { where, said }, error);
  }
}

/** Makes a connection a TLS one; throws LayerFailure `tls`. */
export async function handshake(
  line: Line,
  socket: Socket,
  options: ConnectionOptions,
  { signal, watch }: Pick<Attempt, "signal" | "watch">,
): Promise<TLSSocket> {
  let secure: TLSSocket | undefined;
  try {
    secure = tlsConnect({ ...options, socket });
    await once(secure, "secureConnect", { signal });
    secure.on("error", () => {});
    // From here on what is decrypted counts: a server's session tickets are no answer.
    watch(secure);
    return secure;
  } catch (error) {
    secure?.destroy();
    socket.destroy();
    const failure = tlsFailure(line, error);
    if (failure) throw failure;
    const said = words(error);
    throw LayerFailure.of("tls", `${line.service}.tls.broken`, { where: line.where, said }, error);
  }
}

/** What arrives until `enough`, at most 64 KiB. Throws if the connection ends before; leaves the rest to the next reader. */
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

/** The server closed the connection, or said too much; `data`: what it did say. */
export class EndedError extends Error {
  override readonly name = "EndedError";
  readonly data: Buffer;

  constructor(data: Buffer) {
    super("the server closed the connection");
    this.data = data;
  }
}

/** The beginning of what a stranger said, as far as it can be read. */
export function firstWords(data: Buffer): string {
  const text =
    data
      .subarray(0, 60)
      .toString("latin1")
      .split(/[\r\n]/)[0] ?? "";
  return text.replace(/[^\x20-\x7e]/g, ".");
}

const UNTRUSTED = [
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "CERT_REVOKED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
];

/** What a TLS error means; undefined where it is none. Waiting mends none of these. */
export function tlsFailure({ service, where }: Line, error: unknown): LayerFailure | undefined {
  const { code = "" } = (error ?? {}) as NodeJS.ErrnoException;
  const id = tlsReason(code);
  return id && LayerFailure.of("tls", `${service}.tls.${id}`, { where, said: words(error) }, error);
}

function tlsReason(code: string) {
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") return "expired";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "name";
  if (UNTRUSTED.includes(code)) return "untrusted";
  if (/^ERR_SSL_.*(ALERT|CERTIFICATE)/.test(code)) return "rejected";
  return /^ERR_(SSL|OSSL)_/.test(code) ? "handshake" : undefined;
}
