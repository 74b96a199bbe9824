import { type Measured, type Spread, spread } from "./measure.ts";
import { mebibytes, range, rate, seconds } from "./report.ts";
import type { Stage, Volume } from "./stage.ts";

/** What each of several contenders took, round after round. */
export class Rounds {
  readonly #runs = new Map<string, Measured[]>();
  readonly #log: (line: string) => void;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  add(who: string, measured: Measured): void {
    this.#runs.set(who, [...(this.#runs.get(who) ?? []), measured]);
    this.#log(`${who.replaceAll("**", "")}: ${seconds(measured.seconds)}`);
  }

  /** Of the seconds; all NaN for one that did not take part. */
  time(who: string): Spread {
    return spread((this.#runs.get(who) ?? []).map((run) => run.seconds));
  }

  /** Median of the seconds; NaN for one that did not take part. */
  median(who: string): number {
    return this.time(who).median;
  }

  /** Bytes that were resident at most, of these contenders. */
  peak(...names: readonly string[]): number {
    return spread(names.flatMap((who) => (this.#runs.get(who) ?? []).flatMap((run) => run.peak ?? []))).max;
  }

  /** A line of a table for each: name, time, rate for what it works on, and peak memory. */
  rows(bytes: (who: string) => number): string[][] {
    return [...this.#runs.keys()].map((who) => [
      who,
      range(this.time(who), seconds),
      rate(bytes(who), this.median(who)),
      mebibytes(this.peak(who)),
    ]);
  }

  /** For the JSON file. */
  data(): Record<string, { seconds: number; peak: number | undefined }[]> {
    return Object.fromEntries(
      [...this.#runs].map(([who, all]) => [
        who,
        all.map(({ seconds: time, peak }) => ({ seconds: time, peak })),
      ]),
    );
  }
}

export interface Twice {
  first: Measured;
  unchanged: Measured;
  /** With the same entries in another packaging, if there is one. */
  rebuilt?: Measured;
  /** Bytes that the NATS server sent during the unchanged run. */
  served: number;
}

/**
 * `init` into an empty bucket and table, and once more; and with `rebuilt` in the volume's place, if it is
 * given. Throws if a run after the first writes to the bucket.
 */
export async function initTwice(
  stage: Stage,
  volume: Volume,
  env: Readonly<Record<string, string>> = {},
  rebuilt?: Volume,
): Promise<Twice> {
  const bucket = stage.newBucket();
  const db = await stage.database();
  const first = await stage.job("init", { db, bucket, volume, env });
  const sequence = await stage.lastSequence(bucket);
  const before = await stage.bytesServed();
  const unchanged = await stage.job("init", { db, bucket, volume, env });
  const served = (await stage.bytesServed()) - before;
  const again = rebuilt && (await stage.job("init", { db, bucket, volume: rebuilt, env }));
  if ((await stage.lastSequence(bucket)) !== sequence)
    throw new Error("an unchanged run has written to the bucket");
  await stage.dropBucket(bucket);
  return { first, unchanged, served, ...(again && { rebuilt: again }) };
}
