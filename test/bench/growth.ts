import { tmpdir } from "node:os";
import { MAX_PACKED } from "../../src/archive/entries.ts";
import { rawPublish } from "./peers.ts";
import { atMost, type Bar, type Findings, mebibytes, milliseconds, seconds, type Table } from "./report.ts";
import { initTwice, Rounds } from "./rounds.ts";
import { freeBytes, makeVolume, type Stage } from "./stage.ts";

const MIB = 1024 * 1024;
const GB = 1e9;
/** GB of one archive. */
const SIZES = [1, 2, 4, 8];
/** Packages of 2 MiB each. */
const COUNTS = [1, 10, 100];
const PACKAGE = 2 * MIB;

const FIRST = "first run";
const UNCHANGED = "nothing changed";
/** What the server and the machine do with as many bytes, whoever sends them. */
const PUBLISH = "raw publish";

/** One step of a series: how much work, and what it took. */
interface Step {
  amount: number;
  rounds: Rounds;
}

/**
 * Time and memory of `init` as archives get larger and more: what grows faster than the work shows in the
 * time of each further unit.
 */
export async function benchGrowth(stage: Stage): Promise<Findings> {
  const sizes: Step[] = [];
  const skipped: string[] = [];
  for (const amount of SIZES) {
    const reason = whyNot(amount * GB);
    if (reason !== undefined) {
      skipped.push(`${amount} GB: ${reason}`);
      stage.options.log(`${amount} GB skipped: ${reason}`);
    } else
      sizes.push(await step(stage, { amount, bytes: amount * GB, count: 1, rounds: amount === 1 ? 2 : 1 }));
  }
  const counts: Step[] = [];
  for (const amount of COUNTS)
    counts.push(await step(stage, { amount, bytes: PACKAGE, count: amount, rounds: stage.options.rounds }));
  const note = skipped.length > 0 ? `Not measured: ${skipped.join("; ")}.` : undefined;
  return {
    tables: [
      {
        ...table("Growth: one archive of noise", "GB", sizes, seconds),
        ...(note !== undefined && { note }),
      },
      table("Growth: packages of 2 MiB", "package", counts, milliseconds),
    ],
    bars: [
      memory("init of one archive, whatever its size", sizes),
      memory("init of any number of packages", counts),
    ],
    data: { sizes: sizes.map(slim), counts: counts.map(slim), skipped },
  };
}

/** Room is needed for the archive, for its object, and for what a deleted stream still holds. */
function whyNot(bytes: number): string | undefined {
  if (bytes > MAX_PACKED) return "init refuses it, BK-Lite's installer takes 4 GiB at most";
  const free = freeBytes(tmpdir());
  return free < 3 * bytes ? `no room three times over in ${tmpdir()}` : undefined;
}

async function step(
  stage: Stage,
  work: { amount: number; bytes: number; count: number; rounds: number },
): Promise<Step> {
  const { amount, bytes, count } = work;
  const rounds = new Rounds((line) => stage.options.log(`growth, ${count} × ${mebibytes(bytes)}, ${line}`));
  const volume = await makeVolume(bytes, count);
  try {
    for (let round = 0; round < work.rounds; round++) {
      const { first, unchanged } = await initTwice(stage, volume);
      rounds.add(FIRST, first);
      rounds.add(UNCHANGED, unchanged);
      if (bytes > PACKAGE) rounds.add(PUBLISH, await rawPublish(stage, volume.files[0] ?? ""));
    }
  } finally {
    volume.folder.remove();
  }
  return { amount, rounds };
}

function table(title: string, unit: string, steps: readonly Step[], show: (time: number) => string): Table {
  const further = (index: number, who: string) => {
    const now = steps[index];
    const before = steps[index - 1];
    if (!now || !before) return "–";
    return show((now.rounds.median(who) - before.rounds.median(who)) / (now.amount - before.amount));
  };
  // where everybody else's time grows as well, it is not ours
  const shown = unit === "GB" ? [FIRST, UNCHANGED, PUBLISH] : [FIRST, UNCHANGED];
  const cells = ({ amount, rounds }: Step, index: number) =>
    shown.flatMap((who) => [
      seconds(rounds.median(who)),
      show(rounds.median(who) / amount),
      further(index, who),
      mebibytes(rounds.peak(who)),
    ]);
  const columns = (who: string) => [who, `per ${unit}`, `per further ${unit}`, "peak memory"];
  return {
    title,
    head: [unit === "GB" ? unit : `${unit}s`, ...shown.flatMap(columns)],
    rows: steps.map((one, index) => [String(one.amount), ...cells(one, index)]),
  };
}

function memory(what: string, steps: readonly Step[]): Bar {
  const peak = Math.max(...steps.map(({ rounds }) => rounds.peak(FIRST, UNCHANGED)));
  return atMost(`${what}: peak memory`, peak, 128 * MIB, mebibytes);
}

function slim({ amount, rounds }: Step) {
  return { amount, rounds: rounds.data() };
}
