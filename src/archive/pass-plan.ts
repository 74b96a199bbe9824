import { Channel } from "./channel.ts";
import { ZipBuilder, type ZipItem } from "./zip-writer.ts";

/** Files up to this size are kept, deflated, until they have been written under all their names; a larger one is read again for each. */
export const KEEP = 4 * 1024 * 1024;

/** Where the files come from, and in which order they can be read. */
export interface PassSource<From> {
  size(from: From): number;
  /** Files are read by rising place. */
  place(from: From): number;
  open(signal: AbortSignal): Promise<PassReader<From>>;
  /** What an error in reading is for those who take. */
  translate(error: unknown): unknown;
}

export interface PassReader<From> {
  /** `size` bytes in pieces, each valid until the next is asked for. */
  bytes(from: From): AsyncIterable<Uint8Array>;
  /** Throws unless what was read is still what was scanned. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** What is to be made: one file as it is, or a zip of some. */
export interface PassTarget<From> {
  zip: boolean;
  items: readonly ZipItem<From>[];
  /** Bytes that it may have; more is an error, which `tooLong` makes. */
  limit?: number;
  tooLong?: () => Error;
}

export interface Target<From> extends PassTarget<From> {
  channel: Channel;
  builder: ZipBuilder;
  begun: boolean;
  /** Files that are still to come. */
  left: number;
}

export interface Use<From> {
  target: Target<From>;
  /** Names of the file in it; the first is written as the file is read, the others after it. */
  items: ZipItem<From>[];
}

export interface Step<From> {
  from: From;
  size: number;
  uses: readonly Use<From>[];
}

/** A target of which nothing has been made yet. */
export function targetOf<From>(wanted: PassTarget<From>): Target<From> {
  return { ...wanted, channel: new Channel(), builder: new ZipBuilder(), begun: false, left: 0 };
}

/** Which file goes where, in rounds: the first name of each file in each target, then the second ones of large files, and so on. */
export function planPass<From>(targets: readonly Target<From>[], source: PassSource<From>): Step<From>[][] {
  const uses = new Map<From, Use<From>[]>();
  for (const target of targets) {
    for (const item of target.items) {
      if (item.name.endsWith("/")) continue;
      const all = uses.get(item.from) ?? [];
      if (all.length === 0) uses.set(item.from, all);
      const use = all.find((one) => one.target === target);
      if (use) use.items.push(item);
      else all.push({ target, items: [item] });
    }
  }
  const rounds: Step<From>[][] = [[]];
  for (const [from, all] of uses) {
    const size = source.size(from);
    const turns = size <= KEEP ? 1 : Math.max(...all.map(({ items }) => items.length));
    for (let turn = 0; turn < turns; turn++) {
      const now = all.flatMap(({ target, items }) => {
        const mine = turns === 1 && size <= KEEP ? items : items.slice(turn, turn + 1);
        return mine.length > 0 ? [{ target, items: mine }] : [];
      });
      for (const { target } of now) target.left++;
      rounds[turn] ??= [];
      rounds[turn]?.push({ from, size, uses: now });
    }
  }
  for (const round of rounds) round.sort((a, b) => source.place(a.from) - source.place(b.from));
  return rounds;
}
