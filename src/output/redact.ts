/** Replaces every secret in a text. */
export type Redact = (text: string) => string;

const MARK = "[redacted]";

/** Scheme and user information of a URL. */
const USER_INFORMATION = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'@]*(?:@[^\s/?#"'@]*)*@/gi;
/** What stands in their place where a remedy shows how a URL is written. */
const EXAMPLE = "USER:PASSWORD@";

/**
 * Makes the function that every text passes on its way out: log lines, report, termination message.
 *
 * `secrets` are passwords, tokens, keys and the lines of secret files, in the clear. Each is looked for as it is, percent-encoded
 * (inside URLs), escaped as in JSON, and in base64 (a driver that prints its own handshake). A secret that is also a public value of the configuration
 * (a password `bklite` beside a database `bklite`) is left alone: it cannot be told from that value. User information in any URL is
 * cut whatever it is.
 */
export function createRedact(secrets: readonly string[], publicValues: readonly string[] = []): Redact {
  const open = new Set(publicValues);
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret === "" || open.has(secret)) continue;
    const base64 = Buffer.from(secret).toString("base64");
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), base64]) {
      forms.add(form);
    }
  }
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return (text) => {
    let out = text.replace(USER_INFORMATION, (all, scheme: string) =>
      all.slice(scheme.length) === EXAMPLE ? all : `${scheme}${MARK}@`,
    );
    for (const form of longestFirst) {
      if (out.includes(form)) out = out.replaceAll(form, MARK);
    }
    return out;
  };
}

/** Redacts every string below `value`; arrays and plain objects are copied, everything else is passed on. */
export function redactDeep(value: unknown, redact: Redact): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, redact));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactDeep(item, redact)]));
  }
  return value;
}
