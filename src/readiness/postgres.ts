import type { DbConfig } from "../config/db.ts";
import type { DbServer } from "../config/hosts.ts";
import { JobError } from "../errors.ts";
import type { TableShape } from "../registry/catalog.ts";
import { type Database, openDatabase, tlsOptions, wantsTls } from "../registry/database.ts";

import type { Climb } from "./climb.ts";
import { LayerFailure, POSTGRES_LAYERS, silent } from "./layer.ts";
import { dial, handshake, type Line, lineTo, resolveHost } from "./line.ts";
import { asksForTls, hello, judge } from "./postgres-hello.ts";
import { loginFailure } from "./postgres-login.ts";
import { inspect } from "./postgres-table.ts";
import type { Step, Way } from "./race.ts";

export interface PostgresReady {
  db: Database;
  shape: TableShape;
  /** host:port of the server that was taken. */
  where: string;
  /** server_version, for the report. */
  version: string;
}

/** The way up to a usable table. `writes`: whether the command needs INSERT and UPDATE. */
export function postgresClimb(config: DbConfig, writes: boolean): Climb<PostgresReady> {
  const ways = config.servers.map((server) => wayTo(server, config, writes));
  return { service: "postgres", layers: POSTGRES_LAYERS, ways };
}

function wayTo(server: DbServer, config: DbConfig, writes: boolean): Way<PostgresReady> {
  const line = lineTo("postgres", server);
  return {
    climb: (step) => up(line, config, writes, step),
    stuck: (layer, seconds) => silent("postgres", line.where, layer, seconds),
    close: ({ db }) => void db.close(),
  };
}

async function up(line: Line, config: DbConfig, writes: boolean, step: Step): Promise<PostgresReady> {
  const { signal, trying } = step;
  trying("dns");
  await resolveHost(line, signal);
  trying("tcp");
  await knock(line, config, step);
  trying("login");
  // pg's own limit, for its socket's sake: the attempt's comes first.
  const db = await openDatabase(config, line, 5000).catch((error) => {
    if (error instanceof JobError) throw LayerFailure.from("login", error, `Postgres at ${line.where}`);
    throw loginFailure(line, config, error);
  });
  const close = () => void db.close();
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  try {
    trying("table");
    return { ...(await inspect(line, db, config, writes)), where: line.where };
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/**
 * A connection that goes as far as the server's first answer to a login. pg does all that in one step: what it trips over, and what
 * another product says, is only seen here.
 */
async function knock(line: Line, config: DbConfig, { signal, trying }: Step): Promise<void> {
  const socket = await dial(line, signal);
  socket.on("error", () => {}); // whoever reads from it hears of it
  try {
    if (!wantsTls(config, line)) {
      trying("login");
      await hello(line, socket, config, signal);
      return;
    }
    trying("tls");
    const offered = await asksForTls(socket, signal);
    if (offered instanceof Buffer) judge(line, offered, config);
    if (offered !== true) throw LayerFailure.of("tls", "postgres.tls.off", { where: line.where });
    const options = { host: line.host, ...serverName(line.host), ...tlsOptions(config) };
    const secure = await handshake(line, socket, options, signal);
    secure.on("error", () => {});
    trying("login");
    await hello(line, secure, config, signal);
    secure.destroy();
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof LayerFailure ? error : loginFailure(line, config, error);
  } finally {
    socket.destroy();
  }
}

/** An IP address must not be sent as SNI. */
function serverName(host: string): { servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}
