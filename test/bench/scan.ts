import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import yauzl from "yauzl";
import { inspectVolume } from "../../src/packages/scan.ts";
import { listVolume } from "../../src/packages/volume.ts";
import { buildArchive } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { spread } from "./measure.ts";
import { atMost, type Bar, type Findings, milliseconds, range, times } from "./report.ts";
import type { Stage } from "./stage.ts";

const ENTRIES = [200, 20_000];
/** The scan also judges each name, and reads a thousand local headers at most. */
const LIMIT = { zip: 3, "tar.gz": 2 } as const;

/** Scans archives of many entries, beside what only reading them costs: a zip's directory, or one gunzip. */
export async function benchScan({ options }: Stage): Promise<Findings> {
  const rows: string[][] = [];
  const bars: Bar[] = [];
  const data: unknown[] = [];
  for (const format of ["zip", "tar.gz"] as const) {
    for (const count of ENTRIES) {
      const { scan, bare } = await compare(format, count, options.rounds * 2);
      const ratio = scan.median / bare.median;
      rows.push([format, String(count), range(scan, milliseconds), range(bare, milliseconds), times(ratio)]);
      data.push({ format, count, scan, bare });
      if (count === ENTRIES.at(-1)) {
        bars.push(
          atMost(
            `scan of a ${format} with ${count} entries, to only reading it`,
            ratio,
            LIMIT[format],
            times,
          ),
        );
      }
    }
  }
  const head = ["format", "entries", "scan", "zip: directory read by yauzl; tar.gz: gunzip alone", "ratio"];
  return { tables: [{ title: "Scan", head, rows }], bars, data };
}

async function compare(format: keyof typeof LIMIT, count: number, rounds: number) {
  const folder = tempDir("bench");
  const path = join(folder.path, `fusion-collectors-linux-amd64.${format}`);
  try {
    const entries = Array.from({ length: count }, (_, index) => ({
      name: `bin/plugins/${index % 100}/plugin-${index}.conf`,
      content: `[plugin]\nindex = ${index}\n${"setting = value\n".repeat(20)}`,
    }));
    await buildArchive(path, { entries });
    const { files } = await listVolume(folder.path);
    const scan: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < rounds; round++) {
      scan.push(await timed(() => inspectVolume(files)));
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
