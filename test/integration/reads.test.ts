import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ArchiveOptions, age } from "../support/archives.ts";
import { binaryHeader } from "../support/binaries.ts";
import { signFolder, signingKey } from "../support/sign.ts";
import { explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();
const COUNTER = fileURLToPath(new URL("../support/count-reads.ts", import.meta.url));
/** What the scan of a file reads beside: its start, a zip's directory, some of its headers. */
const SLACK = 1_000_000;

/** Deflates to a half, unlike noise. */
function content(seed: string, bytes = 8_000_000): Buffer {
  const noise = createHash("shake128", { outputLength: bytes / 2 })
    .update(seed)
    .digest("hex");
  return Buffer.concat([binaryHeader("linux", "x86_64"), Buffer.from(noise)]);
}

const PROGRAMS: ArchiveOptions = {
  collectors: [],
  entries: [
    { name: "bin/telegraf", content: content("telegraf"), mode: 0o755 },
    { name: "bin/filebeat/filebeat", content: content("filebeat"), mode: 0o755 },
    ...Array.from({ length: 40 }, (_, index) => ({
      name: `bin/filebeat/modules/${index}.yml`,
      content: content(`${index}`, 20_000),
    })),
  ],
};

async function program(site: Site, ...files: string[]): Promise<void> {
  for (const file of files) {
    const path = join(site.volume, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content(file), { mode: 0o755 });
    age(path);
  }
}

const NAME = "fusion-collectors-linux-amd64-1.0.0";

interface Case {
  put: (site: Site) => Promise<unknown>;
  /** How often a first run may read what is on the volume. */
  first: number;
  /** The same if a list of checksums has it, which is compared before anything is written. */
  listed: number;
}

const CASES: Record<string, Case> = {
  "a zip": {
    put: (site) => site.archive(`${NAME}.zip`, { ...PROGRAMS, payloadBytes: 0 }),
    first: 1,
    listed: 2,
  },
  "a zip of stored entries": {
    put: (site) => site.archive(`${NAME}.zip`, { collectors: ["telegraf"], payloadBytes: 8_000_000 }),
    first: 1,
    listed: 2,
  },
  "a zip that is repacked": {
    put: (site) => site.archive(`${NAME}.zip`, { ...PROGRAMS, payloadBytes: 0, top: "other" }),
    first: 1,
    listed: 2,
  },
  "twenty zips": {
    put: async (site) => {
      for (let patch = 0; patch < 20; patch++) {
        const entries = [{ name: "bin/telegraf", content: content(`${patch}`, 4_000_000), mode: 0o755 }];
        await site.archive(`fusion-collectors-linux-amd64-1.0.${patch}.zip`, { collectors: [], entries });
      }
    },
    first: 1,
    listed: 2,
  },
  "a tar.gz that is repacked": {
    put: (site) => site.archive(`${NAME}.tar.gz`, { ...PROGRAMS, payloadBytes: 0 }),
    first: 2,
    listed: 2,
  },
  "a collector's folder": {
    put: (site) =>
      program(site, ...["filebeat", "a.yml", "b.yml"].map((name) => `collector/linux/filebeat/${name}`)),
    first: 1,
    listed: 2,
  },
  "a collector's program": { put: (site) => program(site, "collector/linux/telegraf"), first: 1, listed: 2 },
  "an installer": { put: (site) => program(site, "bklite-controller-installer"), first: 1, listed: 2 },
};

/** Bytes of the volume's packages that a run reads, by their size. */
async function timesRead(site: Site, env: Record<string, string> = {}): Promise<number> {
  const counted = join(site.volume, ".counted");
  // a process of its own: the counter is loaded before the program
  const run = await site.start([], { ...env, COUNTED_READS: counted, NODE_OPTIONS: `--import ${COUNTER}` })
    .done;
  assert.equal(run.code, 0, explain(run));
  const reads = Object.entries<number>(JSON.parse(await readFile(counted, "utf8")));
  const packages = reads.filter(([path]) => path.startsWith(site.volume) && !/SHA256SUMS|report/.test(path));
  let size = 0;
  for (const [path] of packages) size += (await stat(path)).size;
  const bytes = packages.reduce((sum, [, count]) => sum + count, 0);
  assert.ok(bytes >= size, "the run reads its files");
  return (bytes - SLACK * packages.length) / size;
}

const KEY = signingKey();

/** What a run is told of the volume. */
const LISTS: Record<string, (site: Site) => Promise<Record<string, string>>> = {
  "no list": async () => ({}),
  "a list": async ({ volume }) => {
    signFolder(volume, KEY);
    return {};
  },
  "a signed list": async ({ volume }) => {
    signFolder(volume, KEY);
    await writeFile(`${volume}.keys`, KEY.line);
    return { VERIFY_KEY_FILE: `${volume}.keys` };
  },
};

describe("reads", { concurrency: 2 }, () => {
  for (const [what, { put, first, listed }] of Object.entries(CASES)) {
    for (const [list, addTo] of Object.entries(LISTS)) {
      const most = list === "no list" ? first : listed;
      test(`${what}, ${list}: a first run reads it at most ${most} times, and the next one once`, async () => {
        const site = await servers.site({ state: "C" });
        await put(site);
        const env = await addTo(site);
        const times = await timesRead(site, env);
        const again = await timesRead(site, env);
        assert.ok(times <= most, `${times} times`);
        assert.ok(again <= 1, `${again} times`);
      });
    }
  }
});
