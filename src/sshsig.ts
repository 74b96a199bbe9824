/** What a signature must be made for: `ssh-keygen -Y sign -n bklite-package`. */
export const NAMESPACE = "bklite-package";

const KEY_TYPE = "ssh-ed25519";
const MAGIC = "SSHSIG";
const BEGIN = "-----BEGIN SSH SIGNATURE-----\n";
const END = "-----END SSH SIGNATURE-----\n";
/** UTF-8's byte order mark, in a text that was decoded as Latin-1. */
const BYTE_ORDER_MARK = /^\xef\xbb\xbf/;
/** Characters of base64 in a line, as ssh-keygen writes them. */
const LINE = 70;
/** A DER header that makes a SubjectPublicKeyInfo of a raw Ed25519 key (RFC 8410). */
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** Loads node:crypto, a tenth of what node loads before the first log line: few runs need it here. */
const loadCrypto = () => process.getBuiltinModule("node:crypto");

/** A public key that may sign packages. */
export interface SigningKey {
  /** 32 bytes. */
  publicKey: Buffer;
  /** As `ssh-keygen -l` prints it: `SHA256:…`. */
  fingerprint: string;
  /** What stands behind the key, else the principal; may be empty. */
  comment: string;
  /** Pattern list of namespaces that the key may sign for; undefined: any. */
  namespaces?: string;
  /** Milliseconds since 1970. */
  validAfter?: number;
  validBefore?: number;
}

/** Why a line of a key file cannot be used. */
type KeyFault = "form" | "type" | "option";

/** A line of a key file that cannot be used: number from 1. */
interface BadKeyLine {
  line: number;
  fault: KeyFault;
  /** The option or the type of key that is not supported; empty where the form is wrong. */
  word: string;
}

/** A detached signature in OpenSSH's format, parsed. */
export interface Signature {
  publicKey: Buffer;
  namespace: string;
  hash: "sha256" | "sha512";
  /** 64 bytes. */
  signature: Buffer;
}

/** What a signature is worth: the key that made it, or why it does not count. */
export type Verdict =
  | { signer: SigningKey }
  /** The list was changed, or the signature is damaged. */
  | { refused: "changed" }
  /** Signed for something else. */
  | { refused: "namespace"; namespace: string }
  /** By a key that is not in the key file. */
  | { refused: "stranger"; fingerprint: string }
  /** The key is in the file, but may not sign this now. */
  | { refused: "expired" | "early" | "forbidden"; fingerprint: string };

/**
 * Returns the keys of a key file, decoded as Latin-1: lines as in `id_ed25519.pub`, or as in
 * `allowed_signers` (ssh-keygen(1), ALLOWED SIGNERS), of which the options `namespaces`, `valid-after` and
 * `valid-before` are obeyed. Any other option, a negated principal, and any key that is not Ed25519 is a bad
 * line: passing it over could accept what ssh-keygen refuses.
 */
export function parseKeys(text: string): { keys: SigningKey[]; bad: BadKeyLine[] } {
  const keys: SigningKey[] = [];
  const bad: BadKeyLine[] = [];
  // a byte order mark must not make a key of a comment
  for (const [index, raw] of text.replace(BYTE_ORDER_MARK, "").split("\n").entries()) {
    const line = raw.replaceAll(/^[ \t]+|\r$/g, "");
    if (line === "" || line.startsWith("#")) continue;
    const key = parseKeyLine(line);
    if ("fault" in key) bad.push({ line: index + 1, ...key });
    else keys.push(key);
  }
  return { keys, bad };
}

function parseKeyLine(line: string): SigningKey | { fault: KeyFault; word: string } {
  const isKey = /^(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp\d+|sk-\S+@openssh\.com)[ \t]/.test(line);
  const entry =
    /^(?:"([^"]+)"|([^\s"#][^\s"]*))[ \t]+(?:([a-zA-Z-]+(?:="[^"\\]*")?(?:,[a-zA-Z-]+(?:="[^"\\]*")?)*)[ \t]+)?(?=[a-z-]*(?:ssh|ecdsa)-)(.+)$/.exec(
      line,
    );
  const [, quoted, plain, options, listed] = entry ?? [];
  const [, type, base64, comment = ""] =
    /^(\S+)[ \t]+(\S+)(?:[ \t]+(.*))?$/.exec((isKey ? line : listed) ?? "") ?? [];
  if (type === undefined || base64 === undefined) return { fault: "form", word: "" };
  if (type !== KEY_TYPE) return { fault: "type", word: type };
  const blob = decodeBase64(base64);
  const publicKey = typedField(blob, 32);
  if (!publicKey) return { fault: "form", word: "" };
  const principals = isKey ? "" : (quoted ?? plain ?? "");
  // whom a signature is by is not asked here, so nobody can be left out
  if (principals.includes("!")) return { fault: "option", word: principals };
  const limits = isKey || options === undefined ? {} : parseOptions(options);
  if ("fault" in limits) return limits;
  return {
    publicKey,
    fingerprint: fingerprintOf(publicKey),
    comment: comment.trim() || principals,
    ...limits,
  };
}

type Limits = Pick<SigningKey, "namespaces" | "validAfter" | "validBefore">;

function parseOptions(text: string): Limits | { fault: KeyFault; word: string } {
  const limits: Limits = {};
  for (const [whole, name = "", value] of text.matchAll(/([a-zA-Z-]+)(?:="([^"]*)")?/g)) {
    const option = name.toLowerCase();
    const time = value === undefined ? undefined : parseTime(value);
    // ssh-keygen refuses an option that is given twice
    if (option === "namespaces" && value && limits.namespaces === undefined) limits.namespaces = value;
    else if (option === "valid-after" && time !== undefined && limits.validAfter === undefined)
      limits.validAfter = time;
    else if (option === "valid-before" && time !== undefined && limits.validBefore === undefined)
      limits.validBefore = time;
    else return { fault: "option", word: whole };
  }
  return limits;
}

/** Parses `YYYYMMDD[HHMM[SS]][Z]`, without Z in the local zone; milliseconds. */
function parseTime(text: string): number | undefined {
  const [, digits = "", zone] = /^(\d{8}|\d{12}|\d{14})(Z?)$/.exec(text) ?? [];
  const iso = digits.padEnd(14, "0").replace(/^(....)(..)(..)(..)(..)(..)$/, "$1-$2-$3T$4:$5:$6");
  const utc = Date.parse(`${iso}Z`);
  // JavaScript reads the 31st of a shorter month as a day of the next one
  if (Number.isNaN(utc) || !new Date(utc).toISOString().startsWith(iso)) return undefined;
  const time = zone ? utc : Date.parse(iso);
  // ssh-keygen rejects times before 1970
  return iso >= "1970" && time > 0 ? time : undefined;
}

/**
 * Parses a detached signature; undefined if one byte is not as ssh-keygen writes it. Its source: OpenSSH's
 * PROTOCOL.sshsig.
 */
export function parseSignature(text: string): Signature | undefined {
  if (!text.startsWith(BEGIN) || !text.endsWith(END) || text.length < BEGIN.length + END.length)
    return undefined;
  const blob = decodeBase64(text.slice(BEGIN.length, -END.length).replaceAll("\n", ""));
  if (!blob || armour(blob) !== text) return undefined;
  const fields = new Fields(blob);
  if (fields.bytes(MAGIC.length)?.toString("latin1") !== MAGIC || fields.number() !== 1) return undefined;
  const publicKey = typedField(fields.string(), 32);
  const namespace = fields.string()?.toString("utf8");
  const reserved = fields.string();
  const hash = fields.string()?.toString("latin1");
  const signature = typedField(fields.string(), 64);
  if (!publicKey || !namespace || reserved?.length !== 0 || !signature || !fields.atEnd) return undefined;
  if (hash !== "sha256" && hash !== "sha512") return undefined;
  return { publicKey, namespace, hash, signature };
}

/** Returns who signed `message`, or why the signature does not count. `now`: milliseconds since 1970. */
export function checkSignature(
  found: Signature,
  message: Buffer,
  keys: readonly SigningKey[],
  now: number,
): Verdict {
  const fingerprint = fingerprintOf(found.publicKey);
  if (found.namespace !== NAMESPACE) return { refused: "namespace", namespace: found.namespace };
  const { hash, createPublicKey, verify } = loadCrypto();
  const digest = hash(found.hash, message, "buffer");
  const signed = Buffer.concat([
    Buffer.from(MAGIC),
    field(Buffer.from(found.namespace)),
    field(Buffer.alloc(0)),
    field(Buffer.from(found.hash)),
    field(digest),
  ]);
  const key = createPublicKey({
    key: Buffer.concat([SPKI, found.publicKey]),
    format: "der",
    type: "spki",
  });
  const known = keys.filter(({ publicKey }) => publicKey.equals(found.publicKey));
  if (known.length === 0) return { refused: "stranger", fingerprint };
  if (!verify(null, signed, key, found.signature)) return { refused: "changed" };
  const allowed = known.filter(({ namespaces }) => matchesPatterns(namespaces ?? "*", NAMESPACE));
  if (allowed.length === 0) return { refused: "forbidden", fingerprint };
  const begun = allowed.filter(({ validAfter = 0 }) => now >= validAfter);
  if (begun.length === 0) return { refused: "early", fingerprint };
  const signer = begun.find(({ validBefore = Number.POSITIVE_INFINITY }) => now <= validBefore);
  return signer ? { signer } : { refused: "expired", fingerprint };
}

/** Returns a key as it is shown to people and in reports: its fingerprint and comment. */
export function shownKey({ fingerprint, comment }: SigningKey): string {
  return comment === "" ? fingerprint : `${fingerprint} ${comment}`;
}

/**
 * Whether a name is on a list of OpenSSH's patterns (ssh_config(5), PATTERNS): `*`, `?`, and `!` before one
 * that must not match.
 */
function matchesPatterns(list: string, name: string): boolean {
  let matched = false;
  for (const pattern of list.split(",")) {
    const negated = pattern.startsWith("!");
    const source = (negated ? pattern.slice(1) : pattern)
      .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    if (!new RegExp(`^${source}$`).test(name)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

/** Returns a key's fingerprint as `ssh-keygen -l` prints it. */
function fingerprintOf(publicKey: Buffer): string {
  const blob = Buffer.concat([field(Buffer.from(KEY_TYPE)), field(publicKey)]);
  return `SHA256:${loadCrypto().hash("sha256", blob, "base64").replaceAll("=", "")}`;
}

function armour(blob: Buffer): string {
  const lines = blob.toString("base64").match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return `${BEGIN}${lines.map((line) => `${line}\n`).join("")}${END}`;
}

/**
 * Decodes base64 in its one canonical form; undefined for any other text, which node would decode as well.
 */
function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return text !== "" && bytes.toString("base64") === text ? bytes : undefined;
}

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Returns the key or signature of `length` bytes that follows its type, if that is all there is. */
function typedField(blob: Buffer | undefined, length: number): Buffer | undefined {
  const fields = blob && new Fields(blob);
  const type = fields?.string()?.toString("latin1");
  const bytes = fields?.string();
  return type === KEY_TYPE && bytes?.length === length && fields?.atEnd ? bytes : undefined;
}

/** Reads SSH's wire format (RFC 4251, section 5). What is missing is undefined. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  bytes(length: number): Buffer | undefined {
    if (this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  number(): number | undefined {
    return this.bytes(4)?.readUInt32BE();
  }

  string(): Buffer | undefined {
    const length = this.number();
    return length === undefined ? undefined : this.bytes(length);
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }
}
