import type { Socket } from "node:net";
import type { DbConfig, DbServer } from "../config/db-settings.ts";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { Params } from "../messages/catalog.ts";
import {
  type Database,
  DatabaseLostError,
  openDatabase,
  TableChangedError,
  tlsOptions,
  wantsTls,
} from "../postgres/database.ts";
import { missingGrants, missingPolicy } from "../postgres/privileges.ts";
import { quote, readFacts, shapeOf, TABLE, type TableShape } from "../postgres/table.ts";
import { dial, firstWords, handshake, type Line, lineTo, readUntil, tlsFailure } from "./endpoint.ts";
import {
  type Attempt,
  type Endpoint,
  type Layer,
  LayerFailure,
  POSTGRES_LAYERS,
  type Probe,
  words,
} from "./probe.ts";

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

/** Who logs in, and where to. */
export interface Login {
  user: string;
  database: string;
  password: string | undefined;
}

/** What Postgres, or a pooler before it, said in an ErrorResponse. */
export interface ServerError {
  /** SQLSTATE. */
  code: string;
  message: string;
}

/** Asks for TLS (PostgreSQL: "SSL Session Encryption"). True: go on with the handshake; false: there is none here. */
export async function asksForTls(socket: Socket, signal: AbortSignal): Promise<boolean | Buffer> {
  const request = Buffer.alloc(8);
  request.writeInt32BE(8, 0);
  request.writeInt32BE(80_877_103, 4);
  socket.write(request);
  const answer = await readUntil(socket, (data) => data.length > 0, signal);
  if (answer.length === 1 && answer[0] === 0x53) return true; // S
  return answer.length === 1 && answer[0] === 0x4e ? false : answer; // N
}

interface Listener {
  /** Called for each whole message. */
  answered: () => void;
  /** Called when the server has accepted the login; what follows is about the database. */
  accepted: () => void;
  /** Called once, with a LayerFailure, where pg would not understand what the server says. */
  failed: (failure: unknown) => void;
}

/**
 * Listens to the answers to a login that pg makes on this socket: which product answers, and how it wants the login. Returns what
 * ends the listening.
 */
export function listenToLogin(line: Line, socket: Socket, login: Login, listener: Listener): () => void {
  let heard: Buffer = Buffer.alloc(0);
  let judged = false;
  const judgeOnce = (answer: Buffer) => {
    judged = true;
    try {
      judge(line, answer, login);
    } catch (error) {
      // What Postgres says in an ErrorResponse, pg understands.
      if (!(error instanceof LayerFailure)) return;
      listener.failed(error);
      socket.destroy();
    }
  };
  const onData = (piece: Buffer) => {
    heard = Buffer.concat([heard, piece]);
    if (!judged && isWhole(heard)) judgeOnce(heard);
    for (let end = endOfMessage(heard); end !== undefined && end <= heard.length; end = endOfMessage(heard)) {
      if (isAuthenticationOk(heard)) listener.accepted();
      heard = heard.subarray(end);
      listener.answered();
    }
  };
  // A stranger that hangs up: what it has said tells who it is.
  const onEnd = () => {
    if (!judged && heard.length > 0 && !isMessage(heard)) judgeOnce(heard);
  };
  socket.on("data", onData).on("end", onEnd).on("close", onEnd);
  return () => socket.off("data", onData).off("end", onEnd).off("close", onEnd);
}

/** Where the first message ends; undefined: its length has not come yet. */
function endOfMessage(data: Buffer): number | undefined {
  return data.length < 5 ? undefined : 1 + Math.max(4, data.readInt32BE(1));
}

function isAuthenticationOk(message: Buffer): boolean {
  return message[0] === 0x52 && message.readInt32BE(1) === 8 && message.readInt32BE(5) === 0;
}

/** Types of the messages that may come first: AuthenticationX, ErrorResponse, NegotiateProtocolVersion, NoticeResponse. */
const FIRST = "REvN";

/** Whether the data begin with a whole message that decides, or with what no Postgres says. */
function isWhole(data: Buffer): boolean {
  if (data.length === 0) return false;
  if (!isMessage(data)) return data.length >= 5;
  return data.length >= 5 && data.length > data.readInt32BE(1);
}

function isMessage(data: Buffer): boolean {
  if (!FIRST.includes(String.fromCharCode(data[0] ?? 0))) return false;
  return data.length < 5 || (data.readInt32BE(1) >= 4 && data.readInt32BE(1) < 30_000);
}

/** Judges a first answer; throws where the login cannot go on. */
export function judge(line: Line, answer: Buffer, login: Login): void {
  const { where } = line;
  const fail = (failure: LayerFailure) => {
    throw failure;
  };
  if (!isMessage(answer)) {
    const product = productOf(answer);
    if (product) fail(LayerFailure.of("login", "postgres.login.product", { where, product }));
    fail(LayerFailure.of("login", "postgres.login.protocol", { where, said: firstWords(answer) }));
  }
  const type = String.fromCharCode(answer[0] as number);
  const end = 1 + answer.readInt32BE(1);
  const body = answer.subarray(5, end);
  if (type === "E") throw serverError(body);
  // What only says something by the way.
  if (type !== "R") {
    if (answer.length > end) judge(line, answer.subarray(end), login);
    return;
  }
  const method = foreignMethod(body);
  if (method) fail(LayerFailure.of("login", "postgres.login.method", { where, method }));
  if (body.readInt32BE(0) !== 0 && login.password === undefined) {
    fail(LayerFailure.of("login", "postgres.login.no-password", { where, user: login.user }));
  }
}

/** MySQL and MariaDB speak first: length, sequence 0, protocol 10 and the version, or 255 and an error (MySQL: "Protocol::Handshake"). */
function productOf(data: Buffer): string | undefined {
  if (data.length < 5 || data[3] !== 0 || (data[4] !== 10 && data[4] !== 255)) return undefined;
  const version = data[4] === 10 ? firstWords(data.subarray(5, Math.max(5, data.indexOf(0, 5)))) : "";
  return `${/mariadb/i.test(version) ? "MariaDB" : "MySQL"}${version && ` ${version}`}`;
}

/** Authentication requests that PostgreSQL's clients answer in other ways (PostgreSQL: "Message Formats", Authentication…). */
const METHODS: Record<number, string> = {
  2: "Kerberos V5",
  7: "GSSAPI",
  9: "SSPI",
  11: "openGauss' MD5 with SHA-256 (authentication request 11)",
  13: "openGauss' SM3 (authentication request 13)",
};

/** The name of a login method that pg does not know; undefined: it does. */
function foreignMethod(body: Buffer): string | undefined {
  const request = body.readInt32BE(0);
  if ([0, 3, 5].includes(request)) return undefined;
  if (request !== 10) return METHODS[request] ?? `authentication request ${request}`;
  const mechanisms = body.subarray(4).toString("latin1").split("\0").filter(Boolean);
  if (mechanisms.includes("SCRAM-SHA-256")) return undefined;
  // openGauss uses the number of SASL for its own: a method's number, a salt and a token instead of names.
  const named = mechanisms.length > 0 && mechanisms.every((name) => /^[A-Z][A-Z0-9-]{2,}$/.test(name));
  return named ? mechanisms.join(", ") : "openGauss' and GaussDB's SHA256 (authentication request 10)";
}

/** ErrorResponse: fields of one byte and a text. */
function serverError(body: Buffer): ServerError {
  const fields = new Map(
    body
      .toString("utf8")
      .split("\0")
      .map((field) => [field.slice(0, 1), field.slice(1)]),
  );
  return { code: fields.get("C") ?? "", message: fields.get("M") ?? firstWords(body) };
}

/**
 * What a login that failed means: an ErrorResponse of Postgres or of a pooler, or pg's own words.
 * SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
export function loginFailure(line: Line, config: DbConfig, error: unknown): LayerFailure {
  const { where } = line;
  const { database, user } = config;
  const { code = "", message = "" } = error as { code?: string; message?: string };
  const said = error instanceof Error ? words(error) : message;
  const login = <Id extends "password" | "refused" | "starting" | "connections" | "failed">(
    id: Id,
    params: Params<`postgres.login.${Id}`>,
  ) => LayerFailure.of("login", `postgres.login.${id}`, params, error);

  const tls = config.ssl.mode === "disable" ? undefined : tlsFailure(line, error);
  if (tls) return tls;
  if (code === "3D000" || /^no such database/.test(message)) {
    return LayerFailure.of("database", "postgres.database.missing", { where, said, database }, error);
  }
  if (code === "42501") {
    return LayerFailure.of("database", "postgres.database.denied", { where, said, database, user }, error);
  }
  if (/unsupported startup parameter/.test(message)) {
    return LayerFailure.of("login", "postgres.pooler.parameter", { where, said }, error);
  }
  // pgbouncer has one code for all that it refuses.
  if (
    code === "28P01" ||
    /password authentication failed|SASL authentication failed|no such user/.test(message)
  ) {
    return login("password", { where, said, user });
  }
  if (code === "28000") return login("refused", { where, said });
  if (code === "57P03") return login("starting", { where, said });
  if (code === "53300" || /no more connections allowed/.test(message))
    return login("connections", { where, said });
  return login("failed", { where, said });
}

/** Reads what the table looks like and what may be done with it. Throws LayerFailure `table`, `privileges` or `login`. */
export async function inspect(
  line: Line,
  db: Database,
  config: DbConfig,
  writes: boolean,
): Promise<{ db: Database; shape: TableShape; version: string }> {
  const { where } = line;
  const { schema, user, database } = config;
  try {
    const facts = await readFacts(db, schema);
    if (!facts.found) {
      const table = `${schema}.${TABLE}`;
      throw LayerFailure.of("table", "postgres.table.missing", { where, table, database });
    }
    if (!facts.mayRead) {
      // Without SELECT the catalog shows this user only a part of the table.
      const table = `${quote(schema)}.${quote(TABLE)}`;
      const grants = [`GRANT SELECT ON ${table} TO ${quote(facts.user)}`];
      throw LayerFailure.of("privileges", "postgres.privileges", { where, user, grants });
    }
    const use = { writes, deletes: config.deletesRows };
    const shape = shapeOf(facts, schema, config.rowDefaults);
    if (writes && shape.refusal) throw shape.refusal;
    const grants = missingGrants(facts, { schema, shape, use });
    if (grants.length > 0) {
      throw LayerFailure.of("privileges", "postgres.privileges", { where, user, grants });
    }
    const policy = missingPolicy(facts, shape, use);
    if (policy) {
      const { table } = shape;
      throw LayerFailure.of("privileges", "postgres.row-security", { where, user, table, policy });
    }
    if ((writes || config.writable) && facts.readOnly) {
      throw LayerFailure.of("privileges", "postgres.read-only", { where });
    }
    return { db, shape, version: facts.version };
  } catch (error) {
    throw inspectFailure(line, config, error);
  }
}

function inspectFailure({ where }: Line, { schema, user }: DbConfig, error: unknown): unknown {
  const said = words(error);
  if (error instanceof DatabaseLostError) {
    return LayerFailure.of("login", "postgres.lost", { where, said }, error);
  }
  if (error instanceof TableChangedError) {
    return LayerFailure.of("table", "postgres.table.changing", { where, said }, error);
  }
  if (!(error instanceof JobError)) return error;
  // The registry's own verdicts: an unknown shape (78), a server that is busy (69), and a schema that may not be used.
  if (error.code === EXIT.denied) {
    const params = { where, said: words(error.cause ?? error), schema: quote(schema), user: quote(user) };
    return LayerFailure.of("privileges", "postgres.schema.denied", params, error);
  }
  return LayerFailure.from((error.layer ?? "table") as Layer, error, `Postgres at ${where}`);
}
