import { HOSTILE } from "../support/hostile-text.ts";
import type { Random } from "../support/rounds.ts";

/** Never said as it is, nor any end of it: a cell that is shortened must not show half. */
export const SECRET = "zq9XwPlanted+Vy7K:8Jd";
export const SECRET_PARTS: readonly string[] = ["zq9Xw", "y7K:8Jd"];

const ORDINARY = [
  "fusion-collectors",
  "Telegraf",
  "1.0.0",
  "采集器",
  "（版本）",
  "🚀",
  " ",
  "-",
  ".zip",
  "é",
  "'\"`$%{}",
];
const PATHS = ["../", "..\\", "/", "\\", ".", "..", "%2e%2e/", "C:", "*", ">", "~"];

/**
 * A name as an enemy gives it: of up to eight parts, each ordinary, of a path, hostile, or any character at
 * all. No part is cut.
 */
export function hostileName(dice: Random, longest = 400): string {
  let name = "";
  for (let parts = dice.int(8); parts >= 0; parts--) {
    const next = part(dice);
    if (name.length + next.length <= longest) name += next;
  }
  return name;
}

function part(dice: Random): string {
  const kind = dice.int(8);
  if (kind < 3) return dice.pick(ORDINARY);
  if (kind === 3) return dice.pick(PATHS);
  if (kind < 6) return dice.pick(HOSTILE);
  if (kind === 6) return character(dice);
  return dice.pick(["a", "\n", "\u001b[1m", "@", "://", "探", SECRET]).repeat(dice.int(40));
}

/** Any one; those that nobody sees stand in a few places, which are met more often. */
function character(dice: Random): string {
  const from = dice.pick([
    0,
    0x7f,
    0xad,
    0x600,
    0x2000,
    0xd800,
    0xfe00,
    0x1d173,
    0xe0000,
    dice.int(0x10ff00),
  ]);
  return String.fromCodePoint(from + dice.int(0x80));
}
