import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type RawEntry, rawZip } from "../support/raw-zip.ts";
import { problemOf, scan, scanOne, volume } from "../support/volume.ts";

const NAME = "fusion-collectors.zip";
const ENTRIES: RawEntry[] = ["collector-sidecar", "bin/telegraf"].map((name) => ({
  name: `fusion-collectors/${name}`,
  data: "#!/bin/sh\n",
  mode: 0o100755,
}));
const PREFIX = Buffer.from("#!/bin/sh\nexit 0\n".repeat(20));
const END = 22;

/**
 * Which numbers the old end record has, of count, size and offset; the others say that zip64's record has
 * them.
 */
type Said = readonly ("count" | "size" | "offset")[];

/** A zip with zip64's end record, perhaps behind a prefix that its places count or not. */
function wideZip(said: Said, prefix: "none" | "counted" | "not counted" = "none"): Buffer {
  const wide = rawZip(ENTRIES, { zip64: {} });
  const old = rawZip(ENTRIES).subarray(-END);
  const at = wide.length - END;
  if (said.includes("count")) old.copy(wide, at + 8, 8, 12);
  if (said.includes("size")) old.copy(wide, at + 12, 12, 16);
  if (said.includes("offset")) old.copy(wide, at + 16, 16, 20);
  if (prefix === "none") return wide;
  const moved = Buffer.concat([PREFIX, wide]);
  // the locator says where zip64's record is from the start of the file, and Python asks for no less
  const locator = moved.length - END - 20;
  moved.writeBigUInt64LE(moved.readBigUInt64LE(locator + 8) + BigInt(PREFIX.length), locator + 8);
  if (prefix === "not counted") return moved;
  const record = locator - 56;
  moved.writeBigUInt64LE(moved.readBigUInt64LE(record + 48) + BigInt(PREFIX.length), record + 48);
  if (said.includes("offset"))
    moved.writeUInt32LE(moved.readUInt32LE(moved.length - END + 16) + PREFIX.length, moved.length - END + 16);
  for (let at = moved.indexOf("PK\x01\x02"); at >= 0; at = moved.indexOf("PK\x01\x02", at + 4))
    moved.writeUInt32LE(moved.readUInt32LE(at + 42) + PREFIX.length, at + 42);
  return moved;
}

const ALL: Said = ["count", "size", "offset"];

/** Each tried with Go 1.26's archive/zip: what it does not take is refused. */
describe("zip64's end record and the old one", () => {
  const taken: [what: string, bytes: Buffer][] = [
    ["the old one empty", wideZip([])],
    ["the old one complete", wideZip(ALL)],
    ["behind a prefix that counts, the old one empty", wideZip([], "counted")],
    ["behind a prefix that counts, the old one complete", wideZip(ALL, "counted")],
    ["behind a prefix that does not count, the old one empty", wideZip([], "not counted")],
    [
      "behind a prefix that does not count, the old one without the count",
      wideZip(["size", "offset"], "not counted"),
    ],
  ];
  for (const [what, bytes] of taken) {
    test(`${what}: taken`, async () => {
      await using on = await volume({ [NAME]: bytes });
      assert.equal((await scanOne(on.dir)).entries.length, 2);
    });
  }
  const refused: [what: string, bytes: Buffer][] = [
    ["behind a prefix that does not count, the old one complete", wideZip(ALL, "not counted")],
    ["the old one without the size alone", wideZip(["count", "offset"])],
    ["the same behind a prefix", wideZip(["count", "offset"], "not counted")],
  ];
  for (const [what, bytes] of refused) {
    test(`${what}: rejected`, async () => {
      await using on = await volume({ [NAME]: bytes });
      assert.equal((await problemOf(scan(on.dir))).id, "zip.end");
    });
  }
});
