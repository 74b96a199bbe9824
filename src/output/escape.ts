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
