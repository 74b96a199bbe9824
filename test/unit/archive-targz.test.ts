import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { constants, crc32, gunzipSync, gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { EXIT } from "../../src/exit.ts";
import { buildArchive } from "../support/archives.ts";
import { elfHeader } from "../support/binaries.ts";
import { knownSha256, problemOf, scan, scanOne, volume } from "../support/volume.ts";

const NAME = "fusion-collectors-1.0.0.tar.gz";

interface TarEntry {
  name: string;
  type?: "file" | "directory" | "symlink" | "link" | "fifo" | "character-device" | "block-device";
  linkname?: string;
  content?: string | Buffer;
  pax?: Record<string, string>;
}

/** A tar that ends as a tar should; the sidecar is in it already. */
async function tar(...entries: TarEntry[]): Promise<Buffer> {
  const packed = pack();
  packed.entry({ name: "fusion-collectors/collector-sidecar" }, "#!/bin/sh\n");
  for (const { content, ...header } of entries)
    packed.entry({ type: "file", ...header }, Buffer.from((content ?? "") as string));
  packed.finalize();
  return buffer(packed);
}

async function refused(bytes: Buffer) {
  await using on = await volume({ [NAME]: bytes });
  const problem = await problemOf(scan(on.dir));
  assert.equal(problem.file, NAME);
  assert.equal(problem.code, EXIT.invalidPackage);
  return problem.reason;
}

async function accepted(bytes: Buffer) {
  await using on = await volume({ [NAME]: bytes });
  return await scanOne(on.dir);
}

describe("a tar.gz that is a package", () => {
  test("one pass tells members, kinds, VERSION and SHA-256", async () => {
    await using on = await volume();
    await buildArchive(on.path(NAME), {
      arch: "arm64",
      version: 'LINUX_SIDECAR_VERSION="1.0.1"\nWINDOWS_SIDECAR_VERSION="1.0.2"\n',
      collectors: ["telegraf", "filebeat/filebeat"],
      payloadBytes: 3_000_000,
    });
    const archive = await scanOne(on.dir);
    assert.equal(archive.format, "tar.gz");
    assert.equal(archive.topFolder, "fusion-collectors");
    assert.ok(archive.members.has("collector-sidecar"));
    assert.deepEqual(archive.versions, [{ from: "VERSION", linux: "1.0.1", windows: "1.0.2" }]);
    assert.equal(
      knownSha256(archive),
      createHash("sha256")
        .update(await readFile(on.path(NAME)))
        .digest("hex"),
    );
    const { offset = 0, ...filebeat } = archive.members.get("bin/filebeat/filebeat") ?? {};
    assert.deepEqual(filebeat, {
      path: "fusion-collectors/bin/filebeat/filebeat",
      kind: "file",
      size: 1_000_000,
      mode: 0o755,
      executableType: { format: "elf", machine: "arm64" },
    });
    const unpacked = gunzipSync(await readFile(on.path(NAME)));
    assert.deepEqual(unpacked.subarray(offset, offset + 120), elfHeader(183), "where its bytes begin");
    assert.deepEqual(archive.members.get("install.sh")?.executableType, { format: "other" });
  });

  test("several gzip members are one file", async () => {
    const whole = await tar({ name: "fusion-collectors/bin/telegraf", content: "x".repeat(5000) });
    const parts = [
      whole.subarray(0, 700),
      whole.subarray(700, 700),
      whole.subarray(700, 2048),
      whole.subarray(2048),
    ];
    const archive = await accepted(Buffer.concat(parts.map((part) => gzipSync(part))));
    assert.ok(archive.members.has("bin/telegraf"));
  });

  test("with ./ before the names, long names, one block of zeros at the end, or many", async () => {
    const long = `fusion-collectors/lib/${"long/".repeat(60)}name`;
    const whole = await tar(
      { name: "./fusion-collectors/bin/telegraf", content: elfHeader(62) },
      { name: long },
    );
    for (const bytes of [whole, whole.subarray(0, -512), Buffer.concat([whole, Buffer.alloc(10_240)])]) {
      const archive = await accepted(gzipSync(bytes));
      assert.equal(archive.topFolder, "fusion-collectors");
      assert.deepEqual(archive.members.get("bin/telegraf")?.executableType, {
        format: "elf",
        machine: "x86_64",
      });
    }
  });

  test("links inside it; a hard link is the file that it names", async () => {
    const archive = await accepted(
      gzipSync(
        await tar(
          { name: "fusion-collectors/bin/telegraf", content: elfHeader(183) },
          { name: "fusion-collectors/bin/vector", type: "link", linkname: "fusion-collectors/bin/telegraf" },
          { name: "fusion-collectors/lib", type: "symlink", linkname: "./bin/../bin" },
        ),
      ),
    );
    assert.deepEqual(archive.members.get("bin/vector"), {
      path: "fusion-collectors/bin/vector",
      kind: "file",
      size: 120,
      mode: 0o644,
      offset: 1536,
      executableType: { format: "elf", machine: "arm64" },
    });
  });

  test("folders may come twice, and so may 3,000 entries", async () => {
    const entries: TarEntry[] = Array.from({ length: 3000 }, (_, i) => ({
      name: `fusion-collectors/lib/${i}`,
    }));
    const folder: TarEntry = { name: "fusion-collectors/lib/", type: "directory" };
    const archive = await accepted(gzipSync(await tar(folder, folder, ...entries)));
    assert.equal(archive.members.size, 1);
  });
});

const top = (name: string) => `fusion-collectors/${name}`;
const HOSTILE: [what: string, entries: TarEntry[], reason: RegExp][] = [
  ["an absolute path", [{ name: "/etc/passwd" }], /an absolute path: \/etc\/passwd$/],
  ["a backslash", [{ name: "bin\\telegraf" }], /a name with a backslash: bin\\telegraf$/],
  ["a way up", [{ name: top("../../x") }], /a path with \.\.: /],
  ["a NUL in a pax name", [{ name: "x", pax: { path: "tele\0graf" } }], /a NUL character: tele\\u\{0\}graf$/],
  ["a drive letter", [{ name: "c:telegraf" }], /drive letter: c:telegraf$/],
  ["a character device", [{ name: top("tty"), type: "character-device" }], /contains a device: .*tty$/],
  ["a block device", [{ name: top("sda"), type: "block-device" }], /contains a device/],
  ["a FIFO", [{ name: top("pipe"), type: "fifo" }], /contains a FIFO/],
  [
    "a folder with a file's name",
    [{ name: top("a") }, { name: top("a/"), type: "directory" }],
    /same name: fusion-collectors\/a$/,
  ],
  [
    "a link to an absolute path",
    [{ name: top("l"), type: "symlink", linkname: "/etc" }],
    /leads out of the archive: .* -> \/etc$/,
  ],
  [
    "a link that leads out",
    [{ name: top("l"), type: "symlink", linkname: "../.." }],
    /leads out of the archive/,
  ],
  [
    "a hard link that leads out",
    [{ name: top("l"), type: "link", linkname: "../x" }],
    /leads out of the archive/,
  ],
  [
    "an entry below a link",
    [{ name: top("l"), type: "symlink", linkname: "bin" }, { name: top("l/x") }],
    /an entry below a link: fusion-collectors\/l\/x$/,
  ],
];

describe("a tar.gz that is rejected because it holds", () => {
  for (const [what, entries, reason] of HOSTILE) {
    test(what, async () => assert.match(await refused(gzipSync(await tar(...entries))), reason));
  }

  test("entries behind its end", async () => {
    const whole = await tar({ name: top("bin/telegraf") });
    assert.match(
      await refused(gzipSync(Buffer.concat([whole, whole]))),
      /entries after its end marker, which no tar program unpacks: /,
    );
  });

  test("a header as long as a bomb", async () => {
    const pax = Buffer.from((await tar({ name: "x", pax: { path: "y" } })).subarray(1024));
    assert.equal(pax.toString("latin1", 156, 157), "x");
    pax.write("77777777777\0", 124, "latin1");
    assert.match(
      await refused(gzipSync(withChecksum(pax))),
      /an extended tar header that cannot be read, at byte 0$/,
    );
  });
});

/** A tar whose first header has been altered, with that header's checksum made good. */
function withChecksum(bytes: Buffer): Buffer {
  bytes.write(" ".repeat(8), 148, "latin1");
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

describe("a tar.gz that is rejected because it is", () => {
  test("empty", async () => {
    assert.equal(await refused(Buffer.alloc(0)), "is empty");
    assert.equal(await refused(gzipSync(Buffer.alloc(0))), "is empty");
    assert.equal(await refused(gzipSync(Buffer.alloc(10_240))), "is empty");
  });

  test("cut short as a gzip, anywhere", async () => {
    const whole = gzipSync(await tar({ name: top("bin/telegraf"), content: "x".repeat(5000) }));
    for (const length of [12, 50, whole.length - 9, whole.length - 8, whole.length - 1]) {
      assert.equal(
        await refused(whole.subarray(0, length)),
        "is cut short: its gzip data has no end",
        `${length} bytes`,
      );
    }
  });

  test("a whole gzip of a tar that was cut short", async () => {
    const whole = await tar({ name: top("bin/telegraf"), content: "x".repeat(5000) });
    const end = whole.length - 1024;
    assert.equal(
      await refused(gzipSync(whole.subarray(0, end))),
      "is cut short: its tar has no end-of-archive marker",
    );
    // what the cut leaves ends in zeros, but they are a file's
    const zeros = await tar({ name: top("bin/telegraf"), content: Buffer.alloc(4096) });
    assert.match(await refused(gzipSync(zeros.subarray(0, -1024))), /no end-of-archive marker/);
    for (const length of [end - 512, end - 3000, 1024 + 100]) {
      assert.match(await refused(gzipSync(whole.subarray(0, length))), /no end-of-archive/);
    }
  });

  test("damaged", async () => {
    const plain = await tar({ name: top("bin/telegraf"), content: "x".repeat(5000) });
    const whole = gzipSync(plain, { level: constants.Z_NO_COMPRESSION });
    const flipped = Buffer.from(whole);
    flipped[3000] = 0xff;
    assert.equal(await refused(flipped), "has damaged gzip data: incorrect data check");
    const length = Buffer.from(whole);
    length[length.length - 1] = 0xff;
    assert.equal(await refused(length), "has damaged gzip data: incorrect length check");
    const header = Buffer.from(plain);
    header[5] = 0x41;
    assert.match(
      await refused(gzipSync(header)),
      /^contains a damaged tar: there is no valid header at byte 0$/,
    );
  });

  test("with the beginning of another gzip member behind its last", async () => {
    const more = Buffer.from([0x1f, 0x8b]);
    assert.match(await refused(Buffer.concat([gzipSync(await tar()), more])), /has no end$/);
  });

  test("but not with a name and a comment in the header of its gzip", async () => {
    const packed = gzipSync(await tar({ name: top("bin/filebeat"), content: "x".repeat(300_000) }));
    // FLG: a name, a comment and a checksum of the header (RFC 1952)
    const header = Buffer.concat([
      packed.subarray(0, 3),
      Buffer.from([0x1a]),
      packed.subarray(4, 10),
      Buffer.from("a.tar\0by hand\0"),
    ]);
    const sum = Buffer.alloc(2);
    sum.writeUInt16LE(crc32(header) & 0xffff);
    const named = Buffer.concat([header, sum, packed.subarray(10)]);
    for (const whole of [packed, named]) {
      const archive = await accepted(whole);
      assert.equal(knownSha256(archive), createHash("sha256").update(whole).digest("hex"));
      assert.ok(archive.entries.some(({ path }) => path.endsWith("bin/filebeat")));
    }
  });

  test("but not for zeros behind it, with which tapes and tools fill a block", async () => {
    await using on = await volume({ [NAME]: Buffer.concat([gzipSync(await tar()), Buffer.alloc(600_000)]) });
    assert.ok(await scanOne(on.dir));
  });

  test("something else", async () => {
    assert.equal(await refused(Buffer.from("plain text")), "is a text file, not an archive");
    assert.match(
      await refused(Buffer.from("PK\x03\x04zip", "latin1")),
      /^is a zip file, but its name says otherwise$/,
    );
    assert.match(
      await refused(gzipSync("not a tar".repeat(200))),
      /^is a gzip of a text file, not of a tar$/,
    );
  });

  test("not whole to the last byte of a large file", async () => {
    await using on = await volume();
    await buildArchive(on.path(NAME), { payloadBytes: 2_000_000 });
    const bytes = await readFile(on.path(NAME));
    assert.equal(gunzipSync(bytes).length % 512, 0);
    bytes[bytes.length - 5_000] = 255 - (bytes.at(-5_000) ?? 0);
    assert.equal(await refused(bytes), "has damaged gzip data: incorrect data check");
  });
});
