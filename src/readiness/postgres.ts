import type { Socket } from "node:net";
import type { DbConfig, DbServer } from "../config/db-settings.ts";
import { JobError } from "../errors.ts";
import type { TableShape } from "../postgres/catalog.ts";
import { type Database, openDatabase, tlsOptions, wantsTls } from "../postgres/database.ts";
import type { Attempt, Endpoint } from "./attempt.ts";
import { LayerFailure, POSTGRES_LAYERS } from "./layer.ts";
import { dial, handshake, type Line, lineTo } from "./line.ts";
import { asksForTls, judge, listenToLogin } from "./postgres-hello.ts";
import { loginFailure } from "./postgres-login.ts";
import { inspect } from "./postgres-table.ts";
import type { Probe } from "./probe.ts";

export interface PostgresReady {
  db: Database;
  shape: TableShape;
  /** host:port of the server that was taken. */
  where: string;
  /** server_version, for the report. */
  version: string;
}

/** How to become ready on a usable table. `writes`: whether the command needs INSERT and UPDATE. */
export function postgresProbe(config: DbConfig, writes: boolean): Probe<PostgresReady> {
  const endpoints = config.servers.map((server) => endpointOf(server, config, writes));
  return { service: "postgres", layers: POSTGRES_LAYERS, endpoints };
}

function endpointOf(server: DbServer, config: DbConfig, writes: boolean): Endpoint<PostgresReady> {
  const line = lineTo("postgres", server);
  return {
    where: line.where,
    async connect(attempt) {
      const db = await logIn(line, config, attempt);
      try {
        attempt.enter("table");
        return { ...(await inspect(line, db, config, writes)), where: line.where };
      } catch (error) {
        db.close().catch(() => {});
        throw error;
      }
    },
    close: ({ db }) => void db.close(),
  };
}

/** Connects and logs in. Throws LayerFailure `dns` to `database`. */
export async function logIn(line: Line, config: DbConfig, attempt: LoginAttempt): Promise<Database> {
  const { signal } = attempt;
  const { promise: stranger, reject: failed } = Promise.withResolvers<never>();
  stranger.catch(() => {});
  const listening: (() => void)[] = [];
  const connect = async (heard: () => void) => {
    const answered = () => {
      attempt.answered();
      heard();
    };
    // A second connection only shows whether a pooler shares the session: the first one's layers count.
    const isFirst = listening.length === 0;
    const enter: Attempt["enter"] = isFirst ? attempt.enter : answered;
    const watch: Attempt["watch"] = isFirst ? attempt.watch : () => {};
    const socket = await reach(line, config, { signal, answered, enter, watch });
    enter("login");
    answered();
    const accepted = () => enter("database");
    listening.push(listenToLogin(line, socket, config, { answered, accepted, failed }));
    return socket;
  };
  try {
    const { answered } = attempt;
    return await Promise.race([openDatabase(config, line, { connect, answered }), stranger]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LayerFailure) throw error;
    if (error instanceof JobError) throw LayerFailure.from("login", error, `Postgres at ${line.where}`);
    throw loginFailure(line, config, error);
  } finally {
    for (const stop of listening) stop();
  }
}

type LoginAttempt = Pick<Attempt, "signal" | "enter" | "answered" | "watch">;

/** Goes as far as the login: TCP and TLS. */
async function reach(line: Line, config: DbConfig, attempt: LoginAttempt): Promise<Socket> {
  const { signal } = attempt;
  const socket = await dial(line, attempt);
  if (!wantsTls(config, line)) return socket;
  try {
    attempt.enter("tls");
    const offered = await asksForTls(socket, signal);
    attempt.answered();
    if (offered instanceof Buffer) judge(line, offered, config);
    if (offered !== true) throw LayerFailure.of("tls", "postgres.tls.off", { where: line.where });
    const options = { host: line.host, ...serverName(line.host), ...tlsOptions(config) };
    return await handshake(line, socket, options, attempt);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** An IP address must not be sent as SNI. */
function serverName(host: string): { servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}
