import { ErrorCode, type NatsConnection, NatsError } from "nats";
import type { NatsConfig, NatsServer } from "../config/nats.ts";
import { connectNats } from "../store/connection.ts";
import { LayerFailure, words } from "./layer.ts";
import { type Line, tlsFailure } from "./line.ts";
import { refusal } from "./nats-hello.ts";

const REFUSED: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
];
/** The library's own: it reads a seed or a credentials file only now, and one that holds none fails before anything is sent. */
const UNREADABLE: readonly string[] = [ErrorCode.BadAuthentication, ErrorCode.BadCreds];

/** Whether the server, and not the network, turned the login down. */
export function isRefused(error: unknown): boolean {
  return error instanceof NatsError && REFUSED.includes(error.code);
}

/** Logs in with what the URL says percent-decoded, and, where the server refuses that, as it stands: nats.py reads it so. */
export async function login(
  server: NatsServer,
  config: NatsConfig,
  timeout: number,
): Promise<NatsConnection> {
  try {
    return await connectNats(server, config, timeout);
  } catch (error) {
    if (!server.literalAuth || !isRefused(error)) throw error;
    return connectNats({ ...server, auth: server.literalAuth }, config, timeout);
  }
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
  const alert = tlsFailure(line, error) ?? tlsFailure(line, (error as NatsError | undefined)?.chainedError);
  // A handshake has passed just before: what the server said in its place this time was not TLS, but that it is full.
  return alert && alert.reason !== "nats.tls.handshake" ? alert : refusal(line, said);
}
