import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import { age, buildArchive } from "../support/archives.ts";
import { binaryHeader } from "../support/binaries.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { directoryEntry, endRecords, localHeader, type RawEntry, rawZip } from "../support/raw-zip.ts";
import { LONG } from "../support/rounds.ts";
import type { JobResult } from "../support/run.ts";
import { explain } from "../support/site.ts";
import type { Verdict } from "./inspector.ts";
import { exits, job } from "./stage.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
const MEMORY = 256 * MIB;

let folder: TempDir;
before(() => {
  folder = tempDir("hostile");
  // others than root look at it as well
  chmodSync(folder.path, 0o755);
});
after(() => folder.remove());

let count = 0;
function newVolume(): string {
  const dir = join(folder.path, `volume${++count}`);
  mkdirSync(dir);
  return dir;
}

/** What the job makes of a volume, in a process of its own, so that its memory can be measured. */
async function inspect(dir: string, uid?: number): Promise<{ verdict: Verdict; maxRss: number }> {
  const child = join(import.meta.dirname, "inspect-child.ts");
  const args = ["--expose-gc", child, dir, ...(uid === undefined ? [] : [String(uid)])];
  const { stdout, stderr } = await run(process.execPath, args, { timeout: 300_000 });
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

/**
 * The job's own end on a volume, and the most memory that it took. No server is there: a bad volume is heard
 * of all the same.
 */
async function runOn(dir: string): Promise<{ result: JobResult; peak: number }> {
  const REPORT_FILE = join(folder.path, `report-${++count}.json`);
  const servers = { DB_HOST: "127.0.0.1", DB_PORT: "9", NATS_SERVERS: "127.0.0.1:9" };
  const running = job([], { PACKAGES_DIR: dir, ...servers, REPORT_FILE });
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const [, kib = "0"] =
        /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${running.pid}/status`, "utf8")) ?? [];
      peak = Math.max(peak, Number(kib) * 1024);
    } catch {
      // gone, or a system without /proc
    }
  }, 20);
  const result = await running.done.finally(() => clearInterval(timer));
  return { result, peak };
}

async function assertRefused(dir: string, reason: RegExp, t: TestContext): Promise<void> {
  const { result, peak } = await runOn(dir);
  exits(result, 65);
  const [only, ...others] = result.report?.packages ?? [];
  assert.deepEqual(others, []);
  assert.match(only?.error?.message ?? "", reason);
  t.diagnostic(`${Math.round(peak / MIB)} MiB, ${Math.round(result.durationMs)} ms`);
  assert.ok(peak < MEMORY, `${peak} bytes of memory`);
}

const SIDECAR: RawEntry = {
  name: "fusion-collectors/collector-sidecar",
  data: binaryHeader("linux", "x86_64"),
  mode: 0o100755,
};
const INSTALL: RawEntry = { name: "fusion-collectors/install.sh", data: "#!/bin/sh\n", mode: 0o100755 };
const zip = (...entries: RawEntry[]) => rawZip([SIDECAR, INSTALL, ...entries]);

/** A tar's header block (POSIX ustar), its checksum right. */
function tarHeader(name: string | Buffer, size: number, type = "0", link = ""): Buffer {
  const header = Buffer.alloc(512);
  Buffer.from(name as string).copy(header, 0, 0, 100);
  header.write("0000755\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  if (size < 8 ** 11) header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  else {
    header.writeUInt32BE(0x80000000, 124);
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  header.write("00000000000\0", 136);
  header.write(type, 156);
  header.write(link, 157);
  header.write("ustar\0" + "00", 257);
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

const program = binaryHeader("linux", "x86_64");
const sidecarInTar = [
  tarHeader("fusion-collectors/collector-sidecar", program.length),
  program,
  Buffer.alloc(512 - (program.length % 512)),
  tarHeader("fusion-collectors/install.sh", 0),
];
const END = Buffer.alloc(1024);
const tar = (...blocks: Buffer[]) => gzipSync(Buffer.concat([...sidecarInTar, ...blocks, END]));

/**
 * A gzip of so many megabytes of zeros behind `head`, in the time that it takes to write down its members.
 */
function zerosBehind(head: Buffer, megabytes: number): Buffer {
  const member = gzipSync(Buffer.alloc(32 * MIB), { level: constants.Z_BEST_COMPRESSION });
  return Buffer.concat([gzipSync(head), ...Array(Math.ceil(megabytes / 32)).fill(member)]);
}

const HOSTILE: [name: string, ending: "zip" | "tar.gz", bytes: () => Buffer, reason: RegExp][] = [
  ["zip slip", "zip", () => zip({ name: "fusion-collectors/../../etc/cron.d/x" }), /\.\./],
  [
    "zip slip by a link",
    "zip",
    () => zip({ name: "fusion-collectors/l", data: "../../etc", mode: 0o120777 }),
    /link that leads out/,
  ],
  [
    "an entry below a link",
    "zip",
    () =>
      zip({ name: "fusion-collectors/l", data: "bin", mode: 0o120777 }, { name: "fusion-collectors/l/x" }),
    /below a link/,
  ],
  ["absolute", "zip", () => zip({ name: "/etc/passwd" }), /absolute path/],
  ["a drive letter", "zip", () => zip({ name: "C:/windows/x" }), /drive letter/],
  ["backslash", "zip", () => zip({ name: "fusion-collectors\\bin\\x" }), /backslash/],
  ["a device", "zip", () => zip({ name: "fusion-collectors/dev", mode: 0o020644 }), /device/],
  ["a FIFO inside", "zip", () => zip({ name: "fusion-collectors/fifo", mode: 0o010644 }), /fifo/],
  [
    "duplicate",
    "zip",
    () => zip({ name: "fusion-collectors/a" }, { name: "fusion-collectors/./a" }),
    /same name/,
  ],
  ["a NUL in a name", "zip", () => zip({ name: "fusion-collectors/a\0b" }), /NUL/],
  ["overlapping", "zip", () => overlapping(), /overlap|does not agree/],
  [
    "encrypted",
    "zip",
    () => zip({ name: "fusion-collectors/secret", flags: 0x801, data: Buffer.alloc(13), size: 1 }),
    /encrypted/,
  ],
  ["zip64 with a lie in it", "zip", () => rawZip([SIDECAR], { zip64: { count: 2 } }), /central directory/],
  ["more entries than its directory has", "zip", () => rawZip([SIDECAR], { count: 2 }), /central directory/],
  [
    "another name in the local header",
    "zip",
    () => zip({ name: "fusion-collectors/a", localName: "fusion-collectors/b" }),
    /local header/,
  ],
  ["a bomb that admits it", "zip", () => bomb(64 * MIB), /^$/],
  ["a bomb that does not", "zip", () => bomb(1000), /longer than|does not have the length/],
  ["cut short", "zip", () => zip().subarray(0, -10), /central directory/],
  ["a tar that climbs out", "tar.gz", () => tar(tarHeader("../x", 0)), /\.\./],
  ["a tar's absolute name", "tar.gz", () => tar(tarHeader("/etc/passwd", 0)), /absolute/],
  ["a tar's device", "tar.gz", () => tar(tarHeader("fusion-collectors/dev", 0, "3")), /device/],
  ["a tar's FIFO", "tar.gz", () => tar(tarHeader("fusion-collectors/fifo", 0, "6")), /fifo/],
  [
    "a tar's link out",
    "tar.gz",
    () => tar(tarHeader("fusion-collectors/l", 0, "2", "/etc")),
    /link that leads out/,
  ],
  [
    "a tar's hard link out",
    "tar.gz",
    () => tar(tarHeader("fusion-collectors/l", 0, "1", "../../x")),
    /link that leads out/,
  ],
  [
    "a tar's file that is a folder too",
    "tar.gz",
    () => tar(tarHeader("fusion-collectors/collector-sidecar/", 0, "5")),
    /same name/,
  ],
  ["a tar without an end", "tar.gz", () => gzipSync(Buffer.concat(sidecarInTar)), /end-of-archive/],
  [
    "a tar cut in an entry",
    "tar.gz",
    () =>
      gzipSync(Buffer.concat([...sidecarInTar, tarHeader("fusion-collectors/x", 5000), Buffer.alloc(512)])),
    /tar|cut/,
  ],
  [
    "the beginning of another gzip behind it",
    "tar.gz",
    () => Buffer.concat([tar(), Buffer.from([0x1f, 0x8b])]),
    /has no end/,
  ],
  ["no archive at all", "zip", () => Buffer.from("<html>404 Not Found</html>"), /HTML page/],
];

function overlapping(): Buffer {
  const entry: RawEntry = { name: "fusion-collectors/a", data: Buffer.alloc(100) };
  const [first, local] = [localHeader(SIDECAR), localHeader(entry)];
  const directory = [
    directoryEntry(SIDECAR, 0),
    directoryEntry(entry, first.length),
    directoryEntry({ ...entry, name: "fusion-collectors/b" }, first.length),
  ];
  const size = directory.reduce((sum, one) => sum + one.length, 0);
  return Buffer.concat([first, local, ...directory, endRecords(3, size, first.length + local.length)]);
}

/** A gigabyte of zeros would do as well; what counts is that nobody unpacks more than is admitted. */
function bomb(admitted: number): Buffer {
  const zeros = Buffer.alloc(64 * MIB);
  const data = deflateRawSync(zeros, { level: 9 });
  return zip({ name: "fusion-collectors/zeros", data, method: 8, size: admitted, crc: 0x1d7a4a2d });
}

/** Entries of different names, all with their data in the same place. */
function manyInZip(count: number): Buffer {
  const entry = directoryEntry({ name: "f/lib/x/0000000" }, 0);
  const directory = Buffer.alloc(count * entry.length, entry);
  for (let index = 0; index < count; index++) {
    directory.write(String(index).padStart(7, "0"), (index + 1) * entry.length - 7, "latin1");
  }
  const head = localHeader(SIDECAR);
  return Buffer.concat([head, directory, endRecords(count, directory.length, head.length, { zip64: {} })]);
}

/** A gzip member with the headers of empty files of different names. */
function manyInTar(from: number, count: number): Buffer {
  const header = tarHeader("f/0000000", 0);
  const checksum = Number.parseInt(header.toString("latin1", 148, 154), 8);
  const headers = Buffer.alloc(count * 512, header);
  for (let index = 0; index < count; index++) {
    const digits = String(from + index).padStart(7, "0");
    const sum = [...digits].reduce((total, digit) => total + Number(digit), checksum);
    headers.write(digits, index * 512 + 2, "latin1");
    headers.write(sum.toString(8).padStart(6, "0"), index * 512 + 148, "latin1");
  }
  return gzipSync(headers, { level: 1 });
}

test("all of them on one volume, through the entry point: exit 65, and each is named with its reason", async () => {
  const dir = newVolume();
  const table = HOSTILE.filter(([name]) => name !== "a bomb that admits it");
  for (const [index, [, ending, bytes]] of table.entries()) {
    const path = join(dir, `fusion-collectors-1.0.${index}.${ending}`);
    writeFileSync(path, bytes());
    age(path);
  }
  const { result } = await runOn(dir);
  exits(result, 65);
  for (const [index, [name, ending, , reason]] of table.entries()) {
    if (name === "a bomb that does not") continue;
    const entry = result.report?.packages.find(
      ({ source }) => source.file === `fusion-collectors-1.0.${index}.${ending}`,
    );
    assert.equal(entry?.error?.code, 65, `${name}: ${explain(result)}`);
    assert.match(entry?.error?.message ?? "", reason, name);
  }
});

describe("one by one, with the memory that it needs", { concurrency: 2 }, () => {
  test("a bomb that does not admit its size is found by the full check", async () => {
    const dir = newVolume();
    writeFileSync(join(dir, "fusion-collectors.zip"), bomb(1000));
    const { verdict, maxRss } = await inspect(dir);
    assert.ok(!verdict.accepted);
    assert.match(verdict.problems[0]?.reason ?? "", /longer than|does not have the length/);
    assert.ok(maxRss < MEMORY, `${maxRss} bytes of memory`);
  });

  const many: [entries: number, reason: RegExp][] = [[1_000_001, /more than 100,000 files/]];
  // These are read to the last one, which takes its time.
  if (LONG) many.push([100_000, /overlap/]);
  for (const [entries, reason] of many) {
    test(`a zip of ${entries} entries`, async (t) => {
      const dir = newVolume();
      writeFileSync(join(dir, "fusion-collectors.zip"), manyInZip(entries));
      await assertRefused(dir, reason, t);
    });
  }

  // A tar has no directory: its headers are read one by one, which takes its time.
  (LONG ? test : () => undefined)("a tar of over 100,000 empty files", async (t) => {
    const dir = newVolume();
    const path = join(dir, "fusion-collectors.tar.gz");
    writeFileSync(path, gzipSync(Buffer.concat(sidecarInTar)));
    for (let from = 0; from <= 100_000; from += 50_000) appendFileSync(path, manyInTar(from, 50_000));
    await assertRefused(dir, /more than 100,000 files/, t);
  });

  // A path in a tar may be as long as its own header says: one of gigabytes is not to be collected in memory.
  for (const [name, type] of [
    ["a GNU long name", "L"],
    ["a GNU long link", "K"],
    ["a pax header", "x"],
    ["a global pax header", "g"],
  ] as const) {
    test(`10 GB of zeros as ${name}`, async (t) => {
      const dir = newVolume();
      const head = Buffer.concat([...sidecarInTar, tarHeader("././@LongLink", 10_000_000_000, type)]);
      writeFileSync(join(dir, "fusion-collectors.tar.gz"), zerosBehind(head, LONG ? 10_000 : 1_000));
      await assertRefused(dir, /./, t);
    });
  }

  test("gigabytes of zeros as a file's content are read past", async () => {
    const dir = newVolume();
    // BK-Lite's installer unpacks 8 GiB.
    const size = (LONG ? 8_000 : 992) * MIB;
    const head = Buffer.concat([...sidecarInTar, tarHeader("fusion-collectors/zeros", size)]);
    const bytes = Buffer.concat([zerosBehind(head, size / MIB), gzipSync(END)]);
    writeFileSync(join(dir, "fusion-collectors.tar.gz"), bytes);
    const { verdict, maxRss } = await inspect(dir);
    assert.deepEqual(verdict, { accepted: true });
    assert.ok(maxRss < MEMORY, `${maxRss} bytes of memory`);
  });

  test("names that are not UTF-8 do not bring it down", async () => {
    const dir = newVolume();
    writeFileSync(
      join(dir, "fusion-collectors-1.0.0.zip"),
      zip({ name: Buffer.from("fusion-collectors/\xff\xfe\xe9", "latin1"), flags: 0 }),
    );
    writeFileSync(
      join(dir, "fusion-collectors-2.0.0.tar.gz"),
      tar(tarHeader(Buffer.from("fusion-collectors/\xff\xe9", "latin1"), 0)),
    );
    assert.deepEqual((await inspect(dir)).verdict, { accepted: true });
  });

  test("an honest zip64", async () => {
    const dir = newVolume();
    await buildArchive(join(dir, "fusion-collectors.zip"), { zip64: true });
    assert.deepEqual((await inspect(dir)).verdict, { accepted: true });
  });

  test("a FIFO and a folder that are named like archives are no archives", { timeout: 120_000 }, async () => {
    const dir = newVolume();
    execFileSync("mkfifo", [join(dir, "fusion-collectors-fifo.zip")]);
    mkdirSync(join(dir, "fusion-collectors-folder.zip"));
    await buildArchive(join(dir, "fusion-collectors.zip"));
    assert.deepEqual((await inspect(dir)).verdict, { accepted: true });
  });

  test("no permission: exit 66, the file named", async () => {
    const dir = newVolume();
    const path = join(dir, "fusion-collectors.zip");
    await buildArchive(path);
    chmodSync(path, 0);
    // root reads everything: somebody else has to try
    const { verdict } = await inspect(dir, process.getuid?.() === 0 ? 65534 : undefined);
    assert.ok(!verdict.accepted);
    assert.deepEqual(
      verdict.problems.map(({ file, code }) => [file, code]),
      [["fusion-collectors.zip", 66]],
    );
    assert.match(verdict.problems[0]?.reason ?? "", /EACCES|permission/);
  });
});
