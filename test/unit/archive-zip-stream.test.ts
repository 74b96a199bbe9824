import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32, deflateRawSync } from "node:zlib";
import type { Source } from "../../src/archive/types.ts";
import { unpackLarge } from "../../src/archive/zip-verify.ts";
import type { Package } from "../../src/packages/package.ts";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { Findings, packageSources, readEntryDigests } from "../../src/packages/sources.ts";
import { binaryHeader } from "../support/binaries.ts";
import { localHeader, type RawEntry, rawZip } from "../support/raw-zip.ts";
import { unzip } from "../support/unzip.ts";
import { problemOf, scanOne, volume } from "../support/volume.ts";

const ZIP = "fusion-collectors-linux-amd64-1.0.0.zip";
const live = new AbortController().signal;
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Deflates to a half, unlike noise. */
function content(seed: string, size: number): Buffer {
  const noise = createHash("shake128", { outputLength: size / 2 })
    .update(seed)
    .digest("hex");
  return Buffer.concat([binaryHeader("linux", "x86_64"), Buffer.from(noise)]);
}

const FILES: Record<string, Buffer> = {
  "collector-sidecar": content("sidecar", 1000),
  "install.sh": Buffer.from("#!/bin/sh\n"),
  "bin/telegraf": content("telegraf", 300_000),
  "bin/filebeat/filebeat": content("filebeat", 600_000),
  "bin/filebeat/empty": Buffer.alloc(0),
  ...Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`bin/filebeat/${index}.yml`, content(`${index}`, 9000)]),
  ),
  "bin/vector": content("vector", 200_000),
};
const LINKS: Record<string, string> = { "bin/latest": "telegraf", "bin/filebeat/first.yml": "0.yml" };

const LINKED = {
  "bin/latest": FILES["bin/telegraf"] as Buffer,
  "bin/filebeat/first.yml": FILES["bin/filebeat/0.yml"] as Buffer,
};

function entryOf(path: string, data: Buffer): RawEntry {
  const [packed, method] = path.includes("vector") ? [data, 0] : [deflateRawSync(data), 8];
  const name = `other/${path}`;
  return { name, data: packed, method, size: data.length, crc: crc32(data), mode: 0o100755 };
}

/** The archive; its directory may have the entries in another order than the file. */
function archiveOf(inOrder: (entries: RawEntry[]) => RawEntry[] = (entries) => entries): Buffer {
  const entries = [
    ...Object.entries(FILES).map(([path, data]) => entryOf(path, data)),
    ...Object.entries(LINKS).map(([path, data]) => ({ name: `other/${path}`, data, mode: 0o120777 })),
  ];
  const places = new Map<RawEntry, number>();
  const locals: Buffer[] = [];
  let position = 0;
  for (const entry of entries) {
    const local = localHeader(entry);
    places.set(entry, position);
    position += local.length;
    locals.push(local);
  }
  const listed = inOrder([...entries]).map((entry) => ({
    ...entry,
    offset: places.get(entry) ?? 0,
    withoutLocal: true,
  }));
  return Buffer.concat([...locals, rawZip(listed, { directoryStart: position })]);
}

/** The archive as it is or repacked, and its collectors. */
async function packagesOf(dir: string, repack: "auto" | "never"): Promise<readonly Package[]> {
  const wanted = {
    options: {},
    repack,
    collectors: "auto",
    standalone: true,
    definitions: [],
    archColumn: true,
  } as const;
  const { packages, problems } = await resolvePackages([await scanOne(dir)], wanted);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    packages.map(({ object }) => object),
    ["Controller", "Telegraf", "Vector", "Filebeat"],
  );
  return packages;
}

/** A zip holds these files and nothing else. */
async function assertHolds(zip: Buffer, prefix: string, files: Record<string, Buffer>): Promise<void> {
  const found = [...(await unzip(zip))].filter(([name]) => !name.endsWith("/"));
  assert.deepEqual(
    found.map(([name]) => name).sort(),
    Object.keys(files)
      .map((name) => prefix + name)
      .sort(),
  );
  for (const [name, { bytes }] of found) assert.ok(files[name.slice(prefix.length)]?.equals(bytes), name);
}

async function bytesOf(source: Source, blockSize: number): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of source.blocks(blockSize, live)) {
    assert.equal(blocks.at(-1)?.length ?? blockSize, blockSize);
    blocks.push(Buffer.from(block));
  }
  return Buffer.concat(blocks);
}

/** By the kernel's own count, of all files. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

const ORDERS = {
  "in the file's order": { inOrder: (entries: RawEntry[]) => entries, most: 1.4 },
  // each entry that a copy does not want in the file's order is read once more for it
  "in the opposite order": { inOrder: (entries: RawEntry[]) => entries.reverse(), most: 2.1 },
};

for (const [order, { inOrder, most }] of Object.entries(ORDERS)) {
  for (const repack of ["auto", "never"] as const) {
    for (const check of ["full", "quick"] as const) {
      test(`a zip is read once for all that is made of it: ${order}, repack ${repack}, ${check}`, async () => {
        const archive = archiveOf(inOrder);
        await using on = await volume({ [ZIP]: archive });
        const packages = await packagesOf(on.dir, repack);
        const [{ archive: scanned } = assert.fail()] = packages;
        for (const blockSize of [1000, 70_000, 1_000_000]) {
          const findings = new Findings({ entries: check === "full" });
          const start = bytesRead();
          const sources = [...packageSources(packages, { findings }).values()];
          const made = await Promise.all(sources.map((source) => bytesOf(source, blockSize)));
          const times = (bytesRead() - start) / archive.length;
          assert.ok(times < most, `${times} times`);

          const [whole, telegraf, vector, filebeat] = made as [Buffer, Buffer, Buffer, Buffer];
          if (repack === "never") assert.ok(whole.equals(archive));
          else await assertHolds(whole, "fusion-collectors/", { ...FILES, ...LINKED });
          const inFolder = ([path]: [string, unknown]) => path.startsWith("bin/filebeat/");
          const folder = Object.entries({ ...FILES, ...LINKED }).filter(inFolder);
          await assertHolds(
            filebeat,
            "",
            Object.fromEntries(folder.map(([path, data]) => [path.slice(4), data])),
          );
          assert.ok(telegraf.equals(FILES["bin/telegraf"] as Buffer));
          assert.ok(vector.equals(FILES["bin/vector"] as Buffer));

          for (const [index, pkg] of packages.entries()) findings.add(pkg, sha256(made[index] as Buffer));
          assert.equal(findings.files.get(scanned.file), sha256(archive));
          if (check === "quick") continue;
          await readEntryDigests(scanned, live);
          assert.deepEqual(findings.entries, scanned.digests.entries);
        }
      });
    }
  }
}

test("an entry is damaged: nothing is complete, though it was read before", async () => {
  const archive = archiveOf();
  archive.write("damaged", archive.indexOf("other/bin/vector") + 1000);
  await using on = await volume({ [ZIP]: archive });
  const packages = (await packagesOf(on.dir, "never")).filter(({ object }) => object !== "Vector");
  const open = readdirSync("/proc/self/fd").length;
  const findings = new Findings({ entries: true });
  const sources = [...packageSources(packages, { findings }).values()];
  const problems = await Promise.all(sources.map((source) => problemOf(bytesOf(source, 70_000))));
  assert.deepEqual(new Set(problems.map(({ id }) => id)), new Set(["zip.crc"]));
  assert.equal(readdirSync("/proc/self/fd").length, open);
});

test("a data descriptor is missing where the scan has not looked: nothing is complete", async () => {
  const [first, ...others] = Object.entries(FILES).map(([path, data]) => entryOf(path, data));
  // Of more than 1024 entries the scan reads the local headers and descriptors of every second one at most.
  const many = Array.from({ length: 1024 }, (_, index) => ({ name: `other/cache/${index}`, data: "x" }));
  const data = Buffer.alloc(100);
  const bad = { name: "other/bad", data, flags: 8, packedSize: 84, size: 84, crc: crc32(data.subarray(16)) };
  await using on = await volume({ [ZIP]: rawZip([first as RawEntry, bad, ...others, ...many]) });
  for (const repack of ["auto", "never"] as const) {
    const sources = packageSources(await packagesOf(on.dir, repack), {
      findings: new Findings({ entries: true }),
    });
    const problems = [...sources.values()].map((source) => problemOf(bytesOf(source, 70_000)));
    for (const { id } of await Promise.all(problems)) assert.equal(id, "zip.descriptor");
  }
});

test("a piece of deflated data may change once the next one is requested", async () => {
  const plain = content("pieces", 100_000);
  const packed = deflateRawSync(plain);
  const piece = Buffer.alloc(100);
  const pieces = async function* () {
    for (let at = 0; at < packed.length; at += piece.length) {
      piece.fill(0);
      yield piece.subarray(0, packed.copy(piece, 0, at));
    }
  };
  const at = { rawName: Buffer.from("x"), offset: 0, flags: 0, mode: 0, method: 8, crc32: crc32(plain) };
  const sizes = { compressedSize: packed.length, size: plain.length };
  const made: Buffer[] = [];
  for await (const one of unpackLarge("x.zip", { ...at, ...sizes }, pieces())) made.push(Buffer.from(one));
  assert.ok(Buffer.concat(made).equals(plain));
});
