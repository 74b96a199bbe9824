import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { type ListedFile, listedFile, listingText, parseListing } from "../../src/archive/listing-text.ts";
import type { Entry } from "../../src/archive/types.ts";
import { inspectFiles, type Recall } from "../../src/packages/inspect.ts";
import { listVolume } from "../../src/volume/list.ts";
import { buildArchive } from "../support/archives.ts";
import { scanOne, volume } from "../support/volume.ts";

const NAME = "fusion-collectors-linux-amd64-1.2.3.tar.gz";
const FILE: ListedFile = { sha256: "ab".repeat(32), size: 1000 };
const entry = (more: Partial<Entry> = {}): Entry => ({
  path: "fusion-collectors/bin/telegraf",
  kind: "file",
  size: 10,
  mode: 0o755,
  offset: 512,
  ...more,
});
const listed = (entries: Entry[]) => listingText(FILE, { entries, rootEntry: false }) ?? "";

describe("what a scan found, as text", () => {
  test("spares the next one, which comes to the same", async () => {
    await using on = await volume();
    await buildArchive(on.path(NAME), {
      collectors: ["telegraf", "filebeat/filebeat"],
      version: "1.2.3",
      entries: [{ name: "certs/ca.crt", content: "-----BEGIN CERTIFICATE-----\n" }],
    });
    const { stamp: _stamp, fileDigests: _digests, ...scanned } = await scanOne(on.dir);
    const text = listingText({ sha256: scanned.sha256 ?? "", size: scanned.size }, scanned) ?? "";
    assert.deepEqual(listedFile(text), { sha256: scanned.sha256, size: scanned.size });
    let asked = 0;
    const recall: Recall = async (file, size, sha256) => {
      asked += 1;
      assert.deepEqual([file, size, await sha256()], [NAME, scanned.size, scanned.sha256]);
      return parseListing(text, file);
    };
    const { archives } = await inspectFiles((await listVolume(on.dir)).files, { recall });
    const { stamp: _other, ...recalled } = archives[0] ?? assert.fail("nothing recalled");
    assert.deepEqual(recalled, scanned);
    assert.equal(asked, 1);
  });

  test("keeps links", () => {
    const entries = [entry(), entry({ path: "l", kind: "link", size: 0, target: "bin/telegraf" })];
    const text = listingText(FILE, { entries, rootEntry: true }) ?? "";
    assert.deepEqual(parseListing(text, NAME), { entries, rootEntry: true });
  });

  test("is none where it would not fit a message", () => {
    const entries = Array.from({ length: 20_000 }, (_, n) => entry({ path: `${n * 7919}`, size: n * 31 }));
    assert.equal(listingText(FILE, { entries }), undefined);
  });

  test("of other rules is none", () => {
    assert.equal(listedFile(listed([entry()]).replace(/^\d+/, "0")), undefined);
    assert.equal(listedFile("anything"), undefined);
  });

  const json = (value: unknown) =>
    `1 ${FILE.sha256} 1000 ${deflateRawSync(JSON.stringify(value)).toString("base64")}`;
  const FORGED: Record<string, string> = {
    "no base64 of anything": "1 x 10 %%%",
    "cut short": listed([entry()]).slice(0, -20),
    "no list": json({ entries: 7 }),
    "nothing in it": json({ entries: [] }),
    "a path that leads out": json({ entries: [entry({ path: "../../etc/cron.d/x" })] }),
    "a link that leads out": json({ entries: [entry({ kind: "link", target: "/etc/passwd" })] }),
    "an offset that is none": json({ entries: [entry({ offset: -1 })] }),
    "a size that is text": json({ entries: [{ ...entry(), size: "10" }] }),
    "no kind": json({ entries: [{ ...entry(), kind: "magic" }] }),
    null: json({ entries: [null] }),
    "a bomb": json({ entries: [], more: "0".repeat(8_000_000) }),
  };
  for (const [what, text] of Object.entries(FORGED))
    test(`forged: ${what}`, () => assert.equal(parseListing(text, NAME), undefined));
});
