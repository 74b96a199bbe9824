import { runs } from "./machine.ts";
import { type Measured, spread } from "./measure.ts";
import { rawPublish } from "./peers.ts";
import {
  atLeast,
  atMost,
  type Bar,
  type Findings,
  mebibytes,
  range,
  rate,
  seconds,
  times,
} from "./report.ts";
import { initTwice } from "./rounds.ts";
import { hasNatsPy, makeVolume, type Stage, type Volume } from "./stage.ts";

const MIB = 1024 * 1024;
/** The size that the bars are about. */
const USUAL = 512 * MIB;
/** From this size on, fewer rounds. */
const LARGE = 1024 * MIB;
type Contender = "init" | "unchanged" | "sha256sum" | "openssl" | "publish" | "library" | "nats.py";

const WORDS: Record<Contender, string> = {
  init: "**init**, first run",
  unchanged: "**init**, nothing changed",
  sha256sum: "sha256sum",
  openssl: "openssl dgst -sha256, for comparison",
  publish: "raw publish (the ceiling)",
  library: "nats library's put",
  "nats.py": "nats.py's put",
};

interface Result {
  /** Bytes of one archive. */
  size: number;
  count: number;
  rounds: Partial<Record<Contender, Measured[]>>;
  /** Bytes that the NATS server sent during an unchanged run, at most. */
  served: number;
}

/**
 * How fast archives get into the bucket, and with how much memory: ours, and everybody else's, in
 * alternation.
 */
export async function benchUpload(stage: Stage, only?: readonly Contender[]): Promise<Findings> {
  const { rounds, sizes } = stage.options;
  const rivals: Contender[] = ["sha256sum", "publish", "library"];
  if (await runs("openssl", "version")) rivals.push("openssl");
  if (await hasNatsPy()) rivals.push("nats.py");
  const wanted = rivals.filter((rival) => only?.includes(rival) ?? true);
  const results: Result[] = [];
  for (const size of sizes) {
    results.push(
      await compete(stage, { size, count: 1 }, wanted, size >= LARGE ? Math.ceil(rounds / 2) : rounds),
    );
  }
  if (!only && sizes.includes(USUAL)) {
    results.push(await compete(stage, { size: USUAL / 8, count: 8 }, [], rounds));
  }
  return {
    tables: [
      {
        title: "Uploads",
        head: ["archives", "what", "time: median (min … max)", "rate", "peak memory"],
        rows: results.flatMap(resultRows),
      },
    ],
    bars: only ? [] : bars(results),
    data: results.map((result) => ({ ...result, rounds: slim(result) })),
  };
}

async function compete(
  stage: Stage,
  { size, count }: { size: number; count: number },
  rivals: readonly Contender[],
  rounds: number,
): Promise<Result> {
  const volume = await makeVolume(size, count);
  const result: Result = { size, count, rounds: {}, served: 0 };
  const take = async (who: Contender, run: () => Promise<Measured>) => {
    const measured = await run();
    result.rounds[who] = [...(result.rounds[who] ?? []), measured];
    stage.options.log(`${count} × ${mebibytes(size)} ${who}: ${seconds(measured.seconds)}`);
  };
  try {
    for (let round = 0; round < rounds; round++) {
      await ourRounds(stage, volume, take, result);
      // the library needs minutes for what is large, and is not what changes from round to round
      const now = rivals.filter((rival) => rival !== "library" || size < LARGE || round === 0);
      for (const rival of now) await take(rival, () => runRival(stage, rival, volume));
    }
  } finally {
    volume.folder.remove();
  }
  return result;
}

async function ourRounds(
  stage: Stage,
  volume: Volume,
  take: (who: Contender, run: () => Promise<Measured>) => Promise<void>,
  result: Result,
): Promise<void> {
  const { first, unchanged, served } = await initTwice(stage, volume);
  await take("init", async () => first);
  await take("unchanged", async () => unchanged);
  result.served = Math.max(result.served, served);
}

async function runRival(stage: Stage, rival: Contender, { files }: Volume): Promise<Measured> {
  const [file = ""] = files;
  if (rival === "sha256sum") return stage.program("sha256sum", files);
  if (rival === "openssl") return stage.program("openssl", ["dgst", "-sha256", ...files]);
  if (rival === "publish") return rawPublish(stage, file);
  const bucket = stage.newBucket();
  await stage.makeBucket(bucket);
  try {
    return await (rival === "library"
      ? stage.rival("library", bucket, file)
      : stage.natsPy("put", bucket, file));
  } finally {
    await stage.dropBucket(bucket);
  }
}

const time = (result: Result, who: Contender) =>
  spread((result.rounds[who] ?? []).map((measured) => measured.seconds));
const peak = (result: Result | undefined, who: Contender) =>
  spread((result?.rounds[who] ?? []).flatMap((measured) => measured.peak ?? [])).max;

function resultRows(result: Result): string[][] {
  const { size, count, rounds } = result;
  return (Object.keys(rounds) as Contender[]).map((who) => [
    `${count} × ${mebibytes(size)}`,
    WORDS[who],
    range(time(result, who), seconds),
    rate(size * count, time(result, who).median),
    mebibytes(peak(result, who)),
  ]);
}

function bars(results: readonly Result[]): Bar[] {
  const single = results.filter(({ count }) => count === 1);
  const usual = single.find(({ size }) => size === USUAL);
  const smallest = single.reduce((a, b) => (b.size < a.size ? b : a));
  const largest = single.reduce((a, b) => (b.size > a.size ? b : a));
  const growth = peak(largest, "init") - peak(smallest, "init");
  const all = Math.max(...results.flatMap((result) => [peak(result, "init"), peak(result, "unchanged")]));
  const memory = [
    atMost("init: peak memory, all sizes", all, 128 * MIB, mebibytes),
    atMost(
      `init: peak for ${mebibytes(largest.size)} above that for ${mebibytes(smallest.size)}`,
      largest === smallest ? Number.NaN : growth,
      16 * MIB,
      mebibytes,
    ),
  ];
  if (!usual) return memory;
  const of = (who: Contender) => time(usual, who).median;
  const init = of("init");
  const sum = of("sha256sum");
  return [
    atLeast("init of 512 MiB: faster than the library's put", of("library") / init, 5, times),
    atLeast("init of 512 MiB: faster than nats.py's put", of("nats.py") / init, 1.6, times),
    atMost("init of 512 MiB: time of the raw publish", init / of("publish"), 1.35, times),
    ...memory,
    atMost(
      `unchanged run of 512 MiB (1.3 × sha256sum's ${seconds(sum)} + 0.5 s)`,
      of("unchanged"),
      1.3 * sum + 0.5,
      seconds,
    ),
    atMost(
      "unchanged run: bytes that the NATS server sent",
      usual.served,
      100_000,
      (bytes) => `${bytes} bytes`,
    ),
  ];
}

function slim({ rounds }: Result) {
  const numbers = ({ seconds: time, peak: bytes }: Measured) => ({ seconds: time, peak: bytes });
  return Object.fromEntries(Object.entries(rounds).map(([who, measured]) => [who, measured.map(numbers)]));
}
