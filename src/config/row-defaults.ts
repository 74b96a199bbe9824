import type { Reader } from "./env.ts";

/**
 * Reads ROW_DEFAULTS: `column=value,…`, with a backslash before a comma or a backslash in a value. Checks its form alone: which
 * columns there are is the table's to say.
 */
export function readRowDefaults(reader: Reader): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of splitPairs(reader.text("ROW_DEFAULTS") ?? "") ?? [""]) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, at)).trim();
    if (name === "" || found.has(name)) {
      reader.complain("config.row-defaults", {});
      return new Map();
    }
    found.set(name, pair.slice(at + 1));
  }
  return found;
}

/** The parts between commas, with their escapes resolved; undefined where a backslash escapes neither comma nor backslash. */
function splitPairs(text: string): string[] | undefined {
  const pairs = [""];
  for (let at = 0; at < text.length; at += 1) {
    const escaped = text[at] === "\\";
    if (escaped) at += 1;
    const char = text[at] ?? "";
    if (escaped && char !== "," && char !== "\\") return undefined;
    if (char === "," && !escaped) pairs.push("");
    else pairs[pairs.length - 1] += char;
  }
  return text === "" ? [] : pairs;
}
