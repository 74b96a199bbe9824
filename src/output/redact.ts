import { escapeText, mapStrings } from "./escape.ts";

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
