import type { Socket } from "node:net";
import { type ConnectionOptions, credsAuthenticator, type NatsConnection, nkeyAuthenticator } from "nats";
import { NatsConnectionImpl, setTransportFactory } from "nats/lib/nats-base-client/internal_mod.js";
import { NodeTransport } from "nats/lib/src/node_transport.js";
import type { NatsAuth, NatsConfig, NatsServer } from "../config/nats-settings.ts";

/** Milliseconds, as long as a timer can be: readiness watches each answer, and closes the connection. */
const NO_LIMIT = 2 ** 31 - 1;

/**
 * Logs in on an open connection. No reconnect: whoever retries does so from a clean start (reconnecting in
 * mid-upload would lose publishes unseen). Throws what nats throws.
 */
export function logInToNats(
  server: NatsServer,
  config: NatsConfig,
  open: OpenConnection,
): Promise<NatsConnection> {
  return connectOn(open, {
    servers: `${server.host.includes(":") ? `[${server.host}]` : server.host}:${server.port}`,
    name: "bklite-package-init",
    timeout: NO_LIMIT,
    reconnect: false,
    maxReconnectAttempts: 1,
    ignoreClusterUpdates: true,
    noAsyncTraces: true,
    // Resolved already.
    resolve: false,
    ...authOptions(server.auth ?? config.auth),
    tls: server.tls ? {} : null,
  });
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

/** A connection to a nats-server that has said INFO, and, where TLS is wanted, is encrypted. */
export interface OpenConnection {
  socket: Socket;
  /** What the server has said so far: INFO, and whatever came with it. */
  heard: Buffer;
}

interface Handed extends ConnectionOptions {
  open: OpenConnection;
}

/**
 * The library's transport, on a connection that is open already: readiness goes through dns, tcp, INFO and
 * TLS one by one, and the library would connect a second time. It has this seam for its WebSocket and Deno
 * clients.
 */
class HandedTransport extends NodeTransport {
  override async connect(
    _server: { hostname: string; port: number; tlsName: string },
    options: ConnectionOptions,
  ): Promise<void> {
    const { socket, heard } = (options as Handed).open;
    this.options = options;
    this.socket = socket;
    this.yields = [heard];
    this.connected = true;
    this.setupHandlers();
    this.signal.resolve();
    socket.resume();
  }
}

/** The library's connect, on an open connection. Throws what nats throws. */
export function connectOn(open: OpenConnection, options: ConnectionOptions): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new HandedTransport() });
  const handed: Handed = { ...options, open };
  return NatsConnectionImpl.connect(handed);
}
