import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Archive, Package } from "../../src/packages/package.ts";
import { type PlanInput, plan } from "../../src/reconcile/plan.ts";
import type { Row } from "../../src/registry/rows.ts";
import { REPLACES_HEADER } from "../../src/store/meta.ts";
import type { StoredObject } from "../../src/store/object.ts";

const FILE = "fusion-collectors-linux-amd64.zip";
const OURS = "a".repeat(64);
const OTHER = "b".repeat(64);

function pack(changes: Partial<Package> = {}): Package {
  const archive = { file: FILE, name: FILE, size: 100 } as Archive;
  const identity = {
    type: "controller",
    os: "linux",
    arch: "x86_64",
    object: "Controller",
    version: "1.0.0",
  } as const;
  return { ...identity, archive, name: FILE, description: "", ...changes };
}

function row(changes: Partial<Row> = {}): Row {
  return {
    id: 1,
    type: "controller",
    os: "linux",
    arch: null,
    object: "Controller",
    version: "1.0.0",
    name: FILE,
    description: "",
    createdBy: "system",
    ...changes,
  };
}

function object(key: string, changes: Partial<StoredObject> = {}): StoredObject {
  const whole = {
    nuid: `N${key}`,
    size: 100,
    chunks: 1,
    stored: 1,
    sha256: OURS,
    deleted: false,
    headers: {},
    sequence: 7,
  };
  return { key, ...whole, ...changes };
}

interface Given {
  packages?: Package[];
  rows?: Row[];
  objects?: StoredObject[];
  archColumn?: boolean;
  onConflict?: PlanInput["onConflict"];
  collectors?: string[];
}

function decide(given: Given) {
  const packages = given.packages ?? [pack()];
  return plan({
    desired: packages.map((p) => ({ package: p, sha256: OURS, bytes: 100 })),
    collectors: (given.collectors ?? []).map((name) => ({
      ...pack(),
      type: "collector" as const,
      object: name,
      controller: packages[0] as Package,
    })),
    rows: given.rows ?? [],
    objects: new Map((given.objects ?? []).map((o) => [o.key, o])),
    archColumn: given.archColumn ?? false,
    onConflict: given.onConflict ?? "replace",
  });
}

const KEY = `linux/Controller/1.0.0/${FILE}`;
const ARCH_KEY = `linux/x86_64/Controller/1.0.0/${FILE}`;
const PERSON = { createdBy: "alice" };
const otherBytes = object(KEY, { sha256: OTHER });

describe("SPEC §4: row, stored object and local bytes decide", () => {
  const cases: [string, Given, string, string][] = [
    ["no row, no object", {}, "uploaded", "inserted"],
    ["our row, no object", { rows: [row()] }, "uploaded", "unchanged"],
    ["a person's row, no object", { rows: [row(PERSON)] }, "uploaded", "unchanged"],
    [
      "a deleted marker counts as none",
      { objects: [object(KEY, { deleted: true })] },
      "uploaded",
      "inserted",
    ],
    ["no row, same bytes", { objects: [object(KEY)] }, "unchanged", "inserted"],
    ["our row, same bytes", { rows: [row()], objects: [object(KEY)] }, "unchanged", "unchanged"],
    ["a person's row, same bytes", { rows: [row(PERSON)], objects: [object(KEY)] }, "unchanged", "unchanged"],
    ["same digest, other size", { objects: [object(KEY, { size: 99 })] }, "replaced", "inserted"],
    ["chunks missing", { rows: [row()], objects: [object(KEY, { stored: 0 })] }, "repaired", "unchanged"],
    [
      "a person's, chunks missing",
      { rows: [row(PERSON)], objects: [object(KEY, { stored: 0 })] },
      "repaired",
      "unchanged",
    ],
    ["our row, other bytes", { rows: [row()], objects: [otherBytes] }, "replaced", "unchanged"],
    ["no row, other bytes", { objects: [otherBytes] }, "replaced", "inserted"],
    ["no row, other bytes, keep", { objects: [otherBytes], onConflict: "keep" }, "kept", "inserted"],
    [
      "our row, other bytes, keep",
      { rows: [row()], objects: [otherBytes], onConflict: "keep" },
      "kept",
      "unchanged",
    ],
    [
      "our row, other bytes, fail",
      { rows: [row()], objects: [otherBytes], onConflict: "fail" },
      "conflict",
      "none",
    ],
    ["a person's, other bytes", { rows: [row(PERSON)], objects: [otherBytes] }, "conflict", "none"],
    [
      "a person's, other bytes, fail",
      { rows: [row(PERSON)], objects: [otherBytes], onConflict: "fail" },
      "conflict",
      "none",
    ],
    [
      "a person's, other bytes, keep",
      { rows: [row(PERSON)], objects: [otherBytes], onConflict: "keep" },
      "kept",
      "unchanged",
    ],
  ];
  for (const [name, given, action, rowAction] of cases) {
    test(`${name}: ${action}, row ${rowAction}`, () => {
      const { packages, rows } = decide(given);
      const [decision] = packages;
      assert.equal(decision?.conflict ? "conflict" : decision?.action, action);
      assert.equal(rows[0]?.action ?? "none", rowAction);
      assert.equal(decision?.upload, ["uploaded", "repaired", "replaced"].includes(action));
      assert.equal(decision?.key, KEY);
      if (decision?.conflict) assert.equal(decision.conflict.code, 65);
    });
  }
});

describe("version latest", () => {
  const latest = [pack({ version: "latest" })];
  const stored = [object(`linux/Controller/latest/${FILE}`, { sha256: OTHER })];
  for (const onConflict of ["replace", "keep", "fail"] as const) {
    test(`is replaced with ON_CONFLICT=${onConflict}`, () => {
      assert.equal(decide({ packages: latest, objects: stored, onConflict }).packages[0]?.action, "replaced");
    });
  }
  test("of a person is not", () => {
    const rows = [row({ ...PERSON, version: "latest" })];
    assert.equal(decide({ packages: latest, objects: stored, rows }).packages[0]?.conflict?.code, 65);
  });
});

describe("keys and names", () => {
  test("with the architecture column the key has the architecture", () => {
    const [decision] = decide({ archColumn: true }).packages;
    assert.equal(decision?.key, ARCH_KEY);
  });

  test("the server falls back on the old key: same bytes there are in place", () => {
    const [decision] = decide({
      archColumn: true,
      objects: [object(KEY)],
      rows: [row({ arch: "x86_64" })],
    }).packages;
    assert.deepEqual([decision?.action, decision?.key, decision?.obsolete], ["unchanged", KEY, undefined]);
  });

  test("other bytes under the old key are replaced under the new one, and go", () => {
    const [decision] = decide({
      archColumn: true,
      objects: [otherBytes],
      rows: [row({ arch: "x86_64" })],
    }).packages;
    assert.deepEqual([decision?.action, decision?.key, decision?.obsolete?.key], ["replaced", ARCH_KEY, KEY]);
  });

  test("but stay while another architecture is served by them", () => {
    const rows = [row({ arch: "x86_64" }), row({ id: 2, arch: "arm64" })];
    const [decision] = decide({ archColumn: true, objects: [otherBytes], rows }).packages;
    assert.deepEqual([decision?.action, decision?.obsolete], ["replaced", undefined]);
  });

  test("a row of another architecture is another package", () => {
    const { rows } = decide({ archColumn: true, rows: [row({ arch: "arm64" })] });
    assert.equal(rows[0]?.action, "inserted");
  });

  test("a person's row keeps its name, and the object goes under it", () => {
    const { packages, rows } = decide({ rows: [row({ ...PERSON, name: "mine.zip" })] });
    assert.equal(packages[0]?.key, "linux/Controller/1.0.0/mine.zip");
    assert.equal(rows[0]?.action, "unchanged");
  });

  test("our row takes the file's new name with new bytes; the object under the old name goes", () => {
    const old = object("linux/Controller/1.0.0/old.zip", { sha256: OTHER });
    const { packages, rows } = decide({ rows: [row({ name: "old.zip" })], objects: [old] });
    assert.deepEqual([packages[0]?.action, packages[0]?.key], ["replaced", KEY]);
    assert.equal(packages[0]?.obsolete?.key, old.key);
    assert.deepEqual([rows[0]?.action, rows[0]?.values.name], ["updated", FILE]);
  });

  test("the same bytes under our row's old name stay there: nothing is written", () => {
    const old = object("linux/Controller/1.0.0/old.zip");
    const { packages, rows } = decide({
      rows: [row({ name: "old.zip" })],
      objects: [old],
      collectors: ["Telegraf"],
    });
    assert.deepEqual([packages[0]?.action, packages[0]?.key], ["unchanged", old.key]);
    assert.equal(rows[0]?.action, "unchanged");
    assert.equal(rows[1]?.values.name, "old.zip", "a collector's row names what the controller's names");
  });

  test("bytes that a run which was cut short has sent already are not sent again", () => {
    const old = object("linux/Controller/1.0.0/old.zip", { sha256: OTHER });
    const { packages } = decide({ rows: [row({ name: "old.zip" })], objects: [old, object(KEY)] });
    assert.deepEqual(
      [packages[0]?.action, packages[0]?.upload, packages[0]?.obsolete?.key],
      ["replaced", false, old.key],
    );
  });
});

describe("an object that was replaced under another key, and that a crash kept from being removed", () => {
  const old = object("linux/Controller/1.0.0/old.zip", { sha256: OTHER });
  const left = object(KEY, { headers: { [REPLACES_HEADER]: [old.nuid] } });

  test("goes with the next run, though that has nothing else to do", () => {
    const [decision] = decide({ rows: [row()], objects: [old, left] }).packages;
    assert.deepEqual([decision?.action, decision?.obsolete?.key], ["unchanged", old.key]);
  });

  test("stays where somebody's row is served by it, or another object has its key by now", () => {
    const theirs = row({ ...PERSON, id: 2, version: "1.0.0", os: "windows", name: "old.zip" });
    const served = { ...old, key: "windows/Controller/1.0.0/old.zip" };
    assert.equal(decide({ rows: [row(), theirs], objects: [served, left] }).packages[0]?.obsolete, undefined);
    const another = { ...old, nuid: "another" };
    assert.equal(decide({ rows: [row()], objects: [another, left] }).packages[0]?.obsolete, undefined);
  });

  test("is remembered by the object that takes its successor's place", () => {
    const stored = { ...left, key: "linux/Controller/1.0.0/second.zip", sha256: OTHER };
    const [decision] = decide({ rows: [row({ name: "second.zip" })], objects: [old, stored] }).packages;
    assert.deepEqual([decision?.obsolete?.key, decision?.supersedes], [stored.key, [stored.nuid, old.nuid]]);
  });
});

describe("collectors' rows", () => {
  test("are written with the controller's, and name its archive", () => {
    const { rows } = decide({ collectors: ["Telegraf", "Vector"] });
    assert.deepEqual(
      rows.map(({ action, values }) => [action, values.type, values.object, values.name]),
      [
        ["inserted", "controller", "Controller", FILE],
        ["inserted", "collector", "Telegraf", FILE],
        ["inserted", "collector", "Vector", FILE],
      ],
    );
  });

  test("of a person are left alone", () => {
    const telegraf = row({ ...PERSON, type: "collector", object: "Telegraf", name: "telegraf.zip" });
    const { rows } = decide({ collectors: ["Telegraf"], rows: [telegraf] });
    assert.deepEqual(rows[1]?.action, "unchanged");
  });

  test("are not written for a controller in conflict", () => {
    const { rows } = decide({ collectors: ["Telegraf"], objects: [otherBytes], onConflict: "fail" });
    assert.deepEqual(rows, []);
  });
});
