import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import type { Archive, Package } from "../../src/packages/package.ts";
import { packageEntries, readEntryDigests } from "../../src/packages/sources.ts";
import { type RawEntry, rawZip } from "../support/raw-zip.ts";
import { makeZip } from "../support/rebuild.ts";
import { scanOne, volume } from "../support/volume.ts";

const NAME = "fusion-collectors.zip";
const signal = new AbortController().signal;
const file = (name: string | Buffer, data = "text", mode = 0o100644): RawEntry => ({ name, data, mode });
const folder = (name: string, mode = 0o40755): RawEntry => ({ name, mode });
const ENTRIES = [
  folder("fusion-collectors/"),
  file("fusion-collectors/collector-sidecar", "#!/bin/sh\n", 0o100755),
  file("fusion-collectors/说明.txt"),
];

function packageOf(archive: Archive, type: Package["type"] = "controller"): Package {
  return {
    type,
    archive,
    os: "linux",
    arch: "x86_64",
    object: "x",
    version: "1",
    name: NAME,
    description: "",
  };
}

async function read(bytes: Buffer): Promise<Archive> {
  await using on = await volume({ [NAME]: bytes });
  const archive = await scanOne(on.dir);
  assert.equal(packageEntries(packageOf(archive)), undefined, "nothing was read yet");
  await readEntryDigests(archive, signal);
  return archive;
}

async function entriesOf(bytes: Buffer): Promise<string> {
  return packageEntries(packageOf(await read(bytes))) ?? assert.fail("no digest");
}

/** The zip as another system makes it: creator and attributes of each entry of the directory. */
function madeBy(system: number, attributes: (before: number) => number): Buffer {
  const bytes = rawZip(ENTRIES);
  for (let at = bytes.indexOf("PK\x01\x02"); at >= 0; at = bytes.indexOf("PK\x01\x02", at + 4)) {
    bytes[at + 5] = system;
    bytes.writeUInt32LE(attributes(bytes.readUInt32LE(at + 38)) >>> 0, at + 38);
  }
  return bytes;
}

describe("the digest of a zip's entries", () => {
  test("is the same whatever order, times and compression", async () => {
    const plain = await entriesOf(rawZip(ENTRIES));
    assert.match(plain, /^1:[0-9a-f]{64}$/);
    assert.equal(await entriesOf(rawZip(ENTRIES.toReversed())), plain);
    const rebuilt = ENTRIES.toReversed().map(
      ({ name, data = "", mode = 0 }) =>
        [name as string, { mode, bytes: Buffer.from(data as string) }] as const,
    );
    assert.equal(await entriesOf(await makeZip(rebuilt, new Date(2020, 1))), plain);
  });

  test("differs with a name, a mode, a byte, and a folder", async () => {
    const others: Record<string, RawEntry[]> = {
      "nothing else": ENTRIES,
      "a byte": ENTRIES.with(2, file("fusion-collectors/说明.txt", "Text")),
      "a mode": ENTRIES.with(2, file("fusion-collectors/说明.txt", "text", 0o100600)),
      "a folder's mode": ENTRIES.with(0, folder("fusion-collectors/", 0o40700)),
      "a name": ENTRIES.with(2, file("fusion-collectors/说明2.txt")),
      "the bytes of a name": ENTRIES.with(2, {
        ...file(Buffer.from("fusion-collectors/\xcb\xb5\xc3\xf7.txt", "latin1")),
        flags: 0,
      }),
      "a folder more": [...ENTRIES, folder("fusion-collectors/log/")],
      "no folder": ENTRIES.slice(1),
      "two files that changed places": [
        ENTRIES[0] as RawEntry,
        file("fusion-collectors/collector-sidecar", "text", 0o100755),
        file("fusion-collectors/说明.txt", "#!/bin/sh\n"),
      ],
    };
    const digests = await Promise.all(Object.values(others).map((entries) => entriesOf(rawZip(entries))));
    assert.equal(new Set(digests).size, digests.length, JSON.stringify(digests));
  });

  test("counts the mode that BK-Lite's installer applies, by the system that made the zip", async () => {
    const [unix, mac, fat, ntfs, readOnly] = await Promise.all(
      [
        madeBy(3, (before) => before),
        madeBy(19, (before) => before),
        // Go passes over what a DOS system writes where Unix has its mode
        madeBy(0, (before) => before),
        madeBy(11, (before) => before & 0xff),
        madeBy(11, (before) => (before & 0xff) | 1),
      ].map(entriesOf),
    );
    assert.equal(mac, unix);
    assert.notEqual(fat, unix);
    assert.notEqual(readOnly, ntfs);
  });

  test("is no probe's, and no installer's: hosts compare the bytes of those", async () => {
    const archive = await read(rawZip(ENTRIES));
    for (const type of ["apm-probe", "installer"] as const)
      assert.equal(packageEntries(packageOf(archive, type)), undefined);
  });

  test("of an archive that changed since it was scanned is exit 74", async () => {
    await using on = await volume({ [NAME]: rawZip(ENTRIES) });
    const archive = await scanOne(on.dir);
    await writeFile(on.path(NAME), rawZip(ENTRIES.toReversed()));
    await assert.rejects(readEntryDigests(archive, signal), { code: 74 });
  });
});
