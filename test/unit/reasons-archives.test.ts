import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { verifyArchive } from "../../src/packages/sources.ts";
import { elfHeader } from "../support/binaries.ts";
import { type RawEnd, type RawEntry, rawZip } from "../support/raw-zip.ts";
import { problemOf, scan, volume } from "../support/volume.ts";

/** What is wrong with this file, whether its structure says so or only its entries, once they are read. */
async function reasonOf(name: string, bytes: Buffer | string): Promise<string> {
  await using on = await volume({ [name]: bytes });
  const read = async () => {
    for (const archive of await scan(on.dir)) await verifyArchive(archive, new AbortController().signal);
  };
  return (await problemOf(read())).id;
}

const top = (name: string) => `fusion-collectors/${name}`;
const SIDECAR: RawEntry = { name: top("collector-sidecar"), data: "#!/bin/sh\n", mode: 0o100755 };
const link = (data: string, name = "l"): RawEntry => ({ name: top(name), mode: 0o120777, data });
const zip = (entries: RawEntry[], end?: RawEnd) => rawZip([SIDECAR, ...entries], end);

/**
 * An honest zip with some bytes of it changed: what a signature is followed by, and what is written there.
 */
function changed(signature: number, offset: number, byte: number, which = 0, end: RawEnd = {}): Buffer {
  const bytes = zip([{ name: top("bin/telegraf"), data: "t".repeat(300) }], end);
  const mark = Buffer.alloc(4);
  mark.writeUInt32LE(signature);
  let at = bytes.indexOf(mark);
  for (let i = 0; i < which; i += 1) at = bytes.indexOf(mark, at + 1);
  bytes[at + offset] = byte;
  return bytes;
}
const [LOCAL, DIRECTORY, END, END_64] = [0x04034b50, 0x02014b50, 0x06054b50, 0x06064b50];

const ZIPS: [id: ReasonId, bytes: Buffer][] = [
  ["archive.empty", rawZip([])],
  ["archive.path.absolute", zip([{ name: "/etc/passwd" }])],
  ["archive.path.backslash", zip([{ name: "fusion-collectors\\x" }])],
  ["archive.path.parent", zip([{ name: top("../../x") }])],
  ["archive.path.drive", zip([{ name: "C:/x" }])],
  ["archive.path.drive", zip([{ name: "./C:/x" }])],
  ["archive.path.nul", zip([{ name: top("x\0y") }])],
  ["archive.path.long", zip([{ name: top("x".repeat(256)) }])],
  ["archive.path.missing", zip([{ name: "" }])],
  ["archive.duplicate", zip([{ name: top("a") }, { name: top("a") }])],
  ["archive.conflict", zip([{ name: top("a") }, { name: top("a/b") }])],
  ["archive.device", zip([{ name: top("tty"), mode: 0o020666 }])],
  ["archive.link.outside", zip([link("../../x")])],
  ["archive.link.dangling", zip([link("nowhere")])],
  ["archive.link.cycle", zip([link(".")])],
  ["archive.link.long", zip([link("a/".repeat(4000))])],
  ["archive.link.below", zip([link("bin"), { name: top("l/x") }])],
  ["archive.limit.unpacked", zip([1, 2, 3].map((i) => ({ name: top(`${i}`), method: 8, size: 0xfffffff0 })))],
  ["archive.kind.wrong", gzipSync("x")],
  ["archive.kind.unknown", Buffer.from([1, 2, 3, 4])],
  ["zip.truncated", zip([]).subarray(0, 60)],
  ["zip.directory", changed(DIRECTORY, 0, 0, 1)],
  ["zip.end", zip([], { count: 3 })],
  ["zip.end", changed(END, 8, 9)],
  ["zip.end", changed(END_64, 4, 45, 0, { zip64: {} })],
  ["zip.end", changed(END_64, 24, 9, 0, { zip64: {} })],
  ["zip.split", changed(END, 4, 1)],
  ["zip.split", changed(END_64, 20, 1, 0, { zip64: {} })],
  ["zip.name", zip([{ name: Buffer.from([0x66, 0xff, 0xfe]) }])],
  ["zip.encrypted", zip([{ name: top("a"), flags: 0x801, data: "x".repeat(20), size: 8 }])],
  ["zip.method", zip([{ name: top("a"), method: 12 }])],
  ["zip.version", changed(DIRECTORY, 6, 64)],
  ["zip.header.missing", changed(LOCAL, 0, 0, 1)],
  ["zip.header", zip([{ name: top("a"), localName: top("b") }])],
  ["zip.descriptor", zip([{ name: top("a"), flags: 0x808, data: "abc" }])],
  ["zip.data", zip([{ name: top("a"), packedSize: 5000, size: 5000 }])],
  ["zip.overlap", zip([{ name: top("a"), offset: 0 }])],
  ["zip.folder.slash", zip([{ name: top("lib"), mode: 0o040755 }])],
  ["zip.folder.data", zip([{ name: top("lib/"), mode: 0o040755, data: "abc" }])],
  ["zip.length", zip([{ name: top("a"), data: "abc", size: 4 }])],
  ["zip.crc", zip([{ name: top("a"), data: "abc", crc: 1 }])],
  ["zip.inflate", zip([{ name: top("a"), method: 8, data: "no deflate", size: 20 }])],
];

describe("a zip is rejected by", () => {
  for (const [id, bytes] of ZIPS)
    test(id, async () => assert.equal(await reasonOf("fusion-collectors.zip", bytes), id));
  test("archive.link.dangling, even behind more files than a package may have", async () => {
    const files = Array.from({ length: 400 }, (_, n) => ({ name: top(`lib/${n}`) }));
    const links = Array.from({ length: 260 }, (_, n) => link("lib", `again-${n}`));
    const bytes = zip([...files, ...links, link("nowhere", "last")]);
    assert.equal(await reasonOf("fusion-collectors.zip", bytes), "archive.link.dangling");
  });
  test("archive.conflict, whatever the file is called", async () => {
    for (let n = 0; n < 40; n += 1) {
      const bytes = zip([{ name: top(`${n}`) }, { name: top(`${n}/b`) }]);
      assert.equal(await reasonOf("fusion-collectors.zip", bytes), "archive.conflict", `${n}`);
    }
  });
});

const KINDS: [id: ReasonId, start: string, at?: number][] = [
  ["archive.kind.html", "<!DOCTYPE html><html>"],
  ["archive.kind.json", '{"error": 404}'],
  ["archive.kind.xml", '<?xml version="1.0"?><Error/>'],
  ["archive.kind.text", "not found"],
  ["archive.kind.lfs", "version https://git-lfs.github.com/spec/v1\n"],
  ["archive.kind.tar", "ustar\0", 257],
  ["archive.kind.zstd", "\x28\xb5\x2f\xfd"],
  ["archive.kind.xz", "\xfd7zXZ\0"],
  ["archive.kind.lzma", "\x5d\0\0\x80\0"],
  ["archive.kind.lzip", "LZIP"],
  ["archive.kind.bzip2", "BZh"],
  ["archive.kind.lz4", "\x04\x22\x4d\x18"],
  ["archive.kind.compress", "\x1f\x9d"],
  ["archive.kind.7z", "7z\xbc\xaf\x27\x1c"],
  ["archive.kind.rar", "Rar!\x1a\x07"],
  ["archive.kind.cab", "MSCF"],
  ["archive.kind.cpio", "070701"],
  ["archive.kind.deb", "!<arch>\n"],
  ["archive.kind.rpm", "\xed\xab\xee\xdb"],
  ["archive.kind.iso", "CD001", 32769],
  ["archive.kind.pdf", "%PDF"],
];

describe("something else under an archive's name is", () => {
  for (const [id, start, at = 0] of KINDS)
    test(id, async () => {
      const bytes = Buffer.concat([
        Buffer.alloc(at),
        Buffer.from(start, "latin1"),
        Buffer.alloc(at > 0 ? 40 : 0),
      ]);
      assert.equal(await reasonOf("fusion-collectors.zip", bytes), id);
    });
  test("archive.kind.program", async () => {
    const id: ReasonId = "archive.kind.program";
    assert.equal(await reasonOf("fusion-collectors.zip", elfHeader(62)), id);
  });
  test("archive.kind.zeros", async () => {
    const id: ReasonId = "archive.kind.zeros";
    assert.equal(await reasonOf("fusion-collectors.zip", Buffer.alloc(2048)), id);
  });
});

/** A tar with the sidecar and more. */
async function tar(...entries: (Partial<Header> & { name: string })[]): Promise<Buffer> {
  const packed = pack();
  packed.entry({ name: top("collector-sidecar") }, "#!/bin/sh\n");
  for (const header of entries) packed.entry(header as Header, "");
  packed.finalize();
  return buffer(packed);
}

/** Another type in the first header, whose checksum is made good. */
function typed(bytes: Buffer, type: string): Buffer {
  const copy = Buffer.from(bytes);
  copy.write(type, 156, "latin1");
  copy.write(" ".repeat(8), 148, "latin1");
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return copy;
}

describe("a tar.gz is rejected by", () => {
  const TARS: [id: ReasonId, bytes: () => Promise<Buffer>][] = [
    ["gzip.truncated", async () => gzipSync(await tar()).subarray(0, -9)],
    [
      "gzip.damaged",
      async () => {
        const bytes = gzipSync(await tar(), { level: 0 });
        bytes[700] = 0xff;
        return bytes;
      },
    ],
    ["gzip.behind", async () => Buffer.concat([gzipSync(await tar()), Buffer.from("junk")])],
    [
      "tar.hard-link",
      async () => gzipSync(await tar({ name: top("l"), type: "link", linkname: top("gone") })),
    ],
    ["tar.truncated", async () => gzipSync((await tar()).subarray(0, -1024))],
    ["tar.header", async () => gzipSync("\x01not a tar".repeat(200))],
    ["gzip.content", async () => gzipSync("not a tar".repeat(200))],
    ["tar.behind", async () => gzipSync(Buffer.concat([await tar(), await tar()]))],
    ["tar.sparse", async () => gzipSync(typed(await tar(), "S"))],
    ["tar.type", async () => gzipSync(typed(await tar(), "M"))],
    ["tar.extension", async () => gzipSync(typed(await tar(), "x"))],
  ];
  for (const [id, bytes] of TARS)
    test(id, async () => assert.equal(await reasonOf("fusion-collectors.tar.gz", await bytes()), id));
});
