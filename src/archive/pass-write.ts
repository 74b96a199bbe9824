import { KEEP, type PassReader, type Step, type Target } from "./pass-plan.ts";
import { type PackedData as Facts, modeOf, type ZipItem } from "./zip-write.ts";

/** A file under way. */
export interface PassFile<From> extends Step<From> {
  facts: Facts;
  kept: Buffer[];
  /** Whether its first bytes are a program's or a script's. */
  runs: boolean;
}

/** A block of a file, as it is and deflated. */
export interface Piece {
  block: Buffer;
  packed: Buffer;
  first: boolean;
  last: boolean;
}

/** Writes a block to all who want it; none waits for another but for the next block. */
export async function write<From>(entry: PassFile<From>, piece: Piece): Promise<void> {
  const { facts, size, kept } = entry;
  const { packed, first, last } = piece;
  facts.compressedSize += packed.length;
  if (first && last && packed.length >= size) Object.assign(facts, { method: 0, compressedSize: size });
  if (size <= KEEP && !(first && last)) kept.push(packed);
  await Promise.all(
    entry.uses.map(({ target, items }) =>
      target.zip ? writeZipped(entry, target, items, piece) : target.channel.write(piece.block),
    ),
  );
}

async function writeZipped<From>(
  { facts, size, kept, runs }: PassFile<From>,
  target: Target<From>,
  [item, ...others]: readonly ZipItem<From>[],
  { block, packed, first, last }: Piece,
): Promise<void> {
  const { builder, channel } = target;
  if (!item) return;
  if (!target.begun) await begin(target);
  const whole = async (one: ZipItem<From>, data: readonly Buffer[]) => {
    await channel.write(builder.entry(one.name, modeOf(one, runs), facts));
    for (const bytes of data) await channel.write(bytes);
  };
  if (first && last) {
    for (const one of [item, ...others]) await whole(one, [facts.method === 0 ? block : packed]);
  } else {
    if (first) await channel.write(builder.begin(item.name, size));
    await channel.write(packed);
    if (!last) return;
    await channel.write(builder.finish(modeOf(item, runs), facts));
    for (const one of others) await whole(one, kept);
  }
  if (target.limit !== undefined && builder.offset > target.limit && target.tooLong) {
    channel.fail(target.tooLong());
  }
}

/** Folders come first: they are there when their files are unpacked. */
async function begin<From>(target: Target<From>): Promise<void> {
  target.begun = true;
  for (const { name, mode } of target.items) {
    if (name.endsWith("/")) await target.channel.write(target.builder.entry(name, mode));
  }
}

/** One of a target's files has been written: after the last of them the target is complete. */
export async function used<From>(target: Target<From>, reader: PassReader<From>): Promise<void> {
  target.left--;
  if (target.left === 0) await finish(target, reader);
}

/** Ends a target, once its source is known to be unchanged. */
export async function finish<From>(target: Target<From>, reader: PassReader<From>): Promise<void> {
  if (target.channel.closed) return;
  await reader.check();
  if (!target.zip) target.begun = true;
  else {
    if (!target.begun) await begin(target);
    for (const record of target.builder.end()) await target.channel.write(record);
  }
  target.channel.end();
}
