import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { describe, test } from "node:test";
import type { Source } from "../../src/archive/source.ts";
import { ProblemsError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import { packageDigests, packageSources } from "../../src/packages/form.ts";
import type { Package } from "../../src/packages/package.ts";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { type ArchiveOptions, buildArchive } from "../support/archives.ts";
import { problemOf, scanOne, volume } from "../support/volume.ts";
import { until } from "../support/wait.ts";

const TAR = "fusion-collectors.tar.gz";
const live = new AbortController().signal;
const BLOCK = 100_000;
const CONTENT: ArchiveOptions = {
  collectors: ["telegraf", "vector", "filebeat/filebeat", "jmx_jvm.jar"],
  payloadBytes: 6_000_000,
};

/** The repacked archive, and each collector by itself. */
async function packagesOf(dir: string): Promise<Package[]> {
  const wanted = {
    options: {},
    collectors: "auto",
    standalone: true,
    definitions: [],
    archColumn: true,
  } as const;
  const { packages, problems } = await resolvePackages([await scanOne(dir)], wanted);
  if (problems.length > 0) throw new ProblemsError(problems);
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

describe("what is made of one tar.gz is made at the same time", () => {
  test("each is what it is by itself, and the archive is read once", async () => {
    await using on = await volume();
    await buildArchive(on.path(TAR), CONTENT);
    const packages = await packagesOf(on.dir);
    const alone: Buffer[] = [];
    for (const pkg of packages) {
      for (const source of packageSources([pkg]).values()) alone.push(await bytesOf(source));
    }
    const before = bytesRead();
    const together = await Promise.all([...packageSources(packages).values()].map(bytesOf));
    assert.ok(bytesRead() - before < 1.5 * statSync(on.path(TAR)).size);
    assert.equal(together.length, 5);
    for (const [index, bytes] of together.entries())
      assert.ok(alone[index]?.equals(bytes), packages[index]?.name);
  });

  test("their digests cost one reading too", async () => {
    await using on = await volume();
    await buildArchive(on.path(TAR), CONTENT);
    const packages = await packagesOf(on.dir);
    const before = bytesRead();
    const digests = await packageDigests(packages, live);
    assert.ok(bytesRead() - before < 1.5 * statSync(on.path(TAR)).size);
    const sizes = [...packageSources(packages)].map(async ([pkg, source]) => {
      assert.equal(digests.get(pkg)?.bytes, (await bytesOf(source)).length);
    });
    await Promise.all(sizes);
  });

  for (const when of ["before it begins", "in its midst"]) {
    test(`one that is given up ${when} holds up no other`, async () => {
      await using on = await volume();
      await buildArchive(on.path(TAR), CONTENT);
      const packages = await packagesOf(on.dir);
      const before = openFiles();
      const [first, ...others] = packageSources(packages).values();
      assert.ok(first);
      const reading = Promise.all(others.map(bytesOf));
      if (when === "in its midst") for await (const _ of first.blocks(BLOCK, live)) break;
      first.release?.();
      const sizes = (await reading).map(({ length }) => length);
      assert.deepEqual(
        sizes,
        await Promise.all(
          [...packageSources(packages.slice(1)).values()].map(async (one) => (await bytesOf(one)).length),
        ),
      );
      assert.equal(openFiles(), before);
    });
  }

  test("an archive that changes: exit 74 for each that is not complete", async () => {
    await using on = await volume();
    await buildArchive(on.path(TAR), CONTENT);
    const sources = [...packageSources(await packagesOf(on.dir)).values()];
    await appendFile(on.path(TAR), "x");
    for (const problem of await Promise.all(sources.map((source) => problemOf(bytesOf(source))))) {
      assert.equal(problem.code, EXIT.fileRead);
    }
  });

  test("while one waits for its turn, the source says that something moves", async () => {
    await using on = await volume();
    await buildArchive(on.path(TAR), CONTENT);
    const sources = [...packageSources(await packagesOf(on.dir)).values()];
    const taken = sources.map((source) => source.blocks(BLOCK, live)[Symbol.asyncIterator]());
    // the first block of each that has one; from then on nobody takes, so the source waits
    await taken[0]?.next();
    await until("the source waits, and says so", () => {
      const now = performance.now();
      return (sources[1]?.readAt?.() ?? 0) >= now;
    });
    for (const source of sources) source.release?.();
  });
});
