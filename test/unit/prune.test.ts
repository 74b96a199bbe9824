import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Identity } from "../../src/identity.ts";
import type { Row } from "../../src/postgres/rows.ts";
import { afterPrune, type PruneRule, planPrune } from "../../src/reconcile/old-versions.ts";
import type { ObservedState } from "../../src/reconcile/state.ts";
import type { Nuid } from "../../src/store/meta.ts";
import type { StoredObject } from "../../src/store/object.ts";

let ids = 0;

function row(version: string, changes: Partial<Row> = {}): Row {
  ids += 1;
  return {
    id: ids,
    type: "collector",
    os: "linux",
    arch: "x86_64",
    object: "Telegraf",
    version,
    name: "telegraf",
    description: "",
    createdBy: "system",
    sha256: null,
    status: null,
    ...changes,
  };
}

const keyOf = ({ os, arch, object, version, name }: Row) =>
  [os, ...(arch === null ? [] : [arch || "generic"]), object, version, name].join("/");

function object(key: string, changes: Partial<StoredObject> = {}): StoredObject {
  const whole = { size: 100, chunks: 1, stored: 1, sha256: "a".repeat(64), deleted: false, headers: {} };
  return { key, nuid: `N${key}` as Nuid, sequence: 7, ...whole, ...changes };
}

interface Given {
  rows: Row[];
  /** Objects beside those of the rows, and those that no row is served by. */
  more?: StoredObject[];
  leftovers?: StoredObject[];
  /** Keys of rows whose object is missing. */
  missing?: string[];
  onVolume?: Partial<Identity>[];
  archColumn?: boolean;
}

function decide(rule: PruneRule, given: Given) {
  const { rows, more = [], leftovers = [], missing = [], onVolume = [], archColumn = true } = given;
  const own = rows.map(keyOf).filter((key) => !missing.includes(key));
  const objects = new Map(
    [...own.map((key) => object(key)), ...more, ...leftovers].map((one) => [one.key, one]),
  );
  const listing = { objects, chunks: new Map(), keys: objects.size, stream: undefined };
  const state: ObservedState = { rows, listing, archColumn, hasDigest: false, hasStatus: false };
  const identity = { type: "collector", os: "linux", arch: "x86_64", object: "Telegraf" } as const;
  const mounted = onVolume.map((one) => ({ ...identity, version: "0", ...one }));
  const plan = planPrune({ state, rule, onVolume: mounted, leftovers });
  const { removals, kept } = plan;
  return {
    plan,
    after: afterPrune(state, plan),
    rows: removals.flatMap((one) => one.row ?? []).map(({ arch, version }) => `${arch ?? "-"} ${version}`),
    objects: removals.flatMap((one) => one.object?.key ?? []),
    kept: kept.map(({ row: { version }, why }) => `${version} ${why}`),
  };
}

describe("--keep", () => {
  test("keeps the newest by number, a pre-release before its release", () => {
    const versions = ["1.9.0", "1.10.0", "1.10.0-rc2", "1.10.0-rc10", "1.10.0.1"];
    const { rows, objects } = decide({ keep: 2 }, { rows: versions.map((version) => row(version)) });
    assert.deepEqual(rows.sort(), ["x86_64 1.10.0-rc10", "x86_64 1.10.0-rc2", "x86_64 1.9.0"]);
    assert.deepEqual(objects.length, 3);
  });

  test("counts for each type, os, architecture and object by itself", () => {
    const rows = [
      row("1.0.0"),
      row("2.0.0"),
      row("1.0.0", { arch: "arm64" }),
      row("1.0.0", { os: "windows", name: "telegraf.exe" }),
      row("1.0.0", { object: "Vector", name: "vector" }),
    ];
    assert.deepEqual(decide({ keep: 1 }, { rows }).rows, ["x86_64 1.0.0"]);
  });

  test("takes an architecture by any of its names, and none for x86_64", () => {
    const rows = [row("1.0.0", { arch: "" }), row("2.0.0", { arch: "amd64" }), row("3.0.0")];
    assert.deepEqual(decide({ keep: 1 }, { rows }).rows, [" 1.0.0", "amd64 2.0.0"]);
  });

  test("leaves rows of users, which count, and latest and what does not read as a version, which do not", () => {
    const rows = [
      row("0.1.0", { createdBy: "admin" }),
      row("1.0.0"),
      row("2.0.0", { createdBy: "admin" }),
      row("latest"),
      row("nightly"),
      row("v3.0.0"),
      row("4.0.0 beta"),
    ];
    const found = decide({ keep: 1 }, { rows });
    assert.deepEqual(found.rows, ["x86_64 1.0.0"]);
    assert.deepEqual(
      found.kept.filter((one) => one.includes("unordered")),
      ["nightly unordered", "v3.0.0 unordered", "4.0.0 beta unordered"],
    );
  });

  test("counts no version that cannot be installed before one that can", () => {
    const rows = [row("1.0.0"), row("2.0.0"), row("3.0.0", { status: "pending" })];
    const missing = ["linux/x86_64/Telegraf/2.0.0/telegraf"];
    assert.deepEqual(decide({ keep: 1 }, { rows, missing }).rows, []);
    assert.deepEqual(decide({ keep: 1 }, { rows }).rows, ["x86_64 1.0.0"]);
  });

  test("removes rows that never had an object, as those of shared collectors", () => {
    const rows = [row("1.0.0", { arch: null }), row("2.0.0", { arch: null })];
    const found = decide({ keep: 1 }, { rows, missing: rows.map(keyOf), archColumn: false });
    assert.deepEqual([found.rows, found.objects], [["- 1.0.0"], []]);
  });

  test("leaves what lies on the volume, and rows that are not ready", () => {
    const rows = [row("1.0.0"), row("1.1.0", { status: "deleting" }), row("1.2.0"), row("2.0.0")];
    const found = decide({ keep: 1 }, { rows, onVolume: [{ version: "1.0.0" }] });
    assert.deepEqual(found.rows, ["x86_64 1.2.0"]);
    assert.deepEqual(found.kept, ["1.0.0 volume", "1.1.0 not-ready"]);
  });

  test("never removes two versions that compare equal because of each other", () => {
    assert.deepEqual(decide({ keep: 1 }, { rows: [row("1.0"), row("1.0.0"), row("1.0.0+2")] }).rows, []);
  });
});

describe("--version", () => {
  test("removes the newest of each object, to go back", () => {
    const vector = { object: "Vector", name: "vector" };
    const rows = [row("1.0.0"), row("2.0.0"), row("1.0.0", vector), row("2.0.0", vector)];
    assert.deepEqual(decide({ version: "2.0.0" }, { rows }).objects, [
      "linux/x86_64/Telegraf/2.0.0/telegraf",
      "linux/x86_64/Vector/2.0.0/vector",
    ]);
    const one = decide({ version: "2.0.0", object: "Vector" }, { rows });
    assert.deepEqual(one.objects, ["linux/x86_64/Vector/2.0.0/vector"]);
    assert.deepEqual(decide({ version: "2.0.0", os: "windows" }, { rows }).rows, []);
    assert.deepEqual(decide({ version: "2.0.0", arch: "arm64" }, { rows }).rows, []);
  });

  test("leaves the last version of an object, or the last one that is whole", () => {
    assert.deepEqual(decide({ version: "1.0.0" }, { rows: [row("1.0.0")] }).kept, ["1.0.0 last"]);
    const rows = [row("1.0.0"), row("2.0.0")];
    const missing = ["linux/x86_64/Telegraf/1.0.0/telegraf"];
    assert.deepEqual(decide({ version: "2.0.0" }, { rows, missing }).kept, ["2.0.0 last"]);
    assert.deepEqual(decide({ version: "1.0.0" }, { rows, missing }).rows, ["x86_64 1.0.0"]);
  });

  test("names what stays, and why", () => {
    const rows = [row("1.0.0"), row("2.0.0", { createdBy: "admin" }), row("3.0.0"), row("latest")];
    assert.deepEqual(decide({ version: "2.0.0" }, { rows }).kept, ["2.0.0 user"]);
    assert.deepEqual(decide({ version: "latest" }, { rows }).kept, ["latest latest"]);
    const onVolume = [{ version: "3.0.0" }];
    assert.deepEqual(decide({ version: "3.0.0" }, { rows, onVolume }).kept, ["3.0.0 volume"]);
  });

  test("removes a version that does not read as one, because it was named", () => {
    assert.deepEqual(decide({ version: "nightly" }, { rows: [row("1.0.0"), row("nightly")] }).rows, [
      "x86_64 nightly",
    ]);
  });
});

describe("objects", () => {
  test("one that serves another row stays, and goes with the last of the rows", () => {
    const old = "linux/Telegraf/1.0.0/telegraf";
    const arm = { arch: "arm64" };
    const both = [row("1.0.0"), row("1.0.0", arm)];
    const rows = [...both, row("2.0.0"), row("2.0.0", arm)];
    const given = { rows, missing: both.map(keyOf), more: [object(old)] };
    const one = decide({ version: "1.0.0", arch: "arm64" }, given);
    assert.deepEqual([one.rows, one.objects], [["arm64 1.0.0"], []]);
    const all = decide({ keep: 1 }, given);
    assert.deepEqual([all.rows.length, all.objects], [2, [old]]);
    assert.equal(all.after.listing.objects.has(old), false);
  });

  test("one without a row goes if the table has its package, it is not latest and not on the volume", () => {
    const leftovers = [
      object("linux/x86_64/Telegraf/0.9.0/telegraf"),
      object("linux/x86_64/Telegraf/0.8.0/telegraf"),
      object("linux/x86_64/Telegraf/latest/telegraf"),
      object("linux/patches/2024/file"),
      object("windows/x86_64/Telegraf/0.9.0/telegraf.exe"),
    ];
    const found = decide({ keep: 5 }, { rows: [row("1.0.0")], leftovers, onVolume: [{ version: "0.8.0" }] });
    assert.deepEqual(found.objects, ["linux/x86_64/Telegraf/0.9.0/telegraf"]);
  });
});
