import type { Socket } from "node:net";
import { type DbConfig, type DbServer, isSocketFolder } from "../config/db-settings.ts";
import { JobError } from "../errors.ts";
import { type Database, openDatabase, tlsOptions } from "../postgres/database.ts";
import {
  changesRows,
  missingGrants,
  missingPolicy,
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

/**
 * Returns how to become ready on a usable table, for each server. `use`: what the command needs privileges
 * for.
 */
export function postgresProbes(config: DbConfig, use: TableUse): Probe<PostgresReady>[] {
  return config.servers.map((server) => probeOf(server, config, use));
}

function probeOf(server: DbServer, config: DbConfig, use: TableUse): Probe<PostgresReady> {
  const endpoint = endpointOf("postgres", server);
  const { host, port, where } = endpoint;
  return {
    endpoint,
    async connect(attempt) {
      const db = await logIn(endpoint, config, attempt);
      try {
        attempt.enter("table");
        const { shape, version } = await checkTable(db, config, where, use);
        return { db, shape, version, host, port, where };
      } catch (error) {
        db.close().catch(() => {});
        throw checkFailure(config, where, error);
      }
    },
    close: ({ db }) => void db.close(),
  };
}

type LoginAttempt = Pick<Attempt, "signal" | "enter" | "answered" | "watch">;

/** Connects and logs in. Throws JobError of the layers `dns` to `database`. */
export async function logIn(endpoint: Endpoint, config: DbConfig, attempt: LoginAttempt): Promise<Database> {
  const { signal, answered } = attempt;
  const { promise: rejected, reject } = Promise.withResolvers<never>();
  rejected.catch(() => {});
  const observers: (() => void)[] = [];
  const connect = async (onAnswer: () => void) => {
    const bothAnswered = () => {
      answered();
      onAnswer();
    };
    // A second connection only shows whether a pooler shares the session: the layers are those of the first.
    const isFirst = observers.length === 0;
    const enter: Attempt["enter"] = isFirst ? attempt.enter : bothAnswered;
    const watch: Attempt["watch"] = isFirst ? attempt.watch : () => {};
    const socket = await reachLogin(endpoint, config, { signal, answered: bothAnswered, enter, watch });
    enter("login");
    bothAnswered();
    const onFirst = (response: Buffer) => {
      const failure = firstResponseFailure(endpoint, response, config);
      if (!failure) return;
      reject(failure);
      socket.destroy();
    };
    const onMessage = (message: Buffer) => {
      if (isAuthenticationOk(message)) enter("database"); // the rest is about the database
      bothAnswered();
    };
    observers.push(observeLogin(socket, onFirst, onMessage));
    return socket;
  };
  try {
    return await Promise.race([openDatabase(config, endpoint, { connect, answered }), rejected]);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof JobError)) throw loginFailure(endpoint, config, error);
    throw withPlace(error, "login", endpoint.where);
  } finally {
    for (const stop of observers) stop();
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

/**
 * Asks for TLS (PostgreSQL: "SSL Session Encryption"). Returns S (start it), N (there is none), or what else
 * the server says.
 */
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
 * Reads along while pg logs in on the socket. `onFirst` receives the server's first response, as far as it
 * has come, `onMessage` each whole message. Returns what ends the reading.
 */
function observeLogin(
  socket: Socket,
  onFirst: (response: Buffer) => void,
  onMessage: (message: Buffer) => void,
): () => void {
  let unread: Buffer = Buffer.alloc(0);
  let isFirst = true;
  const reportFirst = () => {
    if (isFirst) onFirst(unread);
    isFirst = false;
  };
  const onData = (piece: Buffer) => {
    unread = Buffer.concat([unread, piece]);
    if (unread.length >= 5 && (!isLoginMessage(unread) || unread.length >= messageEnd(unread))) reportFirst();
    while (unread.length >= 5 && unread.length >= messageEnd(unread)) {
      const end = messageEnd(unread);
      onMessage(unread.subarray(0, end));
      unread = unread.subarray(end);
    }
  };
  // Another product that hangs up: what it has said so far identifies it.
  const onEnd = () => {
    if (unread.length > 0 && !isLoginMessage(unread)) reportFirst();
  };
  socket.on("data", onData).on("end", onEnd).on("close", onEnd);
  return () => socket.off("data", onData).off("end", onEnd).off("close", onEnd);
}

/** Returns where the message at the beginning ends: a type of one byte, then its length. */
function messageEnd(data: Buffer): number {
  return 1 + Math.max(4, data.readInt32BE(1));
}

/**
 * Types of the messages that may come first: AuthenticationX, ErrorResponse, NegotiateProtocolVersion,
 * NoticeResponse.
 */
const FIRST = "REvN";

/** Returns whether the data begin as a server's response to a login does. */
function isLoginMessage(data: Buffer): boolean {
  if (!FIRST.includes(String.fromCharCode(data[0] ?? 0))) return false;
  return data.length < 5 || (data.readInt32BE(1) >= 4 && data.readInt32BE(1) < 30_000);
}

function isAuthenticationOk(message: Buffer): boolean {
  return message[0] === 0x52 && message.readInt32BE(1) === 8 && message.readInt32BE(5) === 0;
}

/**
 * Returns why the login cannot go on after a server's first response; undefined: pg understands the response.
 */
export function firstResponseFailure(
  { where }: Endpoint,
  response: Buffer,
  { password, user }: Pick<DbConfig, "password" | "user">,
): JobError | undefined {
  if (!isLoginMessage(response)) {
    const product = productOf(response);
    if (product) return layerError("login", "postgres.login.product", { where, product });
    return layerError("login", "postgres.login.protocol", { where, said: excerpt(response) });
  }
  let request = response;
  // A notice or a protocol version may come before the request.
  while (request.length >= 5 && (request[0] === 0x4e || request[0] === 0x76))
    request = request.subarray(messageEnd(request));
  if (request[0] !== 0x52 || request.length < 5 || request.length < messageEnd(request)) return undefined;
  const body = request.subarray(5, messageEnd(request));
  const method = foreignMethod(body);
  if (method) return layerError("login", "postgres.login.method", { where, method });
  if (body.readInt32BE(0) === 0 || password !== undefined) return undefined;
  return layerError("login", "postgres.login.no-password", { where, user });
}

/**
 * MySQL and MariaDB speak first: length, sequence 0, protocol 10 and the version, or 255 and an error (MySQL:
 * "Protocol::Handshake").
 */
function productOf(data: Buffer): string | undefined {
  if (data.length < 5 || data[3] !== 0 || (data[4] !== 10 && data[4] !== 255)) return undefined;
  const version = data[4] === 10 ? excerpt(data.subarray(5, Math.max(5, data.indexOf(0, 5)))) : "";
  return `${/mariadb/i.test(version) ? "MariaDB" : "MySQL"}${version && ` ${version}`}`;
}

/** Authentication requests that pg does not answer (PostgreSQL: "Message Formats", Authentication…). */
const METHODS: Record<number, string> = {
  2: "Kerberos V5",
  7: "GSSAPI",
  9: "SSPI",
  11: "openGauss' MD5 with SHA-256 (authentication request 11)",
  13: "openGauss' SM3 (authentication request 13)",
};

/** Returns the name of a login method that pg does not know; undefined: it does. */
function foreignMethod(body: Buffer): string | undefined {
  const request = body.readInt32BE(0);
  if ([0, 3, 5].includes(request)) return undefined;
  if (request !== 10) return METHODS[request] ?? `authentication request ${request}`;
  const mechanisms = body.subarray(4).toString("latin1").split("\0").filter(Boolean);
  if (mechanisms.includes("SCRAM-SHA-256")) return undefined;
  // openGauss uses the number of SASL for its own method: a number, a salt and a token instead of names.
  const named = mechanisms.length > 0 && mechanisms.every((name) => /^[A-Z][A-Z0-9-]{2,}$/.test(name));
  return named ? mechanisms.join(", ") : "openGauss' and GaussDB's SHA256 (authentication request 10)";
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

/**
 * Reads what the table looks like, and checks that the command can do its work with it. Throws JobError
 * `table` or `privileges`.
 */
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
  if (!facts.mayRead)
    throw lacking([`GRANT SELECT ON ${quote(schema)}.${quote(TABLE)} TO ${quote(facts.user)}`]);
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
