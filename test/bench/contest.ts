import { type Measured, type Spread, spread } from "./measure.ts";
import { mebibytes, seconds, type Table, times } from "./report.ts";

export interface Options {
  /** The bundle that is measured. */
  entry: string;
  /** Another bundle, whose every row is measured in alternation with `entry`'s. */
  against: string | undefined;
  rounds: number;
  /** Paths of the nats-servers that are compared; undefined: those that the tests know. */
  servers: readonly string[] | undefined;
  log: (line: string) => void;
}

/** A program that takes part: runs once and returns what it measured, by the name of the row. */
export interface Contender {
  /** Whether it is the job, in the bundle that it is given, and not another program. */
  ours: boolean;
  run(entry: string): Promise<Readonly<Record<string, Measured>>>;
}

/** Makes a contender of another program, with one row. */
export function peer(name: string, run: () => Promise<Measured>): Contender {
  return { ours: false, run: async () => ({ [name]: await run() }) };
}

/** A row slower by more than this, in the median of its pairs, is marked. */
const SLOWER = 1.05;

/** What each row took, round after round. */
export class Results {
  readonly #rows = new Map<string, Measured[]>();
  readonly #against = new Map<string, Measured[]>();

  add(row: string, measured: Measured, isOther: boolean): void {
    const rows = isOther ? this.#against : this.#rows;
    rows.set(row, [...(rows.get(row) ?? []), measured]);
  }

  /** Returns the median of the seconds; NaN for a row that was not measured. */
  time(row: string): number {
    return this.#spread(row).median;
  }

  /** Returns the median of the seconds to the first output. */
  first(row: string): number {
    return spread((this.#rows.get(row) ?? []).map((run) => run.firstOutput ?? Number.NaN)).median;
  }

  /** Returns the bytes that were resident at most, of all rows whose names begin so. */
  peak(start: string): number {
    const runs = [...this.#rows].flatMap(([row, all]) => (row.startsWith(start) ? all : []));
    return spread(runs.flatMap((run) => run.peak ?? [])).max;
  }

  /** Returns a table with a line for each row. */
  table(title: string, note?: string): Table {
    const ab = this.#against.size > 0;
    const show = ({ median, min, max }: Spread) => `${seconds(median)} (${seconds(min)} … ${seconds(max)})`;
    return {
      title,
      head: ["what", "time: median (min … max)", "peak memory", ...(ab ? ["to the other bundle"] : [])],
      rows: [...this.#rows.keys()].map((row) => [
        row,
        show(this.#spread(row)),
        mebibytes(spread((this.#rows.get(row) ?? []).flatMap((run) => run.peak ?? [])).max),
        ...(ab ? [this.#ratio(row)] : []),
      ]),
      ...(note !== undefined && { note }),
    };
  }

  /** Returns all numbers, for the JSON file. */
  data(): unknown {
    return { rows: Object.fromEntries(this.#rows), against: Object.fromEntries(this.#against) };
  }

  #spread(row: string): Spread {
    return spread((this.#rows.get(row) ?? []).map((run) => run.seconds));
  }

  /** The median of the ratios pair by pair: a machine's speed drifts within minutes. */
  #ratio(row: string): string {
    const others = this.#against.get(row);
    if (!others) return "";
    const pairs = (this.#rows.get(row) ?? []).map(
      (run, i) => run.seconds / (others[i]?.seconds ?? Number.NaN),
    );
    const { median } = spread(pairs);
    return `${times(median)}${median > SLOWER ? " (slower)" : ""}`;
  }
}

/** Runs the contenders in turn, round after round; with `against`, ours with both bundles in alternation. */
export async function compete(
  { entry, against, rounds, log }: Options,
  contenders: readonly Contender[],
): Promise<Results> {
  const results = new Results();
  for (let round = 0; round < rounds; round += 1) {
    for (const { ours, run } of contenders) {
      const pair = ours && against !== undefined ? [entry, against] : [entry];
      for (const bundle of round % 2 === 0 ? pair : pair.toReversed()) {
        for (const [row, measured] of Object.entries(await run(bundle))) {
          results.add(row, measured, bundle !== entry);
          log(`  ${row}${bundle === entry ? "" : " (the other bundle)"}: ${seconds(measured.seconds)}`);
        }
      }
    }
  }
  return results;
}
