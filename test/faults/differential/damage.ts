import type { Random } from "../../support/rounds.ts";

type Damage = (bytes: Buffer, dice: Random) => Buffer;

/** What copies over bad lines, disks and memory make of a file. */
const DAMAGES: Record<string, Damage> = {
  "bit flipped": (bytes, dice) => {
    const out = Buffer.from(bytes);
    const at = dice.int(out.length);
    out[at] = (out[at] ?? 0) ^ (1 << dice.int(8));
    return out;
  },
  "cut short": (bytes, dice) => bytes.subarray(0, dice.int(bytes.length)),
  "piece lost": (bytes, dice) => {
    const at = dice.int(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.int(600))]);
  },
  "piece twice": (bytes, dice) => {
    const at = dice.int(bytes.length);
    return Buffer.concat([bytes.subarray(0, at + dice.int(600)), bytes.subarray(at)]);
  },
  zeros: (bytes, dice) => {
    const at = dice.int(bytes.length);
    const out = Buffer.from(bytes);
    out.fill(0, at, Math.min(out.length, at + 1 + dice.int(600)));
    return out;
  },
  "line ends": (bytes) => Buffer.from(bytes.toString("latin1").replaceAll("\n", "\r\n"), "latin1"),
  "near the end": (bytes, dice) => {
    const out = Buffer.from(bytes);
    out[Math.max(0, out.length - 1 - dice.int(100))] = dice.pick([0, 1, 0x7f, 0x80, 0xff]);
    return out;
  },
};

export function damage(bytes: Buffer, dice: Random, traits: string[]): Buffer {
  const name = dice.pick(Object.keys(DAMAGES));
  traits.push(name);
  return DAMAGES[name]?.(bytes, dice) ?? bytes;
}
