import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFile,
  chmod,
  copyFile,
  readFile,
  rename,
  rm,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { describe, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import type { ExecutableType } from "../../src/archive/types.ts";
import { EXIT } from "../../src/exit.ts";
import type { ControllerArchive } from "../../src/packages/package.ts";
import { readFiles } from "../../src/packages/read.ts";
import { fileDigest, verifyArchive } from "../../src/packages/sources.ts";
import { readExecutableType } from "../../src/packages/validate.ts";
import { fileSource } from "../../src/volume/files.ts";
import { buildArchive } from "../support/archives.ts";
import { binaryHeader, elfHeader, peHeader } from "../support/binaries.ts";
import { type RawEntry, rawZip } from "../support/raw-zip.ts";
import { knownSha256, problemOf, scan, scanOne, volume } from "../support/volume.ts";

const NAME = "fusion-collectors.zip";
const never = new AbortController().signal;
/** The type of `bin/telegraf`. */
async function typeOf(archive: ControllerArchive): Promise<ExecutableType> {
  const entry = archive.members.get("bin/telegraf");
  assert.ok(entry);
  return readExecutableType(archive, entry);
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Every byte of a source, copied out as an uploader does. */
async function drain(source: ReturnType<typeof fileSource>, blockSize: number): Promise<Buffer[]> {
  const blocks: Buffer[] = [];
  for await (const block of source.blocks(blockSize, never)) blocks.push(Buffer.from(block));
  return blocks;
}

describe("an archive's bytes", () => {
  test("come in blocks of one size, in order; the digest is that of the file", async () => {
    await using on = await volume();
    await buildArchive(on.path(NAME), { payloadBytes: 2_500_000 });
    const bytes = await readFile(on.path(NAME));
    const archive = await scanOne(on.dir);
    assert.equal(await fileDigest(archive, never), sha256(bytes));
    assert.equal(knownSha256(archive), sha256(bytes));
    const source = fileSource(archive);
    assert.equal(source.size, bytes.length);
    for (const blockSize of [1000, 131_072, 1_000_000, bytes.length, 10_000_000]) {
      const blocks = await drain(source, blockSize);
      assert.ok(Buffer.concat(blocks).equals(bytes), `blocks of ${blockSize}`);
      assert.equal(blocks.length, Math.ceil(bytes.length / blockSize));
      assert.ok(blocks.slice(0, -1).every(({ length }) => length === blockSize));
    }
  });

  test("a consumer may stop, and an aborted run stops", async () => {
    await using on = await volume();
    await buildArchive(on.path(NAME), { payloadBytes: 500_000 });
    const archive = await scanOne(on.dir);
    for await (const block of fileSource(archive).blocks(1000, never)) {
      assert.equal(block.length, 1000);
      break;
    }
    const reason = new Error("stopped");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(fileDigest(archive, signal), reason);
    await assert.rejects(verifyArchive(archive, signal), reason);
    await assert.rejects(async () => {
      for await (const _ of fileSource(archive).blocks(1000, signal)) assert.fail();
    }, reason);
    await assert.rejects(readFiles([archive], { signal }), reason);
  });
});

const CHANGES: [what: string, change: (path: string) => Promise<void>][] = [
  ["grew", (path) => appendFile(path, "x")],
  ["shrank", (path) => truncate(path, 100)],
  ["was written again", async (path) => writeFile(path, await readFile(path))],
  [
    "holds other bytes under its old time",
    async (path) => {
      const bytes = await readFile(path);
      execFileSync("touch", ["-r", path, `${path}.time`]);
      await writeFile(path, bytes.fill(0, 0, 1));
      execFileSync("touch", ["-r", `${path}.time`, path]);
    },
  ],
  ["was touched", (path) => utimes(path, 1, 1)],
  [
    "was replaced by a copy",
    async (path) => {
      await copyFile(path, `${path}.part`);
      await rename(`${path}.part`, path);
    },
  ],
];

describe("a file that changed since the scan is exit 74", () => {
  for (const [what, change] of CHANGES) {
    test(what, async () => {
      await using on = await volume();
      await buildArchive(on.path(NAME));
      const archive = await scanOne(on.dir);
      await change(on.path(NAME));
      for (const work of [
        () => fileDigest(archive, never),
        () => verifyArchive(archive, never),
        () => typeOf(archive),
        () => drain(fileSource(archive), 4096),
      ]) {
        const problem = await problemOf(work());
        assert.equal(problem.code, EXIT.fileRead);
        assert.deepEqual([problem.id, problem.reason], ["file.changed", "changed while it was read"]);
      }
    });
  }

  test("also when it changes between the first block and the last", async () => {
    await using on = await volume();
    await buildArchive(on.path(NAME), { payloadBytes: 500_000 });
    const archive = await scanOne(on.dir);
    const read = async () => {
      let blocks = 0;
      for await (const _ of fileSource(archive).blocks(1000, never)) {
        if (blocks++ === 10) await utimes(on.path(NAME), 1, 1);
      }
    };
    assert.equal((await problemOf(read())).code, EXIT.fileRead);
  });

  test("and one that is gone, or may not be read, says so", async () => {
    await using on = await volume();
    await buildArchive(on.path(NAME));
    const archive = await scanOne(on.dir);
    await rm(on.path(NAME));
    for (const work of [() => fileDigest(archive, never), () => drain(fileSource(archive), 4096)]) {
      const problem = await problemOf(work());
      assert.equal(problem.code, EXIT.fileRead);
      assert.equal(problem.id, "file.unreadable");
      assert.match(problem.reason, /^could not be read: ENOENT/);
    }
  });

  test("so is an archive that may not be read at all", async (t) => {
    // root may read everything, so the operating system is asked as somebody else
    if (process.getuid?.() === 0) process.seteuid?.(65532);
    t.after(() => process.seteuid?.(process.getuid?.() ?? 0));
    await using on = await volume();
    await buildArchive(on.path(NAME));
    await chmod(on.path(NAME), 0);
    const problem = await problemOf(scan(on.dir));
    assert.deepEqual([problem.id, problem.code], ["file.denied", EXIT.noInput]);
    assert.match(problem.hint, /readable/);
    assert.match(problem.reason, /mode 0000/);
  });

  test("and one in a folder that may not be entered, by that folder's owner and mode", async (t) => {
    if (process.getuid?.() === 0) process.seteuid?.(65532);
    t.after(() => process.seteuid?.(process.getuid?.() ?? 0));
    await using on = await volume();
    await buildArchive(on.path(`sub/${NAME}`));
    await chmod(on.path("sub"), 0o444);
    try {
      const problem = await problemOf(scan(on.dir));
      assert.deepEqual([problem.id, problem.code], ["file.denied", EXIT.noInput]);
      assert.match(problem.reason, /\(folder .*\/sub: owner \d+:\d+, mode 0444, read as/);
    } finally {
      await chmod(on.path("sub"), 0o755);
    }
  });
});

describe("ARCHIVE_CHECK=full", () => {
  const deflated = (data: Buffer, level = 6) => ({
    data: deflateRawSync(data, { level }),
    method: 8,
    size: data.length,
  });
  const text = Buffer.from("a line of some text\n".repeat(20_000));
  const entry = (more: Partial<RawEntry>): RawEntry => ({
    name: "fusion-collectors/bin/telegraf",
    mode: 0o100755,
    ...more,
  });

  async function verified(...entries: RawEntry[]) {
    await using on = await volume({
      [NAME]: rawZip([{ name: "fusion-collectors/collector-sidecar" }, ...entries]),
    });
    await verifyArchive(await scanOne(on.dir), never);
  }

  test("passes what is whole: stored, deflated, zip64, with sizes behind the data, tar.gz", async () => {
    await using on = await volume();
    await buildArchive(on.path("fusion-collectors-a.zip"));
    await buildArchive(on.path("fusion-collectors-b.zip"), { payloadBytes: 1_000_000 });
    await buildArchive(on.path("fusion-collectors-c.zip"), { zip64: true, payloadBytes: 1000 });
    await buildArchive(on.path("fusion-collectors-d.tar.gz"));
    const program = Buffer.concat([elfHeader(62), text]);
    const entries = [
      entry(crcOf(text, deflated(text))),
      entry({ name: "fusion-collectors/empty" }),
      entry({ name: "fusion-collectors/program", ...crcOf(program, deflated(program, 1)) }),
      entry({
        name: "fusion-collectors/small",
        ...crcOf(text.subarray(0, 10), deflated(text.subarray(0, 10))),
      }),
    ];
    await writeFile(
      on.path("fusion-collectors-e.zip"),
      rawZip([{ name: "fusion-collectors/collector-sidecar" }, ...entries]),
    );
    const archives = await scan(on.dir);
    assert.equal(archives.length, 5);
    for (const archive of archives) await verifyArchive(archive, never);
  });

  for (const [size, content] of [
    ["small", text.subarray(0, 1000)],
    ["large", text],
  ] as const) {
    const whole = crcOf(content, deflated(content));
    const broken = Buffer.from(whole.data as Buffer);
    broken[broken.length >> 1] = 255 - (broken[broken.length >> 1] ?? 0);
    const DAMAGE: [what: string, more: Partial<RawEntry>, reason: RegExp][] = [
      ["another CRC", { ...whole, crc: 1 }, /telegraf does not match its CRC-32$/],
      [
        "a flipped byte where it is stored",
        { data: content, crc: (whole.crc ?? 0) ^ 1 },
        /telegraf does not match its CRC-32/,
      ],
      [
        "a flipped byte where it is deflated",
        { ...whole, data: broken },
        /telegraf (cannot be inflated: |does not have|does not match its CRC-32)/,
      ],
      [
        "more bytes than it admits",
        { ...whole, size: content.length - 1 },
        /telegraf (cannot be inflated: it is longer|does not have the length)/,
      ],
      [
        "fewer bytes than it claims",
        { ...whole, size: content.length + 1 },
        /telegraf does not have the length/,
      ],
      [
        "an end before its end",
        { ...whole, data: Buffer.concat([whole.data as Buffer, Buffer.alloc(70_000)]) },
        /telegraf does not have the length/,
      ],
      [
        "no end",
        { ...whole, data: (whole.data as Buffer).subarray(0, -5) },
        /telegraf cannot be inflated: unexpected end of file$/,
      ],
    ];
    for (const [what, more, reason] of DAMAGE) {
      test(`finds a ${size} entry with ${what}`, async () => {
        const problem = await problemOf(
          verified(entry(more), entry({ name: "fusion-collectors/more", data: "more" })),
        );
        assert.equal(problem.file, NAME);
        assert.equal(problem.code, EXIT.invalidPackage);
        assert.match(problem.reason, /^is damaged: fusion-collectors\/bin\//);
        assert.match(problem.reason, reason);
      });
    }
  }

  test("reads every local header, also where the scan reads only some", async () => {
    const entries = Array.from(
      { length: 2000 },
      (_, i): RawEntry => ({ name: `fusion-collectors/lib/${i}` }),
    );
    entries[1000] = { name: "fusion-collectors/lib/1000", localName: "fusion-collectors/lib/xxxx" };
    const problem = await problemOf(verified(...entries));
    assert.match(
      problem.reason,
      /local header that contradicts its central directory: fusion-collectors\/lib\/1000$/,
    );
  });
});

/** The entry with the CRC-32 of what it unpacks to. */
function crcOf(content: Buffer, more: Partial<RawEntry>): Partial<RawEntry> {
  return { crc: rawZip([{ name: "", data: content }]).readUInt32LE(14), ...more };
}

describe("what a program's first bytes say", () => {
  const macho = Buffer.from(`cffaedfe07000001${"00".repeat(24)}`, "hex");
  const javaClass = Buffer.from(`cafebabe0000003d${"00".repeat(24)}`, "hex");
  const bigEndian = elfHeader(62);
  bigEndian[5] = 2;
  bigEndian.writeUInt16BE(183, 18);
  const PROGRAMS: [what: string, bytes: Buffer, kind: object][] = [
    ["ELF x86_64", binaryHeader("linux", "x86_64"), { format: "elf", machine: "x86_64" }],
    ["ELF arm64", binaryHeader("linux", "arm64"), { format: "elf", machine: "arm64" }],
    ["ELF x86", elfHeader(3), { format: "elf", machine: "x86" }],
    ["ELF MIPS", elfHeader(8), { format: "elf", machine: "other" }],
    ["ELF, big endian", bigEndian, { format: "elf", machine: "arm64" }],
    ["PE x86_64", binaryHeader("windows", "x86_64"), { format: "pe", machine: "x86_64" }],
    ["PE arm64", binaryHeader("windows", "arm64"), { format: "pe", machine: "arm64" }],
    ["PE x86", peHeader(0x14c), { format: "pe", machine: "x86" }],
    ["a DOS program", Buffer.concat([Buffer.from("MZ"), Buffer.alloc(200)]), { format: "other" }],
    [
      "a PE header far away",
      Buffer.concat([Buffer.from("MZ"), Buffer.alloc(58), Buffer.alloc(4, 0xff)]),
      { format: "other" },
    ],
    ["Mach-O", macho, { format: "macho" }],
    ["a Mach-O of several", Buffer.from(`cafebabe00000002${"00".repeat(8)}`, "hex"), { format: "macho" }],
    ["a Java class", javaClass, { format: "other" }],
    ["a script", Buffer.from("#!/bin/sh\n"), { format: "other" }],
    ["nothing", Buffer.alloc(0), { format: "other" }],
    [
      "half an ELF header",
      elfHeader(62).subarray(0, 10),
      { format: "other", cut: { bytes: 10, needed: 64 } },
    ],
  ];
  for (const [what, bytes, kind] of PROGRAMS) {
    test(what, async () => {
      await using on = await volume();
      const options = { collectors: [], entries: [{ name: "bin/telegraf", content: bytes, mode: 0o755 }] };
      await buildArchive(on.path("fusion-collectors-a.zip"), options);
      await buildArchive(on.path("fusion-collectors-b.tar.gz"), options);
      for (const archive of await scan(on.dir)) {
        assert.ok(archive.kind === "controller");
        assert.deepEqual(await typeOf(archive), kind, archive.format);
      }
    });
  }

  test("a bomb costs no more than its first bytes", async () => {
    const zeros = Buffer.concat([elfHeader(62), Buffer.alloc(50_000_000)]);
    const data = deflateRawSync(zeros);
    const bomb: RawEntry = { name: "bin/telegraf", data, method: 8, size: zeros.length };
    await using on = await volume({ [NAME]: rawZip([bomb]) });
    assert.deepEqual(await typeOf(await scanOne(on.dir)), {
      format: "elf",
      machine: "x86_64",
    });
  });

  test("of an entry that cannot be inflated is exit 65", async () => {
    const broken: RawEntry = { name: "bin/telegraf", data: Buffer.alloc(100, 0xff), method: 8, size: 1000 };
    await using on = await volume({ [NAME]: rawZip([broken]) });
    const problem = await problemOf(typeOf(await scanOne(on.dir)));
    assert.match(problem.reason, /^is damaged: bin\/telegraf cannot be inflated: /);
    assert.equal(problem.code, EXIT.invalidPackage);
  });
});
