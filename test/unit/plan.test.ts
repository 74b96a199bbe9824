import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Archive, Package } from "../../src/packages/package.ts";
import type { Row } from "../../src/postgres/rows.ts";
import { type PlanInput, plan } from "../../src/reconcile/decide.ts";
import { type Nuid, REPLACES_HEADER } from "../../src/store/meta.ts";
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
    sha256: null,
    status: null,
    ...changes,
  };
}

type Readable = StoredObject & { nuid: Nuid };

function object(key: string, changes: Partial<Readable> = {}): Readable {
  const whole = {
    nuid: `N${key}` as Nuid,
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
  hasDigest?: boolean;
  hasStatus?: boolean;
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
    hasDigest: given.hasDigest ?? false,
    hasStatus: given.hasStatus ?? false,
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
    ["a user's row, no object", { rows: [row(PERSON)] }, "uploaded", "unchanged"],
    [
      "a deleted marker counts as none",
      { objects: [object(KEY, { deleted: true })] },
      "uploaded",
      "inserted",
    ],
    ["no row, same bytes", { objects: [object(KEY)] }, "unchanged", "inserted"],
    ["our row, same bytes", { rows: [row()], objects: [object(KEY)] }, "unchanged", "unchanged"],
    ["a user's row, same bytes", { rows: [row(PERSON)], objects: [object(KEY)] }, "unchanged", "unchanged"],
    ["same digest, other size", { objects: [object(KEY, { size: 99 })] }, "replaced", "inserted"],
    ["chunks missing", { rows: [row()], objects: [object(KEY, { stored: 0 })] }, "repaired", "unchanged"],
    [
      "a user's, chunks missing",
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
    ["a user's, other bytes", { rows: [row(PERSON)], objects: [otherBytes] }, "conflict", "none"],
    [
      "a user's, other bytes, fail",
      { rows: [row(PERSON)], objects: [otherBytes], onConflict: "fail" },
      "conflict",
      "none",
    ],
    [
      "a user's, other bytes, keep",
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
  test("of a user is not", () => {
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
    assert.deepEqual([decision?.action, decision?.key, decision?.obsolete], ["unchanged", KEY, []]);
  });

  test("other bytes under the old key are replaced under the new one, and go", () => {
    const [decision] = decide({
      archColumn: true,
      objects: [otherBytes],
      rows: [row({ arch: "x86_64" })],
    }).packages;
    assert.deepEqual(
      [decision?.action, decision?.key, decision?.obsolete[0]?.key],
      ["replaced", ARCH_KEY, KEY],
    );
  });

  test("but stay while another architecture is served by them", () => {
    const rows = [row({ arch: "x86_64" }), row({ id: 2, arch: "arm64" })];
    const [decision] = decide({ archColumn: true, objects: [otherBytes], rows }).packages;
    assert.deepEqual([decision?.action, decision?.obsolete], ["replaced", []]);
  });

  test("a row of another architecture is another package", () => {
    const { rows } = decide({ archColumn: true, rows: [row({ arch: "arm64" })] });
    assert.equal(rows[0]?.action, "inserted");
  });

  test("a user's row keeps its name, and the object goes under it", () => {
    const { packages, rows } = decide({ rows: [row({ ...PERSON, name: "mine.zip" })] });
    assert.equal(packages[0]?.key, "linux/Controller/1.0.0/mine.zip");
    assert.equal(rows[0]?.action, "unchanged");
  });

  test("our row takes the file's new name with new bytes; the object under the old name goes", () => {
    const old = object("linux/Controller/1.0.0/old.zip", { sha256: OTHER });
    const { packages, rows } = decide({ rows: [row({ name: "old.zip" })], objects: [old] });
    assert.deepEqual([packages[0]?.action, packages[0]?.key], ["replaced", KEY]);
    assert.equal(packages[0]?.obsolete[0]?.key, old.key);
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
      [packages[0]?.action, packages[0]?.upload, packages[0]?.obsolete[0]?.key],
      ["replaced", false, old.key],
    );
  });
});

describe("an object that was replaced under another key, and that a crash kept from being removed", () => {
  const old = object("linux/Controller/1.0.0/old.zip", { sha256: OTHER });
  const left = object(KEY, { headers: { [REPLACES_HEADER]: [old.nuid] } });

  test("goes with the next run, though that has nothing else to do", () => {
    const [decision] = decide({ rows: [row()], objects: [old, left] }).packages;
    assert.deepEqual([decision?.action, decision?.obsolete[0]?.key], ["unchanged", old.key]);
  });

  test("stays where a user's row is served by it, or another object has its key by now", () => {
    const theirs = row({ ...PERSON, id: 2, version: "1.0.0", os: "windows", name: "old.zip" });
    const served = { ...old, key: "windows/Controller/1.0.0/old.zip" };
    assert.deepEqual(decide({ rows: [row(), theirs], objects: [served, left] }).packages[0]?.obsolete, []);
    const another = { ...old, nuid: "another" as Nuid };
    assert.deepEqual(decide({ rows: [row()], objects: [another, left] }).packages[0]?.obsolete, []);
  });

  test("stays where the header names an object of another package, whoever wrote that", () => {
    const packageOf = { archColumn: true, rows: [row({ arch: "x86_64" })] };
    const others = [
      "linux/x86_64/Telegraf/1.0.0/telegraf",
      "linux/x86_64/Controller/1.0.1/old.zip",
      "linux/arm64/Controller/1.0.0/old.zip",
      "windows/x86_64/Controller/1.0.0/old.zip",
      "linux/x86_64/Controller/1.0.0/.staging-1/old.zip",
      "installer/linux/x86_64/bklite-controller-installer",
      "job_mgmt/patch.bin",
    ].map((key) => object(key, { sha256: OTHER }));
    const headers = { [REPLACES_HEADER]: others.map(({ nuid }) => nuid) };
    const own = object(ARCH_KEY, { headers });
    assert.deepEqual(decide({ ...packageOf, objects: [...others, own] }).packages[0]?.obsolete, []);
    const names = [
      "linux/AMD64/Controller/1.0.0/a",
      "linux/generic/Controller/1.0.0/b",
      "linux/Controller/1.0.0/c",
    ];
    const its = names.map((key) => object(key, { sha256: OTHER }));
    const rightly = object(ARCH_KEY, { headers: { [REPLACES_HEADER]: its.map(({ nuid }) => nuid) } });
    const [decision] = decide({ ...packageOf, objects: [...its, rightly] }).packages;
    assert.deepEqual(
      decision?.obsolete.map(({ key }) => key),
      names,
    );
  });

  test("is never one that has no other key", () => {
    const KEY_OF = "installer/linux/x86_64/bklite-controller-installer";
    const installer = pack({
      type: "installer",
      object: "installer",
      version: "latest",
      keyWithoutRow: KEY_OF,
    });
    const other = object("linux/installer/latest/x", { sha256: OTHER });
    const own = object(KEY_OF, { headers: { [REPLACES_HEADER]: [other.nuid] } });
    assert.deepEqual(decide({ packages: [installer], objects: [other, own] }).packages[0]?.obsolete, []);
  });

  test("is remembered by the object that takes its successor's place", () => {
    const stored = { ...left, key: "linux/Controller/1.0.0/second.zip", sha256: OTHER };
    const [decision] = decide({ rows: [row({ name: "second.zip" })], objects: [old, stored] }).packages;
    assert.deepEqual(
      decision?.obsolete.map(({ key }) => key),
      [stored.key, old.key],
    );
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

  test("of a user are left alone", () => {
    const telegraf = row({ ...PERSON, type: "collector", object: "Telegraf", name: "telegraf.zip" });
    const { rows } = decide({ collectors: ["Telegraf"], rows: [telegraf] });
    assert.deepEqual(rows[1]?.action, "unchanged");
  });

  test("are not taken away from an object of their own, whoever made it", () => {
    for (const createdBy of ["system", "alice"]) {
      const telegraf = row({ createdBy, type: "collector", object: "Telegraf", name: "telegraf.zip" });
      const own = object("linux/Telegraf/1.0.0/telegraf.zip", { sha256: OTHER });
      const { rows } = decide({ collectors: ["Telegraf"], rows: [telegraf], objects: [own] });
      assert.deepEqual([rows[1]?.action, rows[1]?.values.name], ["unchanged", "telegraf.zip"]);
    }
  });

  test("without an object take the controller's archive", () => {
    const telegraf = row({ type: "collector", object: "Telegraf", name: "telegraf.zip" });
    const { rows } = decide({ collectors: ["Telegraf"], rows: [telegraf] });
    assert.deepEqual([rows[1]?.action, rows[1]?.values.name], ["updated", FILE]);
  });

  test("are not written for a controller in conflict", () => {
    const { rows } = decide({ collectors: ["Telegraf"], objects: [otherBytes], onConflict: "fail" });
    assert.deepEqual(rows, []);
  });
});

describe("what has no row", () => {
  const KEY_OF = "installer/linux/x86_64/bklite-controller-installer";
  const installer = pack({
    type: "installer",
    object: "installer",
    version: "latest",
    keyWithoutRow: KEY_OF,
  });

  test("is stored under its one key, whatever the table looks like", () => {
    for (const archColumn of [true, false]) {
      const { packages, rows } = decide({ packages: [installer], archColumn });
      assert.deepEqual([packages[0]?.action, packages[0]?.key, rows], ["uploaded", KEY_OF, []]);
    }
  });

  for (const onConflict of ["replace", "keep", "fail"] as const) {
    test(`moves, with ON_CONFLICT=${onConflict} too`, () => {
      const objects = [object(KEY_OF, { sha256: OTHER })];
      assert.equal(decide({ packages: [installer], objects, onConflict }).packages[0]?.action, "replaced");
    });
  }
});

describe("a row that does not name its architecture (state C)", () => {
  const GENERIC = `linux/generic/Controller/1.0.0/${FILE}`;

  test("is the x86_64 one, served under generic: no second row beside it", () => {
    const given = { archColumn: true, rows: [row({ arch: "" })], objects: [object(GENERIC)] };
    const { packages, rows } = decide(given);
    assert.deepEqual([packages[0]?.action, packages[0]?.key], ["unchanged", GENERIC]);
    assert.deepEqual([rows.length, rows[0]?.action], [1, "unchanged"]);
  });

  test("different content replaces it there", () => {
    const objects = [object(GENERIC, { sha256: OTHER })];
    const { packages } = decide({ archColumn: true, rows: [row({ arch: "" })], objects });
    assert.deepEqual([packages[0]?.action, packages[0]?.key], ["replaced", GENERIC]);
  });

  test("is none of an arm64 package's, and gives way to a row that names x86_64", () => {
    const arm = decide({ packages: [pack({ arch: "arm64" })], archColumn: true, rows: [row({ arch: "" })] });
    assert.equal(arm.rows[0]?.action, "inserted");
    const both = decide({ archColumn: true, rows: [row({ arch: "" }), row({ id: 2, arch: "x86_64" })] });
    assert.equal(both.packages[0]?.row?.id, 2);
  });

  test("an alias of the architecture counts, and stands in the key as the row has it", () => {
    const { packages, rows } = decide({ archColumn: true, rows: [row({ arch: "amd64" })] });
    assert.equal(packages[0]?.key, `linux/amd64/Controller/1.0.0/${FILE}`);
    assert.equal(rows[0]?.action, "unchanged");
  });
});

describe("an arm64 archive that was stored before the table told architectures apart", () => {
  const given = { packages: [pack({ arch: "arm64" })], archColumn: true, rows: [row({ arch: "x86_64" })] };

  test("gets an object and a row of its own, and the row that calls itself x86_64 is named", () => {
    const { packages, rows, warnings } = decide({ ...given, objects: [object(KEY)] });
    assert.deepEqual(
      [packages[0]?.action, packages[0]?.key],
      ["uploaded", `linux/arm64/Controller/1.0.0/${FILE}`],
    );
    assert.equal(rows[0]?.action, "inserted");
    assert.deepEqual(
      warnings.map(({ reason }) => reason),
      ["row.architecture"],
    );
  });

  test("nothing is said where that row serves another archive", () => {
    assert.deepEqual(decide({ ...given, objects: [otherBytes] }).warnings, []);
  });
});

describe("a stored object that no client can read", () => {
  const unreadable = { ...object(KEY, { sha256: OTHER }), nuid: undefined };
  const inputs = { desired: [{ package: pack(), sha256: OURS, bytes: 100 }], collectors: [] };

  for (const [whose, rows] of [
    ["ours", [row()]],
    ["a user's", [row(PERSON)]],
    ["nobody's", []],
  ] as const)
    for (const onConflict of ["replace", "keep", "fail"] as const)
      test(`${whose} is repaired, with ON_CONFLICT=${onConflict} too`, () => {
        const objects = new Map([[KEY, unreadable]]);
        const { packages } = plan({
          ...inputs,
          rows,
          objects,
          archColumn: false,
          hasDigest: false,
          hasStatus: false,
          onConflict,
        });
        assert.deepEqual([packages[0]?.action, packages[0]?.upload], ["repaired", true]);
      });
});

describe("a stored object with different content that is damaged", () => {
  const objects = [object(KEY, { sha256: OTHER, stored: 0 })];

  test("is not kept: nobody could install from it", () => {
    const { packages } = decide({ rows: [row()], objects, onConflict: "keep" });
    assert.equal(packages[0]?.action, "replaced");
  });

  test("of a user is a conflict of its own", () => {
    const { packages } = decide({ rows: [row(PERSON)], objects, onConflict: "keep" });
    assert.equal(packages[0]?.conflict?.reason, "conflict.user.damaged");
  });
});

test("a conflict names the platform as the table tells it apart", () => {
  const stored = object(ARCH_KEY, { sha256: OTHER });
  const told = decide({
    rows: [row({ arch: "x86_64" })],
    objects: [stored],
    onConflict: "fail",
    archColumn: true,
  });
  assert.match(told.packages[0]?.conflict?.message ?? "", /: linux\/x86_64 Controller 1\.0\.0 is already/);
  const untold = decide({ rows: [row()], objects: [otherBytes], onConflict: "fail" });
  assert.match(untold.packages[0]?.conflict?.message ?? "", /: linux Controller 1\.0\.0 is already/);
});
