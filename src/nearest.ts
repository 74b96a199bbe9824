/** UTF-16 units by which a near name may be longer or shorter: two letters of two units. */
const LONGER = 4;

/**
 * Returns the name that a user most likely meant; undefined: none is near. At most one letter in three, and
 * never more than two, may be missing, added, changed or swapped with its neighbour. Case is ignored.
 */
export function nearest<T extends string>(word: string, names: readonly T[]): T | undefined {
  const typed = word.toLowerCase();
  const limit = Math.min(2, Math.max(1, Math.floor(typed.length / 3)));
  let best: { name: T; distance: number } | undefined;
  for (const name of names) {
    // a missing or added letter counts one: a long text is not compared letter by letter
    if (Math.abs(name.length - typed.length) > LONGER) continue;
    const distance = editDistance(typed, name.toLowerCase());
    if (distance <= limit && distance < (best?.distance ?? Number.POSITIVE_INFINITY))
      best = { name, distance };
  }
  return best?.name;
}

/** Counts the letters to change, insert, delete or swap (optimal string alignment). */
function editDistance(from: string, to: string): number {
  const a = [...from];
  const b = [...to];
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const now = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      now[column] = Math.min(
        (last[column] as number) + 1,
        (now[column - 1] as number) + 1,
        (last[column - 1] as number) + same,
        swapped ? (before[column - 2] as number) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = last;
    last = now;
  }
  return last[b.length] as number;
}
