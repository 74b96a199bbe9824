/** Where a JSON text goes wrong. The parser's own message is not passed on: it quotes the text, which may be any file's. */
export interface JsonFault {
  /** From 1. */
  line: number;
  column: number;
  /** Nothing is wrong up to its end: it is cut short. */
  cut: boolean;
}

/** Finds the first character that no JSON text can go on with, in a text that does not parse: by halves, as each beginning before it is sound. */
export function jsonFault(text: string): JsonFault {
  let sound = 0;
  let wrong = text.length + 1;
  while (wrong - sound > 1) {
    const middle = (sound + wrong) >> 1;
    if (couldGoOn(text.slice(0, middle))) sound = middle;
    else wrong = middle;
  }
  const before = text.slice(0, sound);
  const lines = before.split("\n");
  return { line: lines.length, column: (lines.at(-1) ?? "").length + 1, cut: sound === text.length };
}

function couldGoOn(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const { message } = error as Error;
    const at = /^[^"]* at position (\d+)/.exec(message)?.[1];
    return message === "Unexpected end of JSON input" || Number(at) >= beginning.length;
  }
}
