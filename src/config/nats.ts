import type { Reader } from "./env.ts";

export interface NatsServer {
  host: string;
  port: number;
  /** From `tls://`, or NATS_TLS_ENABLED. */
  tls: boolean;
  /** Credentials that stood in the URL: they win over the variables, for this server. */
  auth: NatsAuth | undefined;
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
  };
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    reader.problems.push("NATS_TLS_CERT_FILE and NATS_TLS_KEY_FILE: give both or none");
  }
  const replicas = reader.parse("NATS_REPLICAS", (v) => v.asIntPositive()) ?? 1;
  if (replicas < 1 || replicas > 5) reader.problems.push("NATS_REPLICAS: should be 1 to 5");
  return {
    servers: readServers(reader, reader.flag("NATS_TLS_ENABLED")),
    auth: readAuth(reader),
    tls,
    bucket: reader.check(
      "NATS_NAMESPACE",
      (v) => /^[A-Za-z0-9_-]+$/.test(v),
      "a bucket's name has letters, digits, - and _ only",
    ) as string,
    replicas,
  };
}

function readServers(reader: Reader, tlsEnabled: boolean): NatsServer[] {
  const text = reader.text("NATS_SERVERS");
  if (text === undefined) {
    reader.problems.push("NATS_SERVERS: not set");
    return [];
  }
  const servers: NatsServer[] = [];
  for (const [index, part] of text.split(",").entries()) {
    const server = readServer(part.trim(), tlsEnabled, reader.secrets);
    if (server) servers.push(server);
    else {
      reader.problems.push(
        `NATS_SERVERS: entry ${index + 1} should look like nats://host:4222, tls://user:password@host:4222 or host:4222, ` +
          "special characters percent-encoded",
      );
    }
  }
  return servers;
}

function readServer(text: string, tlsEnabled: boolean, secrets: string[]): NatsServer | undefined {
  const url = URL.parse(text.includes("://") ? text : `nats://${text}`);
  if (!url || !["nats:", "tls:"].includes(url.protocol) || url.hostname === "") return undefined;
  if (!["", "/"].includes(url.pathname) || url.search !== "" || url.hash !== "") return undefined;
  try {
    return {
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? 4222 : Number(url.port),
      tls: tlsEnabled || url.protocol === "tls:",
      auth: urlAuth(url, secrets),
    };
  } catch {
    return undefined; // a percent sign that encodes nothing
  }
}

/** `user:password@`, or `token@` as the NATS clients read it. */
function urlAuth(url: URL, secrets: string[]): NatsAuth | undefined {
  const user = decodeURIComponent(url.username);
  if (user === "") return undefined;
  const password = decodeURIComponent(url.password);
  if (password === "") {
    secrets.push(user);
    return { kind: "token", token: user };
  }
  secrets.push(password);
  return { kind: "password", user, password };
}

function readAuth(reader: Reader): NatsAuth | undefined {
  const user = reader.text("NATS_USER");
  const password = reader.text("NATS_PASSWORD");
  const token = reader.text("NATS_TOKEN");
  const creds = reader.file("NATS_CREDS_FILE");
  const seed = reader.file("NATS_NKEY_SEED_FILE");
  reader.secrets.push(...secretLines(creds), ...secretLines(seed));
  if (password !== undefined && user === undefined)
    reader.problems.push("NATS_PASSWORD is set, NATS_USER is not");
  const given: [string, NatsAuth | false | undefined][] = [
    ["NATS_CREDS_FILE", creds && { kind: "creds", file: creds }],
    ["NATS_NKEY_SEED_FILE", seed && { kind: "nkey", seed }],
    ["NATS_TOKEN", token !== undefined && { kind: "token", token }],
    ["NATS_USER", user !== undefined && { kind: "password", user, password }],
  ];
  const set = given.filter((entry): entry is [string, NatsAuth] => Boolean(entry[1]));
  if (set.length > 1)
    reader.problems.push(`${set.map(([name]) => name).join(" and ")} are both set: give one of them`);
  return set[0]?.[1];
}

/** The lines of a credentials file that are worth hiding: seeds and tokens, not the banners around them. */
function secretLines(file: Buffer | undefined): string[] {
  const lines = file?.toString("utf8").split(/\r?\n/) ?? [];
  return lines
    .map((line) => line.trim())
    .filter((line) => line.length >= 16 && !line.includes("-----") && !line.includes(" "));
}
