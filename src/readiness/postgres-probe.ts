import type { Socket } from "node:net";
import { type DbConfig, isSocketFolder } from "../config/db-settings.ts";
import { JobError } from "../errors.ts";
import { type Database, openDatabase, tlsOptions } from "../postgres/database.ts";
import {
  changesRows,
  missingGrants,
  missingPolicy,
  qualified,
  quote,
  readFacts,
  shapeOf,
  TABLE,
  type TableShape,
  type TableUse,
} from "../postgres/table.ts";
import {
  type Attempt,
  causeOf,
  dial,
  type Endpoint,
  endpointOf,
  excerpt,
  layerError,
  readUntil,
  startTls,
  tlsFailure,
} from "./endpoint.ts";
import type { Probe } from "./probe.ts";

export interface PostgresReady {
  db: Database;
  shape: TableShape;
  /** Of the server that answered, with `where` for both in one. */
  host: string;
  port: number;
  where: string;
  /** server_version, for the report. */
  version: string;
}

/** Returns how to become ready on a usable table, for each server; `use` needs privileges. */
export function postgresProbes(config: DbConfig, use: TableUse): Probe<PostgresReady>[] {
  return config.servers.map((server) => {
    const endpoint = endpointOf("postgres", server);
    const { host, port, where } = endpoint;
    return {
      endpoint,
      async connect(attempt) {
        const db = await logIn(endpoint, config, attempt);
        try {
          attempt.enter("table");
          return { db, ...(await checkTable(db, config, where, use)), host, port, where };
        } catch (error) {
          db.close().catch(() => {});
          throw checkFailure(config, where, error);
        }
      },
      close: ({ db }) => void db.close(),
    };
  });
}

type LoginAttempt = Pick<Attempt, "signal" | "enter" | "answered" | "watch">;

/** Connects and logs in. Throws JobError of the layers `dns` to `database`. */
export async function logIn(endpoint: Endpoint, config: DbConfig, attempt: LoginAttempt): Promise<Database> {
  const { signal, answered } = attempt;
  let connections = 0;
  const connect = async (onAnswer: () => void) => {
    const bothAnswered = () => {
      answered();
      onAnswer();
    };
    // A second connection only shows whether a pooler shares the session: the layers are those of the first.
    const { enter, watch } = connections === 0 ? attempt : { enter: bothAnswered, watch() {} };
    connections += 1;
    const socket = await reachLogin(endpoint, config, { signal, answered: bothAnswered, enter, watch });
    enter("login");
    bothAnswered();
    observeLogin(socket, (message, isFirst) => {
      if (isAuthenticationOk(message)) enter("database"); // the rest is about the database
      bothAnswered();
      const failure = isFirst ? firstResponseFailure(endpoint, message, config) : undefined;
      if (failure) socket.destroy(failure);
    });
    return socket;
  };
  try {
    return await openDatabase(config, endpoint, { connect, answered });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof JobError)) throw loginFailure(endpoint, config, error);
    throw withPlace(error, "login", endpoint.where);
  }
}

/** Adds layer and place to an error that has its reason already; one of this probe names its place. */
function withPlace(error: JobError, layer: string, where: string): JobError {
  if ("where" in error.params) return error;
  return new JobError(error.reason, error.params, { layer, server: `Postgres at ${where}`, cause: error });
}

/** Goes as far as the login: TCP and TLS. */
async function reachLogin(endpoint: Endpoint, config: DbConfig, attempt: LoginAttempt): Promise<Socket> {
  const socket = await dial(endpoint, attempt);
  const { host, where } = endpoint;
  // As libpq: no TLS on a socket of this machine.
  if (config.ssl.mode === "disable" || isSocketFolder(host)) return socket;
  try {
    attempt.enter("tls");
    const response = await requestTls(socket, attempt.signal);
    attempt.answered();
    if (response === "N") throw layerError("tls", "postgres.tls.off", { where });
    if (response !== "S") {
      const failure = firstResponseFailure(endpoint, response, config);
      throw failure ?? loginFailure(endpoint, config, parseErrorResponse(response));
    }
    // An IP address must not be sent as SNI.
    const servername = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
    return await startTls(endpoint, socket, { host, ...servername, ...tlsOptions(config) }, attempt);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Asks for TLS (PostgreSQL: "SSL Session Encryption"); S: start it, N: there is none, else an error. */
async function requestTls(socket: Socket, signal: AbortSignal): Promise<"S" | "N" | Buffer> {
  const request = Buffer.alloc(8);
  request.writeInt32BE(8, 0);
  request.writeInt32BE(80_877_103, 4);
  socket.write(request);
  const response = await readUntil(
    socket,
    (data) => data.length >= 5 || /^[SN]/.test(data.toString("latin1")),
    signal,
  );
  const letter = response.toString("latin1");
  return letter === "S" || letter === "N" ? letter : response;
}

/**
 * Reads along while pg logs in on the socket, until ReadyForQuery. `onMessage` receives each whole message,
 * or what another product has said so far; `isFirst`: only notices and protocol versions came before.
 */
function observeLogin(socket: Socket, onMessage: (message: Buffer, isFirst: boolean) => void): void {
  let unread: Buffer = Buffer.alloc(0);
  let type = "";
  const isFirst = () => /^[Nv]?$/.test(type);
  const isForeign = () => isFirst() && !isLoginMessage(unread);
  const onData = (piece: Buffer) => {
    unread = Buffer.concat([unread, piece]);
    while (unread.length >= 5 && type !== "Z") {
      const length = isForeign() ? unread.length : messageEnd(unread);
      if (unread.length < length) return;
      const message = unread.subarray(0, length);
      unread = unread.subarray(length);
      onMessage(message, isFirst());
      type = message.toString("latin1", 0, 1);
    }
    if (type === "Z") stop();
  };
  const stop = () => socket.off("data", onData).off("end", onEnd).off("close", onEnd);
  const onEnd = () => {
    stop();
    // another product that hangs up
    if (unread.length > 0 && isForeign()) onMessage(unread, true);
  };
  socket.on("data", onData).on("end", onEnd).on("close", onEnd);
}

/** Returns where the message at the beginning ends: a type of one byte, then its length. */
function messageEnd(data: Buffer): number {
  return 1 + Math.max(4, data.readInt32BE(1));
}

/** AuthenticationX, ErrorResponse, NegotiateProtocolVersion and NoticeResponse may come first. */
const FIRST = "REvN";

/** Returns whether the data begin as a server's response to a login does. */
function isLoginMessage(data: Buffer): boolean {
  if (!FIRST.includes(String.fromCharCode(data[0] ?? 0))) return false;
  return data.length < 5 || (data.readInt32BE(1) >= 4 && data.readInt32BE(1) < 30_000);
}

function isAuthenticationOk(message: Buffer): boolean {
  return message[0] === 0x52 && message.readInt32BE(1) === 8 && message.readInt32BE(5) === 0;
}

/** Returns why a server's first response ends the login; undefined: pg understands it. */
export function firstResponseFailure(
  { where }: Endpoint,
  response: Buffer,
  { password, user }: Pick<DbConfig, "password" | "user">,
): JobError | undefined {
  if (!isLoginMessage(response)) {
    if (isMysql(response)) return layerError("login", "postgres.login.method", { where, method: "MySQL" });
    return layerError("login", "postgres.login.protocol", { where, said: excerpt(response) });
  }
  if (response[0] !== 0x52 || response.length < 9 || response.length < messageEnd(response)) return undefined;
  const method = foreignMethod(response.subarray(5, messageEnd(response)));
  if (method) return layerError("login", "postgres.login.method", { where, method });
  if (isAuthenticationOk(response) || password !== undefined) return undefined;
  return layerError("login", "postgres.login.no-password", { where, user });
}

/** Whether a server speaks first as MySQL and MariaDB do: a length, sequence 0, protocol 10 or an error. */
function isMysql(data: Buffer): boolean {
  return data[3] === 0 && (data[4] === 10 || data[4] === 255);
}

/** Authentication requests that pg does not answer (PostgreSQL: "Message Formats", Authentication…). */
const METHODS: Record<number, string> = { 7: "GSSAPI", 9: "SSPI" };

/** Returns the name of a login method that pg does not know; undefined: it does. */
function foreignMethod(body: Buffer): string | undefined {
  const request = body.readInt32BE(0);
  if ([0, 3, 5].includes(request)) return undefined;
  const mechanisms = request === 10 ? body.toString("latin1", 4).split("\0").filter(Boolean) : [];
  if (mechanisms.includes("SCRAM-SHA-256")) return undefined;
  // openGauss and GaussDB have requests of their own, and use that of SASL with a salt in place of names.
  const isNamed = mechanisms.length > 0 && mechanisms.every((name) => /^[A-Z][A-Z0-9-]{2,}$/.test(name));
  if (isNamed) return mechanisms.join(", ");
  return METHODS[request] ?? `authentication request ${request} (such as openGauss' and GaussDB's own)`;
}

/** Parses an ErrorResponse: fields of one byte and a text. */
function parseErrorResponse(response: Buffer): { code: string; message: string } {
  const body = response.subarray(5, messageEnd(response)).toString("utf8");
  const fields = new Map(body.split("\0").map((field) => [field.slice(0, 1), field.slice(1)]));
  return { code: fields.get("C") ?? "", message: fields.get("M") ?? excerpt(response) };
}

/**
 * Returns what a failed login means: an ErrorResponse of Postgres or of a pooler, or an error of pg's own.
 * SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
export function loginFailure(endpoint: Endpoint, config: DbConfig, error: unknown): JobError {
  const { where } = endpoint;
  const { database, user } = config;
  const { code = "", message = "" } = error as { code?: string; message?: string };
  const said = error instanceof Error ? causeOf(error) : message;
  const tls = config.ssl.mode === "disable" ? undefined : tlsFailure(endpoint, error);
  if (tls) return tls;
  if (code === "3D000" || /^no such database/.test(message))
    return layerError("database", "postgres.database.missing", { where, said, database }, error);
  if (code === "42501")
    return layerError("database", "postgres.database.denied", { where, said, database, user }, error);
  if (/unsupported startup parameter/.test(message))
    return layerError("login", "postgres.pooler.parameter", { where, said }, error);
  // pgbouncer has one code for everything that it rejects.
  if (
    code === "28P01" ||
    /password authentication failed|SASL authentication failed|no such user/.test(message)
  )
    return layerError("login", "postgres.login.password", { where, said, user }, error);
  const isFull = code === "53300" || /no more connections allowed/.test(message);
  const id = isFull ? "connections" : code === "28000" ? "refused" : code === "57P03" ? "starting" : "failed";
  return layerError("login", `postgres.login.${id}`, { where, said }, error);
}

/** Checks that the command can work with the table. Throws layer `table` or `privileges`. */
async function checkTable(
  db: Database,
  config: DbConfig,
  where: string,
  use: TableUse,
): Promise<{ shape: TableShape; version: string }> {
  const { schema, user, database } = config;
  const facts = await readFacts(db, schema);
  if (!facts.found) {
    const table = `${schema}.${TABLE}`;
    throw layerError("table", "postgres.table.missing", { where, table, database });
  }
  const lacking = (grants: string[]) =>
    layerError("privileges", "postgres.privileges", { where, user, grants });
  // Without SELECT the catalog shows this user only a part of the table.
  if (!facts.mayRead) throw lacking([`GRANT SELECT ON ${qualified(schema, TABLE)} TO ${quote(facts.user)}`]);
  const shape = shapeOf(facts, schema, config.rowDefaults);
  if (changesRows(use) && shape.refusal) throw shape.refusal;
  const grants = missingGrants(facts, schema, shape, use);
  if (grants.length > 0) throw lacking(grants);
  const policy = missingPolicy(facts, shape, use);
  if (policy) {
    const { table } = shape;
    throw layerError("privileges", "postgres.row-security", { where, user, table, policy });
  }
  if ((changesRows(use) || config.writable) && facts.readOnly)
    throw layerError("privileges", "postgres.read-only", { where });
  return { shape, version: facts.version };
}

/** Returns what a failed check of the table means. */
function checkFailure({ schema, user }: DbConfig, where: string, error: unknown): unknown {
  if (!(error instanceof JobError)) return error;
  const said = causeOf(error);
  switch (error.reason) {
    case "run.postgres.lost":
      return layerError("login", "postgres.lost", { where, said }, error);
    case "table.changed":
      return layerError("table", "postgres.table.changing", { where, said }, error);
    case "row.denied": {
      // Only USAGE of the schema can be missing here: the catalog told of every other privilege.
      const params = { where, said: causeOf(error.cause), schema: quote(schema), user: quote(user) };
      return layerError("privileges", "postgres.schema.denied", params, error);
    }
    default:
      // A table of an unknown shape (78), a server that is busy (69).
      return withPlace(error, error.layer ?? "table", where);
  }
}
