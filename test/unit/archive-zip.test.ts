import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { describe, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { Entries } from "../../src/archive/entries.ts";
import { EXIT } from "../../src/exit.ts";
import { buildArchive } from "../support/archives.ts";
import {
  directoryEntry,
  endRecords,
  localHeader,
  type RawEnd,
  type RawEntry,
  rawZip,
} from "../support/raw-zip.ts";
import { knownSha256, problemOf, scan, scanOne, volume } from "../support/volume.ts";

const NAME = "fusion-collectors.zip";
const SIDECAR: RawEntry = {
  name: "fusion-collectors/collector-sidecar",
  data: "#!/bin/sh\n",
  mode: 0o100755,
};

/** Where the entry behind it begins. */
const AFTER_SIDECAR = localHeader(SIDECAR).length;

/** The problem with a zip that holds the sidecar and these entries. */
async function refused(entries: RawEntry[] | Buffer, end?: RawEnd) {
  const bytes = Buffer.isBuffer(entries) ? entries : rawZip([SIDECAR, ...entries], end);
  await using on = await volume({ [NAME]: bytes });
  const problem = await problemOf(scan(on.dir));
  assert.equal(problem.file, NAME);
  assert.equal(problem.code, EXIT.invalidPackage);
  return problem;
}

describe("a zip that is a package", () => {
  test("its members are known by their path below the top folder", async () => {
    await using on = await volume();
    await buildArchive(on.path(NAME), {
      version: "1.0.1\n",
      collectors: ["telegraf", "filebeat/filebeat", "jmx_jvm.jar"],
      entries: [
        { name: "bin/filebeat/module/system.yml", content: "deep" },
        { name: "lib/other", content: "not below bin" },
      ],
    });
    const archive = await scanOne(on.dir);
    assert.equal(archive.format, "zip");
    assert.equal(archive.topFolder, "fusion-collectors");
    assert.ok(archive.members.has("collector-sidecar"));
    assert.equal(knownSha256(archive), undefined, "only the directory is read");
    assert.deepEqual(archive.versions, [{ from: "VERSION", any: "1.0.1" }]);
    assert.deepEqual([...archive.members.keys()].sort(), [
      "VERSION",
      "bin/filebeat/filebeat",
      "bin/filebeat/module/system.yml",
      "bin/jmx_jvm.jar",
      "bin/telegraf",
      "collector-sidecar",
      "install.sh",
      "sidecar.service",
      "sidecar.yml",
      "uninstall.sh",
    ]);
    const telegraf = archive.members.get("bin/telegraf");
    assert.equal(telegraf?.size, 4096);
    assert.equal(telegraf?.mode, 0o755);
  });

  test("without a top folder, with ./ before the names, and with macOS's own folder", async () => {
    const variants: [string, RawEntry[]][] = [
      ["", [{ name: "collector-sidecar" }, { name: "bin/telegraf" }]],
      ["", [{ name: "bin/telegraf" }, { name: "bin/vector" }]],
      ["fc", [{ name: "./fc/collector-sidecar" }, { name: "./fc/bin/telegraf" }]],
      ["fc", [{ name: "fc/" }, { name: "fc/bin/telegraf" }, { name: "__MACOSX/fc/._telegraf" }]],
    ];
    for (const [top, entries] of variants) {
      await using on = await volume({ [NAME]: rawZip(entries) });
      const archive = await scanOne(on.dir);
      assert.equal(archive.topFolder, top);
      assert.ok(archive.members.has("bin/telegraf"));
    }
  });

  test("zip64 with and without data behind it, stored and deflated", async () => {
    await using on = await volume({ "fusion-collectors-raw.zip": rawZip([SIDECAR], { zip64: {} }) });
    await buildArchive(on.path("fusion-collectors-a.zip"), { zip64: true });
    await buildArchive(on.path("fusion-collectors-b.zip"), { zip64: true, payloadBytes: 300_000 });
    const archives = await scan(on.dir);
    assert.deepEqual(
      archives.map((one) => one.kind === "controller" && one.members.has("collector-sidecar")),
      [true, true, true],
    );
  });

  test("padded behind its end, as a copy from a tape or a form's upload is", async () => {
    await using on = await volume({ [NAME]: Buffer.concat([rawZip([SIDECAR]), Buffer.alloc(512)]) });
    assert.ok(await scanOne(on.dir));
  });

  test("links inside it, and permissions it does not have, are no reason to reject it", async () => {
    const entries: RawEntry[] = [
      { name: "fusion-collectors/bin/telegraf", mode: 0 },
      { name: "fusion-collectors/bin/link", mode: 0o120777, data: "../bin/./telegraf" },
      { name: "fusion-collectors/packed", mode: 0o120777, ...deflated("bin/telegraf") },
    ];
    await using on = await volume({ [NAME]: rawZip([SIDECAR, ...entries]) });
    const { members } = await scanOne(on.dir);
    assert.ok(members.has("bin/telegraf"));
    assert.ok(members.has("bin/link"), "what a link leads to is there under its name too");
  });

  test("20,000 entries", async () => {
    const entries = Array.from({ length: 20_000 }, (_, i) => ({ name: `fusion-collectors/lib/${i}` }));
    await using on = await volume({ [NAME]: rawZip([SIDECAR, ...entries]) });
    assert.equal((await scanOne(on.dir)).members.size, 1);
  });
});

function deflated(text: string): Partial<RawEntry> {
  const data = deflateRawSync(text);
  return { data, method: 8, size: text.length };
}

const top = (name: string) => `fusion-collectors/${name}`;

describe("however it is packed", () => {
  const add = (entries: Entries, path: string, kind: "file" | "directory" = "file") =>
    entries.add({ path, kind, size: 0, mode: 0o644 });

  test("an archive of 100,000 files is accepted, and not one more", async () => {
    const entries = new Entries(NAME);
    for (let i = 0; i < 100_000; i++) add(entries, `fc/lib/${i}`);
    add(entries, "fc/log", "directory");
    const problem = await problemOf((async () => add(entries, "fc/lib/more"))());
    assert.equal(problem.id, "archive.limit.files");
    assert.equal(problem.reason, "contains more than 100,000 files, the limit of BK-Lite's installer");
    assert.equal(entries.finish().entries.length, 100_001);
  });

  test("folders without end are rejected too", async () => {
    const entries = new Entries(NAME);
    const fill = async () => {
      for (let i = 0; i < 300_000; i++) add(entries, `fc/lib/${i}`, "directory");
    };
    assert.match((await problemOf(fill())).reason, /contains more than/);
  });
});

/** What is wrong with it → entries beside the sidecar, words of the reason. */
const HOSTILE: [what: string, entries: RawEntry[], reason: RegExp][] = [
  ["an absolute path", [{ name: "/etc/passwd" }], /an absolute path: \/etc\/passwd$/],
  [
    "a backslash",
    [{ name: "fusion-collectors\\bin\\telegraf" }],
    /a name with a backslash: .*\\bin\\telegraf$/,
  ],
  ["a way up", [{ name: top("bin/../../x") }], /a path with \.\.: /],
  ["a way up at the end", [{ name: top("..") }], /a path with \.\.: /],
  ["a NUL in a name", [{ name: top("bin/tele\0graf") }], /a NUL character: .*tele\\u\{0\}graf$/],
  ["a drive letter", [{ name: "C:/telegraf" }], /a drive letter: C:\/telegraf$/],
  ["control characters in a name", [{ name: "/\u001b[2Jx\n" }], /absolute path: \/\\u\{1b\}\[2Jx\\u\{a\}$/],
  ["a name too long for a file system", [{ name: top("x".repeat(256)) }], /too long to be unpacked: /],
  ["a path too long for a file system", [{ name: top("abc/".repeat(1100)) }], /too long to be unpacked: /],
  ["no name", [{ name: "./", mode: 0o40755 }, { name: "" }], /an entry without a name$/],
  ["a device", [{ name: top("tty"), mode: 0o020666 }], /contains a device: fusion-collectors\/tty$/],
  ["a block device", [{ name: top("sda"), mode: 0o060666 }], /contains a device/],
  ["a FIFO", [{ name: top("pipe"), mode: 0o010666 }], /contains a FIFO/],
  ["a socket", [{ name: top("sock"), mode: 0o140666 }], /contains a socket/],
  ["one name twice", [{ name: top("a") }, { name: top("a") }], /same name: fusion-collectors\/a$/],
  ["one name twice, spelled differently", [{ name: top("a") }, { name: top("./a") }], /same name: /],
  [
    "a file with a folder's name",
    [{ name: top("a/") }, { name: top("a") }],
    /same name: fusion-collectors\/a$/,
  ],
  [
    "one name twice among thousands",
    [...Array(3000).keys(), 17].map((i) => ({ name: top(`lib/${i}`) })),
    /same name: fusion-collectors\/lib\/17$/,
  ],
  ["a folder with a file's name", [{ name: top("a") }, { name: top("a/") }], /same name: /],
  [
    "a link to an absolute path",
    [{ name: top("l"), mode: 0o120777, data: "/etc" }],
    /leads out of the archive: .*l -> \/etc$/,
  ],
  [
    "a link that leads out",
    [{ name: top("l"), mode: 0o120777, data: "../../x" }],
    /leads out of the archive/,
  ],
  [
    "a packed link that leads out",
    [{ name: "l", mode: 0o120777, ...deflated("..") }],
    /leads out of the archive: l -> \.\.$/,
  ],
  ["a link to nothing", [{ name: top("l"), mode: 0o120777 }], /leads out of the archive/],
  [
    "an endless link",
    [{ name: top("l"), mode: 0o120777, data: "a/".repeat(4000) }],
    /a symbolic link whose target is longer than 4096 bytes: /,
  ],
  [
    "an entry below a link",
    [{ name: top("l"), mode: 0o120777, data: "bin" }, { name: top("l/telegraf") }],
    /an entry below a link: fusion-collectors\/l\/telegraf$/,
  ],
  [
    "encryption",
    [{ name: top("secret"), flags: 1, data: "x".repeat(20), size: 8 }],
    /is encrypted: .*secret$/,
  ],
  ["strong encryption", [{ name: top("secret"), flags: 0x41 }], /is encrypted: fusion-collectors/],
  ["AES encryption", [{ name: top("secret"), method: 99 }], /is encrypted: .*secret$/],
  [
    "a method that is not deflate",
    [{ name: top("b"), method: 12 }],
    /with method 12, which .* does not support$/,
  ],
  [
    "entries that overlap",
    [{ name: top("a"), offset: 0 }],
    /overlap, at fusion-collectors\/(a|collector-sidecar)$/,
  ],
  [
    "an entry inside another's data",
    [
      { name: top("a"), data: rawZip([{ name: top("b"), data: "x" }]) },
      { name: top("b"), data: "x", withoutLocal: true, offset: AFTER_SIDECAR + 49 },
    ],
    /overlap, at fusion-collectors\/b$/,
  ],
  [
    "a local extra field that swallows the next entry",
    [
      { name: top("a"), localExtra: Buffer.alloc(8) },
      { name: top("b"), offset: AFTER_SIDECAR + 49 },
    ],
    /overlap, at fusion-collectors\/a$/,
  ],
  [
    "data beyond its end",
    [{ name: top("a"), packedSize: 5000, size: 5000 }],
    /data of .*a that runs into the central directory/,
  ],
  [
    "an entry beyond its end",
    [{ name: top("a"), offset: 1e6 }],
    /data of .*a that runs into the central directory/,
  ],
  [
    "another name in the local header",
    [{ name: top("a"), localName: top("b") }],
    /local header that contradicts .*: .*a$/,
  ],
  [
    "a stored entry of two sizes",
    [{ name: top("a"), data: "abc", size: 4 }],
    /is damaged: .*a does not have the length in the central directory$/,
  ],
];

describe("a zip that is rejected because it holds", () => {
  for (const [what, entries, reason] of HOSTILE) {
    test(what, async () => assert.match((await refused(entries)).reason, reason));
  }
});

describe("a zip that is rejected because it is", () => {
  const whole = rawZip([SIDECAR, { name: top("bin/telegraf"), data: "t".repeat(3000) }]);

  test("empty", async () => {
    assert.match((await refused(Buffer.alloc(0))).reason, /^is empty$/);
    assert.match((await refused(rawZip([]))).reason, /^is empty$/);
  });

  test("cut short, anywhere", async () => {
    for (const length of [whole.length - 1, whole.length - 22, whole.length - 60, 3000, 100]) {
      const { reason, hint } = await refused(whole.subarray(0, length));
      assert.equal(reason, "is cut short: it has no central directory", `${length} bytes`);
      assert.match(hint, /copy the file again/);
    }
    assert.match((await refused(whole.subarray(0, 3))).reason, /^is neither a zip nor a gzip file/);
  });

  test("without its beginning", async () => {
    assert.match((await refused(whole.subarray(10))).reason, /central directory/);
    const { reason } = await refused(Buffer.concat([whole.subarray(0, 100), whole.subarray(200)]));
    assert.match(reason, /central directory/);
  });

  test("another format than its ending says", async () => {
    assert.match(
      (await refused(Buffer.from("7z\xbc\xaf\x27\x1c and so on", "latin1"))).reason,
      /^is a 7z file, which BK-Lite cannot unpack$/,
    );
    const { reason, hint } = await refused(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]));
    assert.match(reason, /^is a gzip file, but its name says otherwise$/);
    assert.match(hint, /rename it: mv -n fusion-collectors\.zip fusion-collectors\.tar\.gz/);
  });

  test("without the local header that its directory points to", async () => {
    const broken = Buffer.from(whole);
    broken.writeUInt32LE(0, whole.indexOf(top("bin/telegraf")) - 30);
    assert.match(
      (await refused(broken)).reason,
      /^has no local header for fusion-collectors\/bin\/telegraf$/,
    );
  });

  test("of two minds about an entry", async () => {
    const at = AFTER_SIDECAR;
    const fields = { flags: at + 6, method: at + 8, crc: at + 14, packedSize: at + 18, size: at + 22 };
    for (const [field, position] of Object.entries(fields)) {
      const bytes = rawZip([SIDECAR, { name: top("a"), data: "abc" }]);
      bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position);
      const { reason } = await refused(bytes);
      assert.equal(
        reason,
        "has a local header that contradicts its central directory: fusion-collectors/a",
        field,
      );
    }
  });

  test("of two minds about how many entries it has", async () => {
    const more = { name: top("a") };
    assert.match(
      (await refused([more], { count: 1 })).reason,
      /an end record that gives a wrong place or length/,
    );
    assert.match((await refused([more], { count: 3 })).reason, /an end record that gives a wrong place/);
    assert.match(
      (await refused([more], { directorySize: 10 })).reason,
      /an end record that gives a wrong place or length/,
    );
    assert.match((await refused([more], { directoryStart: 0 })).reason, /runs into the central directory/);
    const between = Buffer.from("not of the directory");
    const end = whole.length - 22;
    const parted = Buffer.concat([whole.subarray(0, end), between, whole.subarray(end)]);
    assert.match((await refused(parted)).reason, /an end record that gives a wrong place or length/);
    assert.match(
      (await refused([more], { zip64: { directorySize: 10 } })).reason,
      /an end record that gives a wrong place or length/,
    );
    assert.match(
      (await refused([more], { zip64: { count: 1 } })).reason,
      /an end record that gives a wrong place or length/,
    );
  });

  test("of more entries than any installer accepts", async () => {
    const entry = directoryEntry({ name: "fusion-collectors/0000000" }, 0);
    const count = 200_001;
    await using on = await volume({ [NAME]: localHeader(SIDECAR) });
    const file = await open(on.path(NAME), "a");
    try {
      const thousand = Buffer.concat(Array.from({ length: 1000 }, () => entry));
      for (let written = 0; written < 200; written++) await file.write(thousand);
      await file.write(entry);
      await file.write(endRecords(count, entry.length * count, AFTER_SIDECAR, { zip64: {} }));
    } finally {
      await file.close();
    }
    const { reason } = await problemOf(scan(on.dir));
    assert.equal(reason, "contains more than 100,000 files, the limit of BK-Lite's installer");
  });

  test("of many entries in a file that has no space for them", async () => {
    assert.match(
      (await refused([], { zip64: { count: 90_000 } })).reason,
      /an end record that gives a wrong place or length/,
    );
  });
});
