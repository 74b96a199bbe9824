import type { Socket } from "node:net";
import { LayerFailure } from "./layer.ts";
import { firstWords, type Line, readUntil } from "./line.ts";

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
