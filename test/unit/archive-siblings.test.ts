import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { type RawEntry, rawZip } from "../support/raw-zip.ts";
import { problemOf, scan, scanOne, volume } from "../support/volume.ts";

const ZIP = "fusion-collectors-9.9.9.zip";
const TGZ = "fusion-collectors-9.9.9.tar.gz";
const CERTIFICATE = "-----BEGIN CERTIFICATE-----\n";
type Member = Partial<Header> & { name: string; content?: string };

async function tar(...members: Member[]): Promise<Buffer> {
  const packed = pack();
  for (const { content = "", ...header } of members) packed.entry(header as Header, content);
  packed.finalize();
  return buffer(packed);
}

const members = (top: string): Member[] => [
  { name: `${top}collector-sidecar`, content: "#!/bin/sh\n" },
  { name: `${top}VERSION`, content: "3.4.5\n" },
  { name: `${top}certs/ca.crt`, content: CERTIFICATE },
];

/** A block of GNU tar's own: type and name, nothing in it. */
function block(type: string, name: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, "latin1");
  header.write("0000644\0", 100, "latin1");
  header.write("00000000000\0", 124, "latin1");
  header.write(" ".repeat(8), 148, "latin1");
  header.write(type, 156, "latin1");
  header.write("ustar  \0", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

async function scanned(name: string, bytes: Buffer) {
  await using on = await volume({ [name]: bytes });
  return await scanOne(on.dir);
}

async function reasonOf(name: string, bytes: Buffer): Promise<string> {
  await using on = await volume({ [name]: bytes });
  return (await problemOf(scan(on.dir))).id;
}

describe("what a tar.gz says of itself is found", () => {
  const PLACES: [what: string, members: () => Member[]][] = [
    ["without a folder", () => members("")],
    ["in the usual folder", () => members("fusion-collectors/")],
    ["two folders down", () => members("opt/fusion-collectors/")],
    ["three folders down", () => members("ci/dist/fusion-collectors/")],
    ["seven folders down", () => members("var/lib/jenkins/workspace/ci/dist/fusion-collectors/")],
    [
      "behind links",
      () => [
        { name: "fusion-collectors/collector-sidecar", content: "#!/bin/sh\n" },
        { name: "fusion-collectors/VERSION", type: "symlink", linkname: "release/current" },
        { name: "fusion-collectors/release/current", content: "3.4.5\n" },
        { name: "fusion-collectors/ca.pem", content: CERTIFICATE },
        { name: "fusion-collectors/certs/ca.crt", type: "symlink", linkname: "../ca.pem" },
      ],
    ],
  ];
  for (const [what, build] of PLACES) {
    test(what, async () => {
      const archive = await scanned(TGZ, gzipSync(await tar(...build())));
      assert.deepEqual(archive.versions, [{ from: "VERSION", any: "3.4.5" }]);
      assert.equal(archive.ca?.toString(), CERTIFICATE);
    });
  }

  test("with a label (tar -V), which is none of its files", async () => {
    const bytes = Buffer.concat([block("V", "release 1"), await tar(...members("fusion-collectors/"))]);
    const { entries } = await scanned(TGZ, gzipSync(bytes));
    assert.ok(!entries.some(({ path }) => path.includes("release 1")));
  });
});

describe("a gzip of something else than a tar says of what", () => {
  const INNER: [what: string, bytes: () => Promise<Buffer> | Buffer, id: ReasonId, words: RegExp][] = [
    ["a page", () => Buffer.from("<html><body>502".repeat(50)), "gzip.content", /an HTML page/],
    ["a short page", () => Buffer.from("<html>502"), "gzip.content", /an HTML page/],
    ["words", () => Buffer.from("not found"), "gzip.content", /a text file/],
    [
      "the gzip itself",
      async () => gzipSync(await tar(...members("x/"))),
      "gzip.content",
      /compressed twice/,
    ],
    ["a zip", () => rawZip([{ name: "a", data: "x".repeat(600) }]), "gzip.content", /a zip file/],
    ["zstd", () => zstdCompressSync(Buffer.alloc(600, "ab")), "gzip.content", /zstd/],
    ["noise", () => Buffer.alloc(600, "\x01\x02\x03", "latin1"), "tar.header", /at byte 0/],
  ];
  for (const [what, bytes, id, words] of INNER) {
    test(what, async () => {
      await using on = await volume({ [TGZ]: gzipSync(await bytes()) });
      const problem = await problemOf(scan(on.dir));
      assert.equal(problem.id, id);
      assert.match(problem.reason, words);
    });
  }
});

describe("something else under an archive's name", () => {
  const KINDS: [id: ReasonId, start: string][] = [
    ["archive.kind.html", '<a href="https://example.com/x">Found</a>.\n\n'],
    ["archive.kind.html", "<pre>\n"],
    ["archive.kind.html", "<h2>Forbidden</h2>"],
    ["archive.kind.html", "\ufeff<!-- 1 --><!-- 2 -->\n<HTML>"],
    ["archive.kind.xml", "<Error><Code>NoSuchKey</Code></Error>"],
    ["archive.kind.xml", "<ListBucketResult/>"],
    ["archive.kind.xml", "<addresses/>"],
    ["archive.kind.lfs", "version https://git-lfs.github.com/spec/v1\r\noid sha256:00\r\n"],
    ["archive.kind.json", '\ufeff \n[{"error": "denied"}]'],
    ["archive.kind.program", "#!/bin/sh\n# Makeself\n"],
    ["archive.kind.program", "#!/bin/sh\n\x00\x01\x02"],
  ];
  for (const [id, start] of KINDS)
    test(`${JSON.stringify(start)}: ${id}`, async () =>
      assert.equal(await reasonOf(ZIP, Buffer.from(start)), id));
});

describe("the reason is the fault, not what follows from it", () => {
  const link = (name: string, target: string): RawEntry => ({ name, data: target, mode: 0o120777 });
  const ENTRIES: [what: string, id: ReasonId, entries: RawEntry[]][] = [
    ["links that name each other", "archive.link.cycle", [link("f/a", "b"), link("f/b", "a")]],
    ["a link to itself", "archive.link.cycle", [link("f/a", "a")]],
    ["a link to nothing", "archive.link.dangling", [link("f/a", "b")]],
    ["a folder with a backslash", "archive.path.backslash", [{ name: "f\\", mode: 0o040755 }]],
  ];
  for (const [what, id, entries] of ENTRIES)
    test(what, async () => assert.equal(await reasonOf(ZIP, rawZip(entries)), id));
});
