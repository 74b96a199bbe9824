/**
 * readiness/: whether Postgres and NATS can really be used, layer by layer, until a deadline, and the verdict where they cannot.
 * Changes nothing but a bucket that is missing.
 */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIP, type Socket, connect as tcpConnect } from "node:net";

export const POSTGRES_LAYERS = ["dns", "tcp", "tls", "login", "database", "table", "privileges"] as const;
export const NATS_LAYERS = ["dns", "tcp", "tls", "login", "jetstream", "bucket"] as const;
export type Layer = (typeof POSTGRES_LAYERS)[number] | (typeof NATS_LAYERS)[number];

export interface LayerFailureOptions {
  /** In the server's words. */
  cause: unknown;
  /** What the operator should do. */
  hint: string;
  /** Waiting cannot mend it: a refused password, a certificate, a missing privilege. */
  final?: boolean;
  /** Exit 78 instead of 77: a table shape that the job does not know. */
  config?: boolean;
}

/** One attempt to become ready failed at `layer`. */
export class LayerFailure extends Error {
  override readonly name = "LayerFailure";
  readonly layer: Layer;
  readonly hint: string;
  readonly final: boolean;
  readonly config: boolean;

  constructor(layer: Layer, options: LayerFailureOptions) {
    super(words(options.cause), { cause: options.cause });
    this.layer = layer;
    this.hint = options.hint;
    this.final = options.final ?? options.config ?? false;
    this.config = options.config ?? false;
  }
}

/** An error in one line, in the words of whoever raised it. */
export function words(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    // Node's happy eyeballs: one error for each address that was tried.
    return [...new Set(error.errors.map(words))].join(", ");
  }
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException;
    const text = error.message || error.name;
    return code && !text.includes(code) && /^E[A-Z_]+$/.test(code) ? `${code}: ${text}` : text;
  }
  return String(error);
}

export interface Address {
  host: string;
  port: number;
}

/** Resolves a host as any client would; throws LayerFailure `dns`. */
export async function resolveHost({ host }: Address, signal: AbortSignal): Promise<void> {
  if (isIP(host)) return;
  const timedOut = once(signal, "abort").then(() => {
    throw new Error("the name server did not answer in time");
  });
  timedOut.catch(() => {}); // the lookup may win
  try {
    await Promise.race([lookup(host, { all: true }), timedOut]);
  } catch (error) {
    throw new LayerFailure("dns", {
      cause: error,
      hint: `check the host's name, and that this container is in the network where "${host}" is known`,
    });
  }
}

/** Opens a TCP connection; throws LayerFailure `tcp`. The caller destroys the socket. */
export async function dial(address: Address, signal: AbortSignal): Promise<Socket> {
  const socket = tcpConnect({ host: address.host, port: address.port });
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw new LayerFailure("tcp", {
      cause: signal.aborted ? new Error("no answer to the connection request") : error,
      hint: "check that the server runs, listens on this port, and that no firewall or network policy is in between",
    });
  }
}

const CERTIFICATE_CODES = [
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "CERT_REVOKED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
];

/** What a TLS error means; undefined where it is none. Waiting mends none of these. */
export function tlsHint(error: unknown, caVariable: string, certVariable: string): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "";
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return "renew the server's certificate, or set this machine's clock";
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "use a host name that is in the server's certificate, or have the certificate made for this one";
  }
  if (CERTIFICATE_CODES.includes(code))
    return `set ${caVariable} to the CA certificate that signed the server's`;
  if (/^ERR_SSL_.*(ALERT|CERTIFICATE)/.test(code)) {
    return `the server turned the handshake down: if it asks for a client certificate, set ${certVariable}`;
  }
  if (/^ERR_(SSL|OSSL)_/.test(code))
    return `check the certificate files (${caVariable}) and the TLS versions of both sides`;
  return undefined;
}
