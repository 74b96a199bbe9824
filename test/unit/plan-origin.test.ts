import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Archive, Package } from "../../src/packages/package.ts";
import type { Row } from "../../src/postgres/rows.ts";
import { type PlanInput, plan } from "../../src/reconcile/decide.ts";
import type { DesiredPackage } from "../../src/reconcile/match.ts";
import { type Nuid, ORIGIN_HEADER } from "../../src/store/meta.ts";
import type { StoredObject } from "../../src/store/object.ts";

const ORIGIN = `${"a".repeat(64)}:bin/telegraf`;
const OTHER_ORIGIN = `${"b".repeat(64)}:bin/telegraf`;
const KEY = "linux/Telegraf/1.0.0/telegraf";
const BYTES = "c".repeat(64);

function telegraf(changes: Partial<DesiredPackage> = {}): DesiredPackage {
  const pack: Package = {
    type: "collector",
    os: "linux",
    arch: "x86_64",
    object: "Telegraf",
    version: "1.0.0",
    archive: { file: "fusion-collectors.zip", name: "fusion-collectors.zip", size: 1000 } as Archive,
    name: "telegraf",
    description: "",
    derived: { kind: "executable", path: "bin/telegraf", items: () => [] },
  };
  return { package: pack, sha256: undefined, bytes: 100, origin: ORIGIN, ...changes };
}

function stored(changes: Partial<StoredObject> = {}): StoredObject {
  return {
    key: KEY,
    nuid: "N" as Nuid,
    size: 100,
    chunks: 1,
    stored: 1,
    sha256: BYTES,
    deleted: false,
    headers: { [ORIGIN_HEADER]: [ORIGIN] },
    sequence: 7,
    ...changes,
  };
}

/** What an earlier run in shared mode wrote. */
const sharedRow: Row = {
  id: 1,
  type: "collector",
  os: "linux",
  arch: null,
  object: "Telegraf",
  version: "1.0.0",
  name: "fusion-collectors.zip",
  description: "",
  createdBy: "system",
  sha256: null,
  status: null,
};
const ownRow: Row = { ...sharedRow, name: "telegraf" };

function decide(
  desired: DesiredPackage,
  objects: StoredObject[],
  rows: Row[],
  changes: Partial<PlanInput> = {},
) {
  const input = {
    desired: [desired],
    collectors: [],
    rows,
    archColumn: false,
    hasDigest: false,
    hasStatus: false,
    onConflict: "replace",
  } as const;
  const decided = plan({ ...input, objects: new Map(objects.map((one) => [one.key, one])), ...changes });
  const [decision] = decided.packages;
  assert.ok(decision);
  return { ...decision, rowAction: decided.rows[0]?.action, rowName: decided.rows[0]?.values.name };
}

describe("a package that is cut out of an archive", () => {
  test("is recognised by where it was cut from, and then its digest is known", () => {
    const { action, upload, desired, rowAction } = decide(telegraf(), [stored()], [ownRow]);
    assert.deepEqual([action, upload, rowAction], ["unchanged", false, "unchanged"]);
    assert.deepEqual([desired.sha256, desired.bytes], [BYTES, 100]);
  });

  test("from another archive, its bytes decide", () => {
    const other = stored({ headers: { [ORIGIN_HEADER]: [OTHER_ORIGIN] } });
    assert.equal(decide(telegraf({ sha256: BYTES }), [other], [ownRow]).action, "unchanged");
    assert.equal(decide(telegraf({ sha256: "d".repeat(64) }), [other], [ownRow]).action, "replaced");
    const byHand = stored({ headers: {} });
    assert.equal(decide(telegraf({ sha256: BYTES }), [byHand], [ownRow]).action, "unchanged");
  });

  test("with chunks missing is stored again, whatever digest the metadata has", () => {
    const { action, upload, desired } = decide(telegraf(), [stored({ stored: 0 })], [ownRow]);
    assert.deepEqual([action, upload, desired.sha256], ["repaired", true, undefined]);
  });

  test("after shared mode is uploaded, and its row takes the executable's name", () => {
    const { action, key, rowAction, rowName, obsolete } = decide(telegraf(), [], [sharedRow]);
    assert.deepEqual([action, key, rowAction, rowName], ["uploaded", KEY, "updated", "telegraf"]);
    assert.deepEqual(obsolete, []);
  });

  test("that is there already is not sent again when its row is named after it", () => {
    const again = decide(telegraf(), [stored()], [sharedRow]);
    assert.deepEqual([again.action, again.upload, again.rowAction], ["unchanged", false, "updated"]);
    assert.equal(again.desired.sha256, BYTES);
    for (const object of [stored({ stored: 0 }), stored({ deleted: true }), stored({ headers: {} })]) {
      const { action, upload } = decide(telegraf(), [object], [sharedRow]);
      assert.deepEqual([action, upload], ["uploaded", true]);
    }
  });

  test("of a person is left as it is, or a conflict", () => {
    const person = { ...ownRow, createdBy: "admin" };
    const other = [stored({ headers: {}, sha256: "d".repeat(64) })];
    assert.equal(decide(telegraf({ sha256: BYTES }), other, [person]).conflict?.code, 65);
    const kept = decide(telegraf({ sha256: BYTES }), other, [person], { onConflict: "keep" });
    assert.deepEqual([kept.action, kept.upload, kept.rowAction], ["kept", false, "unchanged"]);
  });
});
