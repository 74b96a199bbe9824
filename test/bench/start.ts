import { type Measured, spread } from "./measure.ts";
import { atMost, type Findings, mebibytes, milliseconds, range } from "./report.ts";
import type { Stage } from "./stage.ts";

/**
 * What it takes before anything happens: to the first log line, and a whole `wait` against servers that are
 * ready.
 */
export async function benchStart(stage: Stage): Promise<Findings> {
  const db = await stage.database();
  const bucket = stage.newBucket();
  await stage.makeBucket(bucket);
  const runs: Measured[] = [];
  const bare: Measured[] = [];
  for (let round = 0; round < stage.options.rounds * 3; round++) {
    runs.push(await stage.job("wait", { db, bucket }));
    bare.push(await stage.program(process.execPath, ["-e", "console.log(1)"]));
  }
  await stage.dropBucket(bucket);
  const first = spread(runs.flatMap((run) => run.firstOutput ?? []));
  const whole = spread(runs.map((run) => run.seconds));
  const node = spread(bare.map((run) => run.seconds));
  const peak = spread(runs.flatMap((run) => run.peak ?? [])).max;
  return {
    tables: [
      {
        title: "Start",
        head: ["what", "time: median (min … max)"],
        rows: [
          ["node alone, for comparison", range(node, milliseconds)],
          ["to the first log line", range(first, milliseconds)],
          ["`wait` against ready servers", range(whole, milliseconds)],
        ],
        note: `Peak memory of \`wait\`: ${mebibytes(peak)}.`,
      },
    ],
    bars: [
      atMost("first log line, over node alone", first.median - node.median, 0.11, milliseconds),
      atMost("`wait` against ready servers", whole.median, 0.4, milliseconds),
    ],
    data: { first, whole, node, peak },
  };
}
