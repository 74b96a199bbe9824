import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { EXIT } from "../../src/exit.ts";
import { readFiles } from "../../src/packages/read.ts";
import { listVolume } from "../../src/volume/list.ts";
import { longMember, paxMember, TAR_END, tarHeader, tarMember } from "../support/raw-tar.ts";
import { knownSha256, problemOf, scan, scanOne, volume } from "../support/volume.ts";

const NAME = "fusion-collectors-1.0.0.tar.gz";
const SIDECAR = tarMember({ name: "fusion-collectors/collector-sidecar", mode: "0000755\0" }, "#!/bin/sh\n");
const top = (name: string) => `fusion-collectors/${name}`;
const FILE = tarMember({ name: top("f") }, "0123456789abcdef");
const pack = (...blocks: Buffer[]) => gzipSync(Buffer.concat([SIDECAR, ...blocks, TAR_END]));
/** FILE with another header in front of the same content. */
const withHeader = (fields: Parameters<typeof tarHeader>[0]) =>
  Buffer.concat([tarHeader({ name: top("f"), size: 16, ...fields }), FILE.subarray(512)]);

async function reasonOf(bytes: Buffer): Promise<string> {
  await using on = await volume({ [NAME]: bytes });
  const { id, code } = await problemOf(scan(on.dir));
  assert.equal(code, EXIT.invalidPackage);
  return id;
}

async function accepted(bytes: Buffer) {
  await using on = await volume({ [NAME]: bytes });
  return await scanOne(on.dir);
}

/** Each checked with GNU tar 1.34 and Python 3.11: what one of them refuses, or reads in its own way. */
const REFUSED: Record<string, Buffer[]> = {
  ...Object.fromEntries(
    ["0x10", "1e2", " 16", "+16", "16.0", "16 ", "", "-16"].map((size) => [
      `pax size ${JSON.stringify(size)}`,
      [paxMember({ size }), FILE],
    ]),
  ),
  "pax uid 0x10": [paxMember({ uid: "0x10" }), FILE],
  "pax gid of a blank": [paxMember({ gid: " 5" }), FILE],
  "pax mtime of nothing": [paxMember({ mtime: "" }), FILE],
  "pax size of all": [paxMember({ size: "+16" }, "g"), FILE],
  "an empty pax path": [paxMember({ path: "" }), FILE],
  "an empty pax path before a global one": [paxMember({ path: "x/y" }, "g"), paxMember({ path: "" }), FILE],
  "an empty pax linkpath": [
    FILE,
    paxMember({ linkpath: "" }),
    tarMember({ name: top("l"), type: "2", link: "f" }),
  ],
  "two pax headers of one member": [paxMember({ path: top("a") }), paxMember({ path: top("b") }), FILE],
  "a pax header of nothing": [FILE, paxMember({ path: top("g") })],
  "a long name of nothing": [longMember(""), FILE],
  "two long names of one member": [longMember(top("a\0")), longMember(top("b\0")), FILE],
  "a long name and another path": [longMember(top("a\0")), paxMember({ path: top("b") }), FILE],
  "a long name of no member": [FILE, longMember(top("a\0"))],
  "a size of blanks": [withHeader({ size: 0, sizeField: " ".repeat(12) })],
  "a size with a letter": [withHeader({ sizeField: "0000000020x\0" })],
  "a size behind a NUL": [withHeader({ sizeField: "\x000000000020\0" })],
  "a size below zero": [withHeader({ sizeField: Buffer.alloc(12, 0xff) })],
  "a mode of blanks": [withHeader({ mode: " ".repeat(8) })],
  "a mode that is none": [withHeader({ mode: "zzzzzzz\0" })],
  "an owner that is none": [withHeader({ owner: "zzzzzzz\0" })],
  "a time that is none": [withHeader({ time: "zzzzzzzzzzz\0" })],
  "a hard link before its target": [tarMember({ name: top("l"), type: "1", link: top("g") }), FILE],
  "a hard link to a folder": [
    tarMember({ name: top("d/"), type: "5" }),
    tarMember({ name: top("l"), type: "1", link: top("d") }),
  ],
};

const ACCEPTED: Record<string, Buffer[]> = {
  "pax size 16": [paxMember({ size: "16" }), FILE],
  "pax size 016": [paxMember({ size: "016" }), FILE],
  "pax times": [paxMember({ mtime: "1700000000.5", atime: "-5.5" }), FILE],
  "an empty comment": [paxMember({ comment: "" }), FILE],
  "an empty pax linkpath of a file": [paxMember({ linkpath: "" }), FILE],
  "a long name with its NUL": [longMember(`${top("d".repeat(120))}\0`), FILE],
  "a long name and the same path": [longMember(top("a\0")), paxMember({ path: top("a") }), FILE],
  "a long name without": [longMember(top("d".repeat(120))), FILE],
  "a long name of whole blocks": [longMember(`fusion-collectors/${"d/".repeat(246)}xy`), FILE],
  "NULs behind a long name": [longMember(`${top("d".repeat(120))}\0`.padEnd(300, "\0")), FILE],
  "a size between blanks": [withHeader({ sizeField: "        20  " })],
  "a size in base 256": [withHeader({ sizeField: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16]) })],
  "an owner below zero": [withHeader({ owner: Buffer.alloc(8, 0xff) })],
  "a mode of NULs": [withHeader({ mode: "\0".repeat(8) })],
  "an owner of NULs": [withHeader({ owner: "\0".repeat(8) })],
  "an extended header without an owner": [
    tarMember(
      { name: "PaxHeaders/0", type: "x", mode: " ".repeat(8), owner: " ".repeat(8) },
      "9 a=b\n".replace("9", "6"),
    ),
    FILE,
  ],
};

describe("a tar's fields", () => {
  for (const [what, blocks] of Object.entries(REFUSED)) {
    test(`${what}: rejected`, async () =>
      assert.match(
        await reasonOf(pack(...blocks)),
        /^(?:tar\.(?:extension|header|hard-link)|archive\.link\.outside)$/,
      ));
  }
  for (const [what, blocks] of Object.entries(ACCEPTED)) {
    test(`${what}: taken`, async () => assert.equal((await accepted(pack(...blocks))).entries.length, 2));
  }
});

test("a long name ends at its NUL, whatever its size says, as to GNU tar and Python", async () => {
  for (const size of [1, 70, 139, 139 + 60]) {
    const name = `${top("d".repeat(60))}/${"e".repeat(60)}`;
    const { entries } = await accepted(pack(longMember(name, { size }), FILE));
    assert.equal(entries.at(-1)?.path, name, `${size} bytes`);
    const link = tarMember({ name: top("l"), type: "2" });
    const target = `${"./".repeat(60)}f`;
    const linked = await accepted(pack(FILE, longMember(target, { size, type: "K" }), link));
    assert.equal(linked.entries.at(-1)?.target, target, `${size} bytes`);
  }
  const swallows = longMember(Buffer.concat([Buffer.from(top("a")), Buffer.alloc(512)]), { size: 1024 });
  assert.equal(await reasonOf(pack(swallows.subarray(0, 1024), FILE)), "tar.header");
});

describe("several entries of a tar with one name", () => {
  test("the last counts, with a warning", async () => {
    const bytes = pack(
      tarMember({ name: top("f") }, "old"),
      tarMember({ name: top("g"), type: "2", link: "f" }),
      tarMember({ name: top("./f"), mode: "0000600\0" }, "newer"),
      tarMember({ name: top("g") }, "no link any more"),
    );
    await using on = await volume({ [NAME]: bytes });
    const { archives, problems, warnings } = await readFiles((await listVolume(on.dir)).files);
    assert.deepEqual(problems, []);
    assert.deepEqual(warnings, [
      { file: NAME, reason: "tar.repeated", params: { entry: top("f"), count: 2 } },
    ]);
    const [archive] = archives;
    assert.ok(archive?.kind === "controller");
    const found = archive.entries.map(({ path, kind, size, mode }) => [path, kind, size, mode]);
    assert.deepEqual(found.slice(1), [
      [top("f"), "file", 5, 0o600],
      [top("g"), "file", 16, 0o644],
    ]);
    const digest = archive.digests.entries?.get(archive.entries[1]?.offset ?? 0);
    assert.equal(digest, createHash("sha256").update("newer").digest("hex"));
  });

  test("a hard link is what its target was then", async () => {
    const { entries } = await accepted(
      pack(
        FILE,
        tarMember({ name: top("l"), type: "1", link: `./${top("f")}` }),
        tarMember({ name: top("f") }, "new"),
      ),
    );
    assert.deepEqual(
      entries.slice(1).map(({ path, kind, size }) => [path, kind, size]),
      [
        [top("l"), "file", 16],
        [top("f"), "file", 3],
      ],
    );
  });

  test("a hard link to a symbolic link points from its own folder", async () => {
    const link = tarMember({ name: top("a/s"), type: "2", link: "../f" });
    const hard = (name: string) => tarMember({ name, type: "1", link: top("a/s") });
    const { entries } = await accepted(pack(FILE, link, hard(top("b/l"))));
    assert.deepEqual(entries.at(-1)?.target, "../f");
    assert.equal(await reasonOf(pack(FILE, link, hard("l"))), "archive.link.outside");
  });

  test("a folder's last mode counts, without a warning", async () => {
    const folder = (mode: string) => tarMember({ name: top("d/"), type: "5", mode });
    const archive = await accepted(pack(folder("0000755\0"), folder("0000700\0")));
    assert.equal(archive.entries.at(-1)?.mode, 0o700);
    assert.deepEqual(archive.repeated, []);
  });

  test("a file and a folder are rejected", async () => {
    const folder = tarMember({ name: top("f/"), type: "5" });
    assert.equal(await reasonOf(pack(FILE, folder)), "archive.duplicate");
    assert.equal(await reasonOf(pack(folder, FILE)), "archive.duplicate");
  });
});

describe("what lies behind a gzip", () => {
  const whole = pack(tarMember({ name: top("noise") }, Buffer.alloc(700_000, "x")));

  test("may be NULs, and the digest is of all of the file", async () => {
    for (const length of [1, 1000, 600_000]) {
      const bytes = Buffer.concat([whole, Buffer.alloc(length)]);
      assert.equal(knownSha256(await accepted(bytes)), createHash("sha256").update(bytes).digest("hex"));
    }
  });

  test("may be nothing else, wherever it stands", async () => {
    const junk = Buffer.from("<!-- mirror -->");
    for (const nuls of [0, 1, 1000, 600_000]) {
      assert.equal(
        await reasonOf(Buffer.concat([whole, Buffer.alloc(nuls), junk])),
        "gzip.behind",
        `${nuls} NULs`,
      );
    }
    // GNU tar does not look for a member behind NULs either
    assert.equal(await reasonOf(Buffer.concat([whole, Buffer.alloc(10), whole])), "gzip.behind");
  });
});
