import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Arch, Identity, Os } from "../../src/identity.ts";
import type { Archive, Package } from "../../src/packages/package.ts";
import { isReady, type Row } from "../../src/postgres/rows.ts";
import { type Plan, type PlanInput, plan } from "../../src/reconcile/decide.ts";
import { findDrift } from "../../src/reconcile/drift.ts";
import type { DesiredPackage } from "../../src/reconcile/match.ts";
import { findRow, keysOf, served } from "../../src/reconcile/match.ts";
import { type Nuid, REPLACES_HEADER } from "../../src/store/meta.ts";
import type { StoredObject } from "../../src/store/object.ts";
import { LONG, random } from "../support/rounds.ts";

const ROUNDS = LONG ? 200_000 : 5000;
const DIGESTS = ["a", "b", "c"].map((letter) => letter.repeat(64));
const NAMES = ["fusion-collectors.zip", "old.zip", "telegraf", "mine.zip"];
const VERSIONS = ["1.0.0", "latest"];

type World = PlanInput;

/** A volume, a table and a bucket in any state that somebody could have left them in. */
function makeWorld(round: number): World {
  const { chance, pick } = random(`world ${round}`);
  const archColumn = chance(0.6);
  const hasDigest = archColumn && chance(0.6);
  const hasStatus = hasDigest && chance(0.6);
  const arches: Arch[] = archColumn ? ["x86_64", "arm64"] : ["x86_64"];
  const packages = new Map<string, Package>();
  const collectors: World["collectors"][number][] = [];
  for (let n = 0; n < 4; n++) {
    if (chance(0.3)) continue;
    const os = pick<Os>(["linux", "windows"]);
    const arch = pick(arches);
    const type = pick(["controller", "controller", "collector", "installer"] as const);
    const version = type === "installer" ? "latest" : pick(VERSIONS);
    const object = type === "collector" ? "Telegraf" : type === "installer" ? "installer" : "Controller";
    const archive = { file: `${n}.zip`, name: pick(NAMES), size: 100 } as Archive;
    const fixed = type === "installer" && { keyWithoutRow: `installer/${os}/${arch}/x` };
    const pkg: Package = {
      type,
      os,
      arch,
      object,
      version,
      archive,
      name: archive.name,
      description: "",
      ...fixed,
    };
    const identity = [os, archColumn && arch, object, version].join("/");
    if (packages.has(identity)) continue;
    packages.set(identity, pkg);
  }
  for (const controller of packages.values()) {
    if (controller.type !== "controller" || chance(0.5)) continue;
    const { os, arch, version } = controller;
    if (packages.has([os, archColumn && arch, "Telegraf", version].join("/"))) continue;
    collectors.push({ type: "collector", os, arch, object: "Telegraf", version, controller });
  }
  const rows: Row[] = [];
  for (const os of ["linux", "windows"]) {
    for (const arch of archColumn ? ["x86_64", "arm64", ""] : [null]) {
      for (const object of ["Controller", "Telegraf"]) {
        for (const version of VERSIONS) {
          if (chance(0.7)) continue;
          const type = object === "Controller" ? "controller" : "collector";
          const createdBy = chance(0.7) ? "system" : "alice";
          rows.push({
            id: rows.length + 1,
            type,
            os,
            arch,
            object,
            version,
            name: pick(NAMES),
            description: "",
            createdBy,
            sha256: hasDigest ? pick(["", ...DIGESTS]) : null,
            status: hasStatus ? (chance(0.6) ? "ready" : pick(["pending", "deleting"])) : null,
          });
        }
      }
    }
  }
  const objects = new Map<string, StoredObject>();
  const keys = [
    ...rows.flatMap((row) => keysOf(row, chance(0.7) ? row.name : pick(NAMES), archColumn)),
    ...[...packages.values()].flatMap((pkg) => pkg.keyWithoutRow ?? keysOf(pkg, pkg.name, archColumn)),
  ];
  for (const [index, key] of keys.entries()) {
    if (chance(0.4)) continue;
    const deleted = chance(0.15);
    objects.set(key, {
      key,
      nuid: `N${index}` as Nuid,
      size: deleted ? 0 : 100,
      chunks: deleted ? 0 : 2,
      stored: deleted ? 0 : chance(0.8) ? 2 : pick([0, 1]),
      sha256: deleted ? undefined : pick(DIGESTS),
      deleted,
      headers: chance(0.15) ? { [REPLACES_HEADER]: [`N${pick([0, 1, 2, 3])}`] } : {},
      sequence: index + 1,
    });
  }
  const desired = [...packages.values()].map((pkg) => ({ package: pkg, sha256: pick(DIGESTS), bytes: 100 }));
  return {
    desired,
    collectors,
    rows,
    objects,
    archColumn,
    hasDigest,
    hasStatus,
    onConflict: pick(["replace", "keep", "fail"] as const),
  };
}

/** Does to a copy of the world what apply does to the servers. */
function carryOut({ packages, rows }: Plan, world: World): World {
  const objects = new Map(world.objects);
  for (const { desired, key, upload, obsolete, conflict } of packages) {
    if (!upload || conflict) continue;
    const old = objects.get(key);
    const replaces = [old, ...obsolete].flatMap((one) => one?.nuid ?? []);
    objects.set(key, {
      key,
      nuid: `NEW${key}` as Nuid,
      size: 100,
      chunks: 2,
      stored: 2,
      sha256: desired.sha256,
      deleted: false,
      headers: replaces.length > 0 ? { [REPLACES_HEADER]: replaces } : {},
      sequence: 1000,
    });
  }
  const table = [...world.rows];
  for (const { action, row, values } of rows) {
    if (action === "inserted") table.push({ ...values, id: table.length + 100, createdBy: "system" });
    const { name, sha256, status } = values;
    if (action === "updated" && row) table[table.indexOf(row)] = { ...row, name, sha256, status };
  }
  for (const old of packages.flatMap(({ obsolete, conflict }) => (conflict ? [] : obsolete))) {
    const headers = { [REPLACES_HEADER]: old.nuid ? [old.nuid] : [] };
    objects.set(old.key, {
      ...old,
      size: 0,
      chunks: 0,
      stored: 0,
      sha256: undefined,
      deleted: true,
      headers,
    });
  }
  return { ...world, objects, rows: table };
}

const servedTo = (row: Row, { objects, archColumn }: World) =>
  served(keysOf(row, row.name, archColumn), objects);

/** One round; throws what does not hold. */
function check(round: number): void {
  const world = makeWorld(round);
  const before = structuredClone({ rows: world.rows, objects: world.objects });
  const first = plan(world);
  assert.deepEqual(
    { rows: world.rows, objects: world.objects },
    before,
    "the plan changed what it was given",
  );
  const done = carryOut(first, world);
  for (const row of world.rows) {
    const now = done.rows.find(({ id }) => id === row.id) as Row;
    const was = servedTo(row, world);
    const is = servedTo(now, done);
    if (was) assert.ok(is, `row ${row.id} serves nothing any more`);
    if (was && row.createdBy !== "system") {
      const owned = first.packages.find((decision) => decision.row === row);
      const same = was.sha256 === is?.sha256 || was.stored !== was.chunks;
      assert.deepEqual(now, row);
      assert.ok(same || owned?.action === "repaired", `what a user uploaded for row ${row.id} was changed`);
      assert.equal(now.name, row.name);
    }
    const shared = first.rows.find(
      (one) => one.row === row && one.after.desired.package.object !== row.object,
    );
    if (shared && was) assert.equal(now.name, row.name, "a collector's own object was stranded");
    const isStuck = !isReady(row) && (row.status !== "pending" || row.createdBy !== "system");
    if (isStuck) assert.deepEqual(now, row, "a row that is not ready was touched");
  }
  for (const { action, row, values, hasObject } of first.rows) {
    if (action === "unchanged") continue;
    const now = (
      row
        ? done.rows.find(({ id }) => id === row.id)
        : findRow(values as Identity, done.rows, world.archColumn)
    ) as Row;
    if (world.hasStatus) assert.equal(now.status, "ready");
    const object = servedTo(now, done);
    if (world.hasDigest && hasObject) assert.equal(now.sha256, object?.sha256);
  }
  if (first.packages.some(({ conflict }) => conflict)) return; // init does not exit 0
  const second = plan({ ...done, desired: done.desired.map((one): DesiredPackage => ({ ...one })) });
  for (const { action, upload, obsolete, key } of second.packages) {
    assert.ok(action === "unchanged" || action === "kept", `${key}: ${action}`);
    assert.deepEqual([upload, obsolete], [false, []], key);
  }
  for (const { action, values } of second.rows) assert.equal(action, "unchanged", values.object);
  const drift = findDrift(second).filter(({ reason }) => reason !== "row.not-ready");
  assert.deepEqual(drift, []);
}

describe("whatever the volume, the table and the bucket", () => {
  test(`after a plan is carried out, there is nothing left to do and nothing is lost (${ROUNDS} rounds)`, () => {
    for (let round = 0; round < ROUNDS; round++) {
      try {
        check(round);
      } catch (error) {
        throw new Error(`round ${round}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
});
