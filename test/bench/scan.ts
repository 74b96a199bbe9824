import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import yauzl from "yauzl";
import { readFiles } from "../../src/packages/read.ts";
import { listVolume } from "../../src/volume/list.ts";
import { buildArchive } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { spread } from "./measure.ts";
import { atMost, type Bar, type Findings, milliseconds, range, times } from "./report.ts";
import type { Stage } from "./stage.ts";

const ENTRIES = [200, 20_000];
/** "no more than reading it costs", and a fifth for the noise of the measurement. */
const LIMIT = 1.2;

/** What the entries hold decides what reading them costs, and so what a scan is compared with. */
const CONTENTS = {
  // deflates to a half, as programs and scripts do at best
  "hexadecimal noise": (index: number) =>
    createHash("shake128", { outputLength: 1024 }).update(String(index)).digest("hex"),
  // deflates to almost nothing: the worst that a gunzip can be compared with
  "repeated text": (index: number) => `[plugin]\nindex = ${index}\n${"setting = value\n".repeat(20)}`,
} as const;
type Content = keyof typeof CONTENTS;

/** Scans archives of many entries, beside what only reading them costs: a zip's directory, or one gunzip. */
export async function benchScan({ options }: Stage): Promise<Findings> {
  const rows: string[][] = [];
  const bars: Bar[] = [];
  const data: unknown[] = [];
  const cases = [
    ["zip", "hexadecimal noise"],
    ["tar.gz", "hexadecimal noise"],
    ["tar.gz", "repeated text"],
  ] as const;
  for (const [format, content] of cases) {
    for (const count of ENTRIES) {
      const { scan, bare } = await compare(format, content, count, options.rounds * 2);
      const ratio = scan.median / bare.median;
      const what = `${format}, ${count} entries of ${content}`;
      rows.push([what, range(scan, milliseconds), range(bare, milliseconds), times(ratio)]);
      data.push({ format, content, count, scan, bare });
      if (count === ENTRIES.at(-1))
        bars.push(atMost(`scan of a ${what}, to only reading it`, ratio, LIMIT, times));
    }
  }
  const head = ["archive", "scan", "directory read by yauzl, or gunzip alone", "ratio"];
  return { tables: [{ title: "Scan", head, rows }], bars, data };
}

async function compare(format: "zip" | "tar.gz", content: Content, count: number, rounds: number) {
  const folder = tempDir("bench");
  const path = join(folder.path, `fusion-collectors-linux-amd64.${format}`);
  try {
    const entries = Array.from({ length: count }, (_, index) => ({
      name: `bin/plugins/${index % 100}/plugin-${index}.conf`,
      content: CONTENTS[content](index),
    }));
    await buildArchive(path, { entries });
    const { files } = await listVolume(folder.path);
    const scan: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < rounds; round++) {
      scan.push(await timed(() => readFiles(files)));
      bare.push(await timed(() => (format === "zip" ? readDirectory(path) : gunzip(path))));
    }
    return { scan: spread(scan), bare: spread(bare) };
  } finally {
    folder.remove();
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

async function readDirectory(path: string): Promise<void> {
  const zip = await yauzl.openPromise(path, { lazyEntries: true });
  for await (const _ of zip.eachEntry());
}

async function gunzip(path: string): Promise<void> {
  await pipeline(
    createReadStream(path, { highWaterMark: 256 * 1024 }),
    createGunzip({ chunkSize: 256 * 1024 }),
    async (unpacked) => {
      for await (const _ of unpacked);
    },
  );
}
