import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import type { Source } from "../../src/archive/types.ts";
import { ProblemError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import type { Package } from "../../src/packages/package.ts";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { packageDigests, packageSources } from "../../src/packages/sources.ts";
import { type ArchiveOptions, buildArchive } from "../support/archives.ts";
import { problemOf, scanOne, volume } from "../support/volume.ts";
import { until } from "../support/wait.ts";

const live = new AbortController().signal;
const BLOCK = 100_000;
const CONTENT: ArchiveOptions = {
  collectors: ["telegraf", "vector", "filebeat/filebeat", "jmx_jvm.jar"],
  payloadBytes: 3_000_000,
};

/** The archive, repacked if it is a tar.gz, and each collector by itself. */
async function packagesOf(dir: string): Promise<readonly Package[]> {
  const wanted = {
    options: {},
    collectors: "auto",
    standalone: true,
    definitions: [],
    archColumn: true,
  } as const;
  const { packages, problems } = await resolvePackages([await scanOne(dir)], wanted);
  if (problems.length > 0) throw new ProblemError(problems);
  return packages;
}

async function bytesOf(source: Source): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of source.blocks(BLOCK, live)) blocks.push(Buffer.from(block));
  return Buffer.concat(blocks);
}

/** By the kernel's own count, of all files. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

const openFiles = () => readdirSync("/proc/self/fd").length;

for (const FILE of ["fusion-collectors.tar.gz", "fusion-collectors.zip"]) {
  describe(`what is made of one ${FILE} is made at the same time`, () => {
    let archive: Buffer;
    before(async () => {
      await using on = await volume();
      await buildArchive(on.path(FILE), CONTENT);
      archive = readFileSync(on.path(FILE));
    });

    test("each is what it is by itself, and the archive is read once", async () => {
      await using on = await volume({ [FILE]: archive });
      const packages = await packagesOf(on.dir);
      const alone: Buffer[] = [];
      for (const pkg of packages) {
        for (const source of packageSources([pkg]).values()) alone.push(await bytesOf(source));
      }
      const start = bytesRead();
      const together = await Promise.all([...packageSources(packages).values()].map(bytesOf));
      assert.ok(bytesRead() - start < 1.5 * statSync(on.path(FILE)).size);
      assert.equal(together.length, 5);
      for (const [index, bytes] of together.entries())
        assert.ok(alone[index]?.equals(bytes), packages[index]?.name);
    });

    test("their digests cost one reading too", async () => {
      await using on = await volume({ [FILE]: archive });
      const packages = (await packagesOf(on.dir)).filter(({ derived }) => derived);
      const start = bytesRead();
      const digests = await packageDigests(packages, live);
      assert.ok(bytesRead() - start < 1.5 * statSync(on.path(FILE)).size);
      const sizes = [...packageSources(packages)].map(async ([pkg, source]) => {
        assert.equal(digests.get(pkg)?.bytes, (await bytesOf(source)).length);
      });
      await Promise.all(sizes);
    });

    test("one that is given up in its midst holds up no other", async () => {
      await using on = await volume({ [FILE]: archive });
      const packages = await packagesOf(on.dir);
      const open = openFiles();
      const [first, ...others] = packageSources(packages).values();
      assert.ok(first);
      const reading = Promise.all(others.map(bytesOf));
      for await (const _ of first.blocks(BLOCK, live)) break;
      const sizes = (await reading).map(({ length }) => length);
      const alone = [...packageSources(packages.slice(1)).values()].map(
        async (one) => (await bytesOf(one)).length,
      );
      assert.deepEqual(sizes, await Promise.all(alone));
      assert.equal(openFiles(), open);
    });

    test("a stop ends all of them, and no file stays open", async () => {
      await using on = await volume({ [FILE]: archive });
      const packages = await packagesOf(on.dir);
      const open = openFiles();
      const stop = new AbortController();
      const reason = new Error("stopped");
      const taken = [...packageSources(packages).values()].map(async (source, index) => {
        for await (const _ of source.blocks(BLOCK, stop.signal)) {
          if (index === 0) stop.abort(reason);
          stop.signal.throwIfAborted();
        }
      });
      for (const end of await Promise.allSettled(taken))
        assert.equal(end.status === "rejected" && end.reason, reason);
      await until("the archive is closed", () => openFiles() === open);
    });

    test("an archive that changes: exit 74 for each that is not complete", async () => {
      await using on = await volume({ [FILE]: archive });
      const sources = [...packageSources(await packagesOf(on.dir)).values()];
      await appendFile(on.path(FILE), "x");
      for (const problem of await Promise.all(sources.map((source) => problemOf(bytesOf(source))))) {
        assert.equal(problem.code, EXIT.fileRead);
      }
    });

    test("what is read is told, wanted or not", async () => {
      await using on = await volume({ [FILE]: archive });
      const last = (await packagesOf(on.dir)).at(-1);
      assert.ok(last);
      let told = 0;
      const [source] = packageSources([last], { onRead: () => void told++ }).values();
      assert.ok(source);
      for await (const _ of source.blocks(BLOCK, live)) break;
      // the files before it fill many blocks of what is gunzipped
      assert.ok(told > 10, `told ${told} times`);
    });
  });
}
