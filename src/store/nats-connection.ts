import type { Socket } from "node:net";
import {
  type ConnectionOptions,
  credsAuthenticator,
  ErrorCode,
  type NatsConnection,
  NatsError,
  nkeyAuthenticator,
} from "nats";
import { NatsConnectionImpl, setTransportFactory } from "nats/lib/nats-base-client/internal_mod.js";
import { NodeTransport } from "nats/lib/src/node_transport.js";
import type { NatsAuth, NatsConfig, NatsServer } from "../config/nats-settings.ts";

export type { NatsConnection } from "nats";

/** A connection to a nats-server that has sent INFO, and is encrypted if TLS is wanted. */
export interface OpenConnection {
  socket: Socket;
  /** What the server has sent so far: INFO, and whatever came with it. */
  received: Buffer;
}

interface Handed extends ConnectionOptions {
  open: OpenConnection;
}

/**
 * The library's transport on a connection that is open already: readiness passes dns, tcp, INFO and TLS one
 * by one, and the library would connect a second time. The library has this seam for its WebSocket and Deno
 * clients.
 */
class HandedTransport extends NodeTransport {
  override async connect(
    _server: { hostname: string; port: number; tlsName: string },
    options: ConnectionOptions,
  ): Promise<void> {
    const { socket, received } = (options as Handed).open;
    this.options = options;
    this.socket = socket;
    this.yields = [received];
    this.connected = true;
    this.setupHandlers();
    this.signal.resolve();
    socket.resume();
  }
}

/**
 * Milliseconds; the longest that a timer can be: readiness watches each answer, and closes the connection.
 */
const NO_LIMIT = 2 ** 31 - 1;

/**
 * Logs in on an open connection. It never reconnects: a retry is a clean start, because a reconnect during an
 * upload would lose publishes unseen. Throws what nats throws; loginFault classifies that.
 */
export function logInToNats(
  server: NatsServer,
  config: NatsConfig,
  open: OpenConnection,
): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new HandedTransport() });
  const options: Handed = {
    open,
    servers: `${server.host.includes(":") ? `[${server.host}]` : server.host}:${server.port}`,
    name: "bklite-package-init",
    timeout: NO_LIMIT,
    reconnect: false,
    maxReconnectAttempts: 1,
    ignoreClusterUpdates: true,
    noAsyncTraces: true,
    resolve: false, // the connection is open
    ...authOptions(server.auth ?? config.auth),
    tls: server.tls ? {} : null,
  };
  return NatsConnectionImpl.connect(options);
}

const REFUSED: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
];
/**
 * The library reads a seed or a credentials file only now, and fails before anything is sent if the file
 * holds none.
 */
const UNREADABLE: readonly string[] = [ErrorCode.BadAuthentication, ErrorCode.BadCreds];

/**
 * Returns whether the server refused the login, or the credentials cannot be read; undefined for any other
 * error.
 */
export function loginFault(error: unknown): "refused" | "credentials" | undefined {
  const { name, code = "" } = (error ?? {}) as NodeJS.ErrnoException;
  if (name === "NKeysError" || UNREADABLE.includes(code)) return "credentials";
  return error instanceof NatsError && REFUSED.includes(code) ? "refused" : undefined;
}

/** node:tls options for a server. */
export function tlsOptions(server: NatsServer, { tls }: NatsConfig) {
  return {
    host: server.host,
    // An IP address must not be sent as SNI; node compares it with the certificate by `host` then.
    ...nameFor(tls.hostname ?? server.host),
    ...(tls.ca && { ca: tls.ca.toString("utf8") }),
    ...(tls.cert && { cert: tls.cert.toString("utf8"), key: tls.key?.toString("utf8") ?? "" }),
    rejectUnauthorized: !tls.insecure,
  };
}

function nameFor(name: string): { servername: string } | Record<string, never> {
  return /^[\d.]+$|:/.test(name) ? { servername: "" } : { servername: name };
}

function authOptions(auth: NatsAuth | undefined) {
  switch (auth?.kind) {
    case "password":
      return { user: auth.user, ...(auth.password !== undefined && { pass: auth.password }) };
    case "token":
      return { token: auth.token };
    case "creds":
      return { authenticator: credsAuthenticator(auth.file) };
    case "nkey":
      return {
        authenticator: nkeyAuthenticator(new TextEncoder().encode(auth.seed.toString("utf8").trim())),
      };
    default:
      return {};
  }
}
