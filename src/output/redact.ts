/**
 * Characters that are invisible or move other text: control characters, format characters (bidirectional ones
 * included), separators of lines and paragraphs, and unpaired surrogates.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** The same without the line feed, which separates the job's own lines. */
const HIDDEN_BUT_LF = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** The colours that the job uses (util.styleText). */
const COLOUR = new RegExp(`(${"\u001b"}\\[[39]\\d?m)`);

const visible = (character: string) => `\\u{${character.codePointAt(0)?.toString(16)}}`;

/**
 * Escapes foreign text (a name, a server's words) for a sentence, cell or bar: one line, `\u{9b}` for U+009B.
 */
export function escapeText(text: string): string {
  return text.replace(HIDDEN, visible);
}

/** Escapes one of the job's own sentences, and keeps its line feeds. */
export function escapeLines(text: string): string {
  return text.replace(HIDDEN_BUT_LF, visible);
}

/** Escapes coloured lines for a screen. */
export function escapePainted(text: string): string {
  return text
    .split(COLOUR)
    .map((part, index) => (index % 2 === 1 ? part : escapeLines(part)))
    .join("");
}

/**
 * Escapes a JSON text with JSON's own escapes, so that a parser reads the same values. Line feeds occur only
 * between values.
 */
export function escapeJson(json: string): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return json.replace(HIDDEN_BUT_LF, (character) => character.split("").map(escaped).join(""));
}

/** Escapes every string in `value`, such as the parameters of a sentence. */
export function escapeDeep<T>(value: T): T {
  return mapStrings(value, escapeText) as T;
}

/**
 * Applies `change` to every string in `value`; copies arrays and plain objects, and passes on everything
 * else.
 */
export function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, change)]));
  }
  return value;
}

/** Replaces every secret in a text. */
export type Redact = (text: string) => string;

const MARK = "[redacted]";

/**
 * User information of a URL, after its scheme. It begins at `://` and ends before the next slash, so that no
 * text is read twice.
 */
const USER_INFORMATION = /(?<=[a-z\d+.-]:\/\/)[^\s/?#"']*@/gi;
/** The placeholder in remedies that show how a URL with credentials is written; it is no secret. */
const EXAMPLE = "USER:PASSWORD@";

/** Node's addition to a certificate error: its flags are not among an operator's settings. */
const ADVICE = /;? ?\(?(?:if the root CA is installed locally, )?try running Node\.js with +--[\w-]+\)?/g;

/** Characters of one string; longer strings are cut. */
const LONGEST = 8192;

/**
 * Returns the function that redacts every text on its way out: log lines, report, termination message.
 *
 * `secrets` are passwords, tokens, keys and the lines of secret files, in the clear. The function finds each
 * of them unchanged, escaped as in the job's own sentences, percent-encoded (inside URLs), quoted as in SQL,
 * escaped as in JSON, and in base64 (a driver that prints its own handshake). It keeps a secret that is also
 * a public value of the configuration (a password `bklite` beside a database `bklite`): the two cannot be
 * distinguished. It removes the user information of every URL.
 */
export function createRedact(secrets: readonly string[], publicValues: readonly string[] = []): Redact {
  const forms = secrets
    .filter((secret) => secret !== "" && !publicValues.includes(secret))
    .flatMap((secret) => [
      secret,
      escapeText(secret),
      ...percentEncoded(secret.toWellFormed()),
      secret.replaceAll("'", "''"),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString("base64"),
    ]);
  const longestFirst = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return (text) => {
    let out = text.includes("://")
      ? text.replace(USER_INFORMATION, (all) => (all === EXAMPLE ? all : `${MARK}@`))
      : text;
    for (const form of longestFirst) {
      if (out.includes(form)) out = out.replaceAll(form, MARK);
    }
    return out;
  };
}

/** Returns a text as JavaScript and other languages encode it in a URL, in upper and lower case. */
function percentEncoded(text: string): string[] {
  const encoded = encodeURIComponent(text);
  const strict = encoded.replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  return [encoded, strict].flatMap((one) => [one, one.replace(/%../g, (code) => code.toLowerCase())]);
}

/**
 * Prepares every string in `value` for output: removes secrets and Node's advice, then cuts a string that is
 * too long.
 */
export function redactDeep<T>(value: T, redact: Redact): T {
  const said = (text: string) => (text.includes("try running") ? text.replace(ADVICE, "") : text);
  return mapStrings(value, (text) => cut(said(redact(text)))) as T;
}

/**
 * Returns beginning and end of a text that is too long, as the end of a message is its remedy. Never splits a
 * character.
 */
function cut(text: string): string {
  if (text.length <= LONGEST) return text;
  const tail = LONGEST / 4;
  const head = text.slice(0, LONGEST - tail).replace(/[\ud800-\udbff]$/, "");
  return `${head}…${text.slice(-tail).replace(/^[\udc00-\udfff]/, "")}`;
}
