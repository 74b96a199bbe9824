import { ErrorCode, type NatsConnection, NatsError } from "nats";
import type { NatsConfig, NatsServer } from "../config/nats-settings.ts";
import { logInToNats } from "../store/connection.ts";
import type { OpenConnection } from "../store/transport.ts";
import type { Attempt } from "./attempt.ts";
import { LayerFailure, words } from "./layer.ts";
import { type Line, tlsFailure } from "./line.ts";
import { errorIn, plainWords, type Reached, reach, refusal } from "./nats-hello.ts";

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
