import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { crc32, gzipSync } from "node:zlib";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { buildArchive } from "../support/archives.ts";
import { TAR_END, tarMember } from "../support/raw-tar.ts";
import { type RawEntry, rawZip } from "../support/raw-zip.ts";
import { reasonsIn } from "../support/reasons.ts";
import { scanInProcess } from "../support/scan.ts";
import { volume } from "../support/volume.ts";

const NAME = "fusion-collectors-linux-amd64.zip";
const top = (name: string) => `fusion-collectors/${name}`;
const SIDECAR: RawEntry = { name: top("collector-sidecar"), data: "#!/bin/sh\n", mode: 0o100755 };
const INSTALL: RawEntry = { name: top("install.sh"), data: "#!/bin/sh\n", mode: 0o100755 };
const ZIP = rawZip([SIDECAR, INSTALL]);
const ZEROS = "0".repeat(64);

interface Case {
  files?: Record<string, string | Buffer>;
  /** What files alone do not make. */
  make?: (dir: string) => unknown;
  env?: Record<string, string>;
  args?: readonly string[];
}

/** Does not wait for more of a file that was written a moment ago. */
const NOW = { WAIT_TIMEOUT: "0" };

/** What `scan` reports of such a volume. */
async function scanned({ files = {}, make, env = {}, args = [] }: Case) {
  await using on = await volume(files);
  await make?.(on.dir);
  const report = await scanInProcess(args, { PACKAGES_DIR: on.dir, ...NOW, ...env });
  return { found: reasonsIn({ report, events: [] }), report };
}

const manifest = (text: unknown) => ({
  "packages.json": JSON.stringify({ packages: text }),
  "a.bin": "#!/bin/sh\n",
});
const collector = { file: "a.bin", type: "collector", object: "Own" };
const sums = (text: string | Buffer) => ({ [NAME]: ZIP, [`${NAME}.sha256`]: text });
const zipped = (...entries: RawEntry[]) => ({ [NAME]: rawZip(entries) });

const CASES: [id: ReasonId, how: Case][] = [
  ["volume.missing", { env: { PACKAGES_DIR: "/no/such/volume" } }],
  ["volume.file", { files: { [NAME]: ZIP }, env: { PACKAGES_DIR: process.execPath } }],
  ["volume.empty", {}],
  ["volume.near.name", { files: { [`${NAME}.1`]: "" } }],
  ["volume.near.unknown", { files: { "telegraf.zip": "" } }],
  ["volume.near.split", { files: { [`${NAME}.001`]: "", [`${NAME}.002`]: "" } }],
  [
    "volume.near.release",
    { files: { "release.zip": rawZip([{ name: "manifest.json" }, { name: "artifacts/linux/x" }]) } },
  ],
  ["package.release", { files: zipped({ name: "manifest.json" }, { name: "artifacts/linux/x" }) }],
  ["package.incomplete", { files: zipped(SIDECAR) }],
  ["file.link", { make: (dir) => symlinkSync(process.execPath, join(dir, NAME)) }],
  [
    "name.bytes",
    {
      make: (dir) => writeFileSync(Buffer.from(`${dir}/fusion-collectors-\xb8\xb1.zip`, "latin1"), ZIP),
    },
  ],
  ["volume.near.link", { make: (dir) => symlinkSync("/no/such/file", join(dir, NAME)) }],
  ["volume.near.folder", { make: (dir) => mkdirSync(join(dir, NAME)) }],
  ["volume.near.special", { make: (dir) => execFileSync("mkfifo", [join(dir, NAME)]) }],
  ["volume.near.deep", { files: { [`a/b/c/d/e/${NAME}`]: ZIP } }],
  ["file.missing", { args: ["--file", "/no/such/file.zip"] }],
  ["file.irregular", { args: ["--file", "/dev"] }],
  ["archive.kind.claimed", { args: ["--file", process.execPath, "--type", "controller"] }],
  [
    "archive.limit.packed",
    { files: { [NAME]: ZIP }, make: (dir) => truncateSync(join(dir, NAME), 2 ** 32 + 1) },
  ],
  ["checksum.mismatch", { files: sums(ZEROS) }],
  ["checksum.line", { files: sums("see below") }],
  ["checksum.encoding", { files: sums(Buffer.from([0x66, 0xff, 0x00, 0xd8])) }],
  ["checksum.empty", { files: sums("\n") }],
  ["checksum.other", { files: sums(`${ZEROS}  other.zip`) }],
  ["checksum.irregular", { files: { [NAME]: ZIP }, make: (dir) => mkdirSync(join(dir, `${NAME}.sha256`)) }],
  ["checksum.long", { files: sums("x\n".repeat(600_000)) }],
  ["checksum.unused", { files: { [NAME]: ZIP, SHA256SUMS: `${ZEROS}  other.zip\n` } }],
  [
    "tar.repeated",
    {
      files: {
        "fusion-collectors-1.0.0.tar.gz": gzipSync(
          Buffer.concat([
            ...["old", "new"].map((text) => tarMember({ name: top("collector-sidecar") }, text)),
            TAR_END,
          ]),
        ),
      },
    },
  ],
  ["checksum.name", { files: { [NAME]: ZIP, [`${NAME}.md5`]: "" } }],
  ["manifest.json", { files: { "packages.json": "{" } }],
  ["manifest.schema", { files: manifest([{ fil: "a.bin" }]) }],
  ["manifest.field", { files: manifest([{ ...collector, version: "1\u0007" }]) }],
  ["manifest.description", { files: manifest([{ ...collector, description: "a\u0007b" }]) }],
  ["manifest.missing", { files: manifest([{ ...collector, file: "b.bin" }]) }],
  ["manifest.twice", { files: manifest([collector, collector]) }],
  ["manifest.long", { files: { "packages.json": " ".repeat(20 * 1024 * 1024) } }],
  ["manifest.irregular", { make: (dir) => mkdirSync(join(dir, "packages.json")) }],
  ["package.contents", { files: zipped({ name: top("README"), data: "x" }) }],
  ["name.characters", { files: { "fusion-collectors-1.2.3\t.zip": ZIP } }],
  ["package.nested", { files: zipped({ name: NAME, data: "x" }) }],
  ["package.field.long", { files: { [`fusion-collectors-${"n".repeat(100)}.zip`]: ZIP } }],
  [
    "package.object.collector",
    { make: (dir) => buildArchive(join(dir, NAME)), args: ["--object", "Telegraf"] },
  ],
  ["collector.missing", { files: { [NAME]: ZIP }, env: { COLLECTORS: "Telegraf" } }],
  ["package.clash", { files: { [NAME]: ZIP, "fusion-collectors-linux-amd64-1.0.0.zip": ZIP } }],
];

describe("a volume is rejected or warned of by", () => {
  for (const [id, how] of CASES) {
    test(id, async () => {
      const { found, report } = await scanned(how);
      assert.ok(found.has(id), `${[...found]} ${report.error?.message}`);
    });
  }
});

const link = (name: string, data: string): RawEntry => ({ name: top(name), mode: 0o120777, data });
/** Info-ZIP's Unicode field: another name for readers that know it. */
function unicodePath(name: string, better: string): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt16LE(0x7075, 0);
  head.writeUInt16LE(5 + Buffer.byteLength(better), 2);
  head.writeUInt8(1, 4);
  head.writeUInt32LE(crc32(name), 5);
  return Buffer.concat([head, Buffer.from(better)]);
}

const bare = (entry: RawEntry, folder = ""): RawEntry => ({
  ...entry,
  name: `${folder}${entry.name.slice(entry.name.lastIndexOf("/") + 1)}`,
});
const FORMS: [id: ReasonId, entries: RawEntry[]][] = [
  ["repack.no-top-folder", [bare(SIDECAR), bare(INSTALL)]],
  ["repack.top-folder", [bare(SIDECAR, "other/"), bare(INSTALL, "other/")]],
  ["repack.junk", [SIDECAR, INSTALL, { name: "__MACOSX/._x" }]],
  ["repack.beside", [SIDECAR, INSTALL, { name: "readme.txt", data: "x" }]],
  ["repack.dot-names", [{ ...SIDECAR, name: `./${SIDECAR.name}` }, INSTALL]],
  [
    "repack.folder-names",
    [SIDECAR, INSTALL, { name: top("lib"), extra: unicodePath(top("lib"), top("lib/")) }],
  ],
  ["repack.links", [SIDECAR, INSTALL, link("again", "collector-sidecar")]],
];

describe("an archive is given another form for", () => {
  for (const [id, entries] of FORMS) {
    test(id, async () => {
      const { found, report } = await scanned({ files: zipped(...entries) });
      assert.equal(report.exitCode, 0, report.error?.message);
      assert.ok(found.has(id), [...found].join());
    });
  }

  test("repack.tar-gz", async () => {
    const id: ReasonId = "repack.tar-gz";
    const make = (dir: string) => buildArchive(join(dir, "fusion-collectors.tar.gz"), { format: "tar.gz" });
    const { found } = await scanned({ make });
    assert.ok(found.has(id), [...found].join());
  });
});
