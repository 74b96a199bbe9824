import { connect, credsAuthenticator, type NatsConnection, nkeyAuthenticator } from "nats";
import type { NatsAuth, NatsConfig, NatsServer } from "../config/nats.ts";

/**
 * Connects to one server. `timeout` in milliseconds, up to the end of the login. No reconnect: whoever retries does so from a
 * clean start (reconnecting in mid-upload would lose publishes unseen). Throws what nats throws.
 */
export function connectNats(
  server: NatsServer,
  config: NatsConfig,
  timeout: number,
): Promise<NatsConnection> {
  return connect({
    servers: `${server.host.includes(":") ? `[${server.host}]` : server.host}:${server.port}`,
    name: "bklite-package-init",
    timeout,
    reconnect: false,
    maxReconnectAttempts: 1,
    ignoreClusterUpdates: true,
    noAsyncTraces: true,
    // The library resolves by itself otherwise, and then TLS does not know the name.
    resolve: false,
    ...authOptions(server.auth ?? config.auth),
    // null, not undefined: with undefined the library turns to TLS as soon as the server offers it (allow_non_tls).
    tls: server.tls ? tlsOptions(server, config) : null,
  });
}

/** node:tls options for a server, also used to find out why a handshake fails. */
export function tlsOptions(server: NatsServer, { tls }: NatsConfig) {
  return {
    host: server.host,
    // An IP address must not be sent as SNI; node compares it with the certificate by `host` then.
    ...nameFor(tls.hostname ?? server.host),
    ...(tls.ca && { ca: tls.ca.toString("utf8") }),
    ...(tls.cert && { cert: tls.cert.toString("utf8"), key: tls.key?.toString("utf8") ?? "" }),
    rejectUnauthorized: !tls.insecure,
    ...(tls.handshakeFirst && { handshakeFirst: true }),
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
