import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Archive, Package } from "../../src/packages/package.ts";
import type { Row } from "../../src/postgres/rows.ts";
import { type PlanInput, plan } from "../../src/reconcile/decide.ts";
import { findDrift } from "../../src/reconcile/drift.ts";
import { type Nuid, ORIGIN_HEADER } from "../../src/store/meta.ts";
import type { StoredObject } from "../../src/store/object.ts";

const NAME = "telegraf";
const KEY = `linux/x86_64/Telegraf/1.0.0/${NAME}`;
const [FILE, OTHER, STRANGE] = ["a", "b", "c"].map((letter) => letter.repeat(64)) as [string, string, string];

const pkg: Package = {
  type: "collector",
  os: "linux",
  arch: "x86_64",
  object: "Telegraf",
  version: "1.0.0",
  archive: { file: NAME, name: NAME, size: 100 } as Archive,
  name: NAME,
  description: "",
};

const row: Row = {
  ...{
    id: 1,
    type: "collector",
    os: "linux",
    arch: "x86_64",
    object: "Telegraf",
    version: "1.0.0",
    name: NAME,
  },
  ...{ description: "", createdBy: "system", sha256: FILE, status: "ready" },
};

function object(sha256: string | undefined, changes: Partial<StoredObject> = {}): StoredObject {
  const parts = { size: 100, chunks: 1, stored: 1, deleted: false, headers: {}, sequence: 7 };
  return { key: KEY, nuid: "N" as Nuid, sha256, ...parts, ...changes };
}

interface Given {
  row?: Partial<Row>;
  stored?: StoredObject;
  /** The file's; undefined: it is made, and not known before. */
  sha256?: string | undefined;
  origin?: string;
  onConflict?: PlanInput["onConflict"];
}

function decide(given: Given) {
  const { stored, origin, onConflict = "replace" } = given;
  const sha256 = "sha256" in given ? given.sha256 : FILE;
  const decided = plan({
    desired: [{ package: pkg, sha256, bytes: 100, ...(origin !== undefined && { origin }) }],
    collectors: [],
    rows: given.row ? [{ ...row, ...given.row }] : [],
    objects: new Map(stored ? [[stored.key, stored]] : []),
    archColumn: true,
    hasDigest: true,
    hasStatus: true,
    onConflict,
  });
  const [one] = decided.packages;
  const [its] = decided.rows;
  return {
    action: one?.conflict?.reason ?? one?.action,
    exit: one?.conflict?.code,
    row: its && [its.action, its.values.sha256?.[0] ?? its.values.sha256, its.values.status],
    drift: findDrift(decided).map(({ reason }) => reason),
  };
}

describe("what a row says of its object decides with the object (states D and E)", () => {
  const whole = object(FILE);
  const copied = { headers: { [ORIGIN_HEADER]: ["archive"] } };
  const CASES: [what: string, given: Given, action: string, row: unknown, drift: string[]][] = [
    ["all is right", { row: {}, stored: whole }, "unchanged", ["unchanged", "a", "ready"], []],
    ["no row", { stored: whole }, "unchanged", ["inserted", "a", "ready"], ["drift.row.missing"]],
    [
      "an empty digest is filled in",
      { row: { sha256: "" }, stored: whole },
      "unchanged",
      ["updated", "a", "ready"],
      [],
    ],
    [
      "but not on a user's row",
      { row: { sha256: "", createdBy: "alice" }, stored: whole },
      "unchanged",
      ["unchanged", "", "ready"],
      [],
    ],
    [
      "the row is of the object before: a run was killed",
      { row: { sha256: OTHER }, stored: whole },
      "unchanged",
      ["updated", "a", "ready"],
      ["drift.row.digest"],
    ],
    [
      "the object is not the row's, and not the file's",
      { row: { sha256: FILE }, stored: object(STRANGE) },
      "replaced",
      ["unchanged", "a", "ready"],
      ["drift.object.different"],
    ],
    [
      "whatever ON_CONFLICT says",
      { row: { sha256: OTHER }, stored: object(STRANGE), onConflict: "keep" },
      "replaced",
      ["updated", "a", "ready"],
      ["drift.object.different", "drift.row.digest"],
    ],
    [
      "an object that the row is right about is kept",
      { row: { sha256: OTHER }, stored: object(OTHER), onConflict: "keep" },
      "kept",
      ["unchanged", "b", "ready"],
      [],
    ],
    [
      "a user's row and object stay",
      { row: { sha256: OTHER, createdBy: "alice" }, stored: object(STRANGE) },
      "conflict.user",
      undefined,
      ["conflict.user"],
    ],
    [
      "headers are believed where the row has the object's digest",
      { row: { sha256: OTHER }, stored: object(OTHER, copied), sha256: undefined, origin: "archive" },
      "unchanged",
      ["unchanged", "b", "ready"],
      [],
    ],
    [
      "and count for nothing where it has not",
      { row: { sha256: FILE }, stored: object(STRANGE, copied), sha256: FILE, origin: "archive" },
      "replaced",
      ["unchanged", "a", "ready"],
      ["drift.object.different"],
    ],
    [
      "a digest that cannot be read says nothing of an object whose row has none",
      { row: { sha256: "" }, stored: object(undefined, copied), sha256: undefined, origin: "archive" },
      "unchanged",
      ["unchanged", "", "ready"],
      [],
    ],
    [
      "of system and pending: finished",
      { row: { status: "pending", sha256: "" }, stored: whole },
      "unchanged",
      ["updated", "a", "ready"],
      ["drift.row.status"],
    ],
    [
      "pending, and its object is missing",
      { row: { status: "pending", sha256: "" } },
      "uploaded",
      ["updated", "a", "ready"],
      ["drift.object.missing", "drift.row.status"],
    ],
  ];
  for (const [what, given, action, itsRow, drift] of CASES) {
    test(`${what}: ${action}`, () => {
      const decided = decide(given);
      assert.deepEqual([decided.action, decided.row, decided.drift], [action, itsRow, drift]);
    });
  }

  for (const [status, createdBy] of [
    ["deleting", "system"],
    ["frozen", "system"],
    ["", "system"],
    ["pending", "alice"],
    ["deleting", "alice"],
  ] as const) {
    test(`status "${status}" of ${createdBy}: the package fails with 76, whatever is stored`, () => {
      for (const stored of [undefined, whole, object(STRANGE)]) {
        const decided = decide({ row: { status, createdBy }, ...(stored && { stored }) });
        assert.deepEqual([decided.action, decided.exit, decided.row], ["row.not-ready", 76, undefined]);
      }
    });
  }
});
