/**
 * What a reader does not see, and what moves other text about: control characters, format characters (the bidirectional ones among
 * them), separators of lines and paragraphs, and halves of characters.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** The same but the line feed, which parts lines of the job's own. */
const HIDDEN_BUT_LF = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** The colours that the job paints with (util.styleText). */
const COLOUR = new RegExp(`(${"\u001b"}\\[[39]\\d?m)`);

const visible = (character: string) => `\\u{${character.codePointAt(0)?.toString(16)}}`;

/** Escapes text of others (a name, a server's words) as it stands in a sentence, cell or bar: one line, `\u{9b}` for U+009B. */
export function escapeText(text: string): string {
  return text.replace(HIDDEN, visible);
}

/** Escapes a sentence of the job's own, whose line feeds are its own. */
export function escapeLines(text: string): string {
  return text.replace(HIDDEN_BUT_LF, visible);
}

/** Escapes what goes to a screen: painted lines. */
export function escapePainted(text: string): string {
  return text
    .split(COLOUR)
    .map((part, index) => (index % 2 === 1 ? part : escapeLines(part)))
    .join("");
}

/** Escapes a JSON text in JSON's own way: what a parser reads stays the same. Line feeds stand between its values only. */
export function escapeJson(json: string): string {
  return json.replace(HIDDEN_BUT_LF, (character) =>
    Array.from({ length: character.length }, (_, index) => unit(character.charCodeAt(index))).join(""),
  );
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Escapes every string below `value`, such as the parameters of a sentence. */
export function escapeDeep<T>(value: T): T {
  return mapStrings(value, escapeText) as T;
}

/** Applies `change` to every string below `value`; arrays and plain objects are copied, everything else is passed on. */
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

/** User information of a URL, behind its scheme. Begins at `://` and ends before the next slash, so that no text is read twice. */
const USER_INFORMATION = /(?<=[a-z\d+.-]:\/\/)[^\s/?#"']*@/gi;
/** What stands in their place where a remedy shows how a URL is written. */
const EXAMPLE = "USER:PASSWORD@";

/** What Node adds to a certificate's error: its flags are none of an operator's settings. */
const ADVICE = /;? ?\(?(?:if the root CA is installed locally, )?try running Node\.js with +--[\w-]+\)?/gi;

/** Characters of one string: longer ones are not read by anybody. */
const LONGEST = 8192;

/**
 * Makes the function that every text passes on its way out: log lines, report, termination message.
 *
 * `secrets` are passwords, tokens, keys and the lines of secret files, in the clear. Each is looked for as it is, escaped as in this job's own
 * sentences, percent-encoded (inside URLs), quoted as in SQL, escaped as in JSON, and in base64 (a driver that prints its own handshake).
 * A secret that is also a public value of the configuration (a password `bklite` beside a database `bklite`) is left alone: it cannot be told from that
 * value. User information in any URL is cut whatever it is.
 */
export function createRedact(secrets: readonly string[], publicValues: readonly string[] = []): Redact {
  const open = new Set(publicValues);
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret === "" || open.has(secret)) continue;
    const base64 = Buffer.from(secret).toString("base64");
    const inJson = JSON.stringify(secret).slice(1, -1);
    for (const form of [
      secret,
      escapeText(secret),
      ...percentEncoded(secret.toWellFormed()),
      secret.replaceAll("'", "''"),
      inJson,
      base64,
    ])
      forms.add(form);
  }
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return (text) => {
    let out = text.replace(USER_INFORMATION, (all) => (all === EXAMPLE ? all : `${MARK}@`));
    for (const form of longestFirst) {
      if (out.includes(form)) out = out.replaceAll(form, MARK);
    }
    return out;
  };
}

/** A text as JavaScript and as other languages encode it in a URL, with capitals and without. */
function percentEncoded(text: string): string[] {
  const encoded = encodeURIComponent(text);
  const strict = encoded.replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  return [encoded, strict].flatMap((one) => [one, one.replace(/%../g, (code) => code.toLowerCase())]);
}

/** Prepares every string below `value` for an output: without secrets and Node's advice, and only then cut if it is too long. */
export function redactDeep<T>(value: T, redact: Redact): T {
  return mapStrings(value, (text) => cut(redact(text).replace(ADVICE, ""))) as T;
}

/** Beginning and end of a text that is too long: the end of a message is its remedy. A character is not parted. */
function cut(text: string): string {
  if (text.length <= LONGEST) return text;
  const tail = LONGEST / 4;
  const head = text.slice(0, LONGEST - tail).replace(/[\ud800-\udbff]$/, "");
  return `${head}…${text.slice(-tail).replace(/^[\udc00-\udfff]/, "")}`;
}
