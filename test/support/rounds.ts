import { createHash } from "node:crypto";

/** What `npm run test:faults -- --rounds N --seed S` sets. */
const { FAULT_ROUNDS, FAULT_SEED } = process.env;

/** Every random choice of the suite follows from it. */
export const SEED = FAULT_SEED || "1";

/** Whether this is the long form: what takes its time is done only here. */
export const LONG = Number(FAULT_ROUNDS ?? 0) > 0;

/** How many random rounds a test makes: `short` of them in the short form, N in the long one. */
export function rounds(short: number): number {
  return LONG ? Number(FAULT_ROUNDS) : short;
}

export interface Random {
  /** From 0 up to, and without, `limit`. */
  int(limit: number): number;
  /** true in so many of 1 cases. */
  chance(share: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** Random numbers that depend on the seed and the name alone, so that one round can be repeated by itself. */
export function random(name: string): Random {
  let state = createHash("sha256").update(`${SEED}\0${name}`).digest();
  let used = 0;
  const next = () => {
    if (used + 6 > state.length) {
      state = createHash("sha256").update(state).digest();
      used = 0;
    }
    const value = state.readUIntBE(used, 6);
    used += 6;
    return value / 2 ** 48;
  };
  const int = (limit: number) => Math.floor(next() * limit);
  return {
    int,
    chance: (share) => next() < share,
    pick<T>(list: readonly T[]): T {
      const item = list[int(list.length)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
  };
}
