import type { Reader } from "./env.ts";

export interface NatsServer {
  host: string;
  port: number;
  /** From `tls://`, or NATS_TLS_ENABLED. */
  tls: boolean;
  /** The URL's credentials: for this server they win over the variables. */
  auth: NatsAuth | undefined;
  /** The same credentials without percent-decoding, if they differ: nats.py reads them so. */
  literalAuth?: NatsAuth | undefined;
}

export type NatsAuth =
  | { kind: "password"; user: string; password: string | undefined }
  | { kind: "token"; token: string }
  | { kind: "creds"; file: Buffer }
  | { kind: "nkey"; seed: Buffer };

export interface NatsConfig {
  servers: readonly NatsServer[];
  auth: NatsAuth | undefined;
  tls: {
    ca: Buffer | undefined;
    cert: Buffer | undefined;
    key: Buffer | undefined;
    /** The name to expect in the certificate, instead of the host's. */
    hostname: string | undefined;
    insecure: boolean;
    /** The server waits for the handshake before it says a word (nats-server 2.10: `handshake_first`). */
    handshakeFirst: boolean;
  };
  bucket: string;
  replicas: number;
}

/** Reads NATS_*; see SPEC §2. */
export function readNats(reader: Reader): NatsConfig {
  const tls = {
    ca: reader.file("NATS_TLS_CA_FILE"),
    cert: reader.file("NATS_TLS_CERT_FILE"),
    key: reader.file("NATS_TLS_KEY_FILE"),
    hostname: reader.text("NATS_TLS_HOSTNAME"),
    insecure: reader.flag("NATS_TLS_INSECURE"),
    handshakeFirst: reader.flag("NATS_TLS_HANDSHAKE_FIRST"),
  };
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    reader.addProblem("config.pair", { names: ["NATS_TLS_CERT_FILE", "NATS_TLS_KEY_FILE"] });
  }
  const bucket = reader.text("NATS_NAMESPACE") as string;
  if (!/^[A-Za-z0-9_-]+$/.test(bucket)) reader.addProblem("config.bucket-name", { name: "NATS_NAMESPACE" });
  const enabled = reader.flag("NATS_TLS_ENABLED");
  return {
    // A handshake that comes first is one.
    servers: readServers(reader, enabled || tls.handshakeFirst),
    auth: readAuth(reader),
    tls,
    bucket,
    replicas: reader.integer("NATS_REPLICAS", 1, 5),
  };
}

/** Separators that are not a comma, by mistake. */
const SEPARATOR = /[，、；;。　]/u;

function readServers(reader: Reader, tlsEnabled: boolean): NatsServer[] {
  const text = reader.text("NATS_SERVERS");
  if (text === undefined) {
    reader.addProblem("config.missing", { name: "NATS_SERVERS" });
    return [];
  }
  const servers: NatsServer[] = [];
  for (const [index, part] of text.split(",").entries()) {
    const server = readServer(part.trim(), tlsEnabled, reader.secrets);
    const separator = SEPARATOR.exec(part)?.[0];
    if (server) servers.push(server);
    else if (separator !== undefined) reader.addProblem("config.separator", { character: separator });
    else reader.addProblem("config.url.nats", { entry: index + 1 });
  }
  return servers;
}

function readServer(text: string, tlsEnabled: boolean, secrets: string[]): NatsServer | undefined {
  // the login is parsed here: URL would encode it, and hide how it was written
  const parts = /^(?:(nats|tls):\/\/)?(?:([^/?#]*)@)?([^@/?#]+)\/?$/i.exec(text);
  const url = parts && !SEPARATOR.test(parts[3] ?? "") && URL.parse(`nats://${parts[3]}`);
  if (!url || url.hostname === "") return undefined;
  const literal = parts[2] === undefined ? undefined : loginOf(parts[2], (part) => part);
  const auth = parts[2] === undefined ? undefined : loginOf(parts[2], decoded);
  for (const login of [literal, auth]) secrets.push(...secretsOf(login));
  const differs = JSON.stringify(literal) !== JSON.stringify(auth);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 4222 : Number(url.port),
    tls: tlsEnabled || parts[1]?.toLowerCase() === "tls",
    auth,
    ...(differs && { literalAuth: literal }),
  };
}

/** `user:password`, or `token` as the NATS clients read it. */
function loginOf(login: string, read: (part: string) => string): NatsAuth | undefined {
  const [user = "", ...rest] = login.split(":");
  const password = rest.join(":");
  if (user === "") return undefined;
  if (password === "") return { kind: "token", token: read(user) };
  return { kind: "password", user: read(user), password: read(password) };
}

function secretsOf(login: NatsAuth | undefined): string[] {
  if (login?.kind === "token") return [login.token];
  return login?.kind === "password" && login.password !== undefined ? [login.password] : [];
}

/** A percent sign that encodes nothing stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function readAuth(reader: Reader): NatsAuth | undefined {
  const user = reader.text("NATS_USER");
  const password = reader.text("NATS_PASSWORD");
  const token = reader.text("NATS_TOKEN");
  const creds = reader.file("NATS_CREDS_FILE");
  const seed = reader.file("NATS_NKEY_SEED_FILE");
  reader.secrets.push(...secretLines(creds), ...secretLines(seed));
  if (password !== undefined && user === undefined) {
    reader.addProblem("config.pair", { names: ["NATS_USER", "NATS_PASSWORD"] });
  }
  const given: [string, NatsAuth | false | undefined][] = [
    ["NATS_CREDS_FILE", creds && { kind: "creds", file: creds }],
    ["NATS_NKEY_SEED_FILE", seed && { kind: "nkey", seed }],
    ["NATS_TOKEN", token !== undefined && { kind: "token", token }],
    ["NATS_USER", user !== undefined && { kind: "password", user, password }],
  ];
  const set = given.filter((entry): entry is [string, NatsAuth] => Boolean(entry[1]));
  if (set.length > 1) reader.addProblem("config.both", { names: set.map(([name]) => name) });
  return set[0]?.[1];
}

/** The lines of a credentials file that are worth hiding: seeds and tokens, not the banners around them. */
function secretLines(file: Buffer | undefined): string[] {
  const lines = file?.toString("utf8").split(/\r?\n/) ?? [];
  return lines
    .map((line) => line.trim())
    .filter((line) => line.length >= 16 && !line.includes("-----") && !line.includes(" "));
}
