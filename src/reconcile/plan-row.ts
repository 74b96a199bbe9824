import type { Identity } from "../identity.ts";
import type { Package } from "../packages/package.ts";
import { differingColumns, isReady, isSystemRow, PENDING, READY, type Row } from "../postgres/rows.ts";
import { notReady } from "./conflict.ts";
import type { PlanInput, RowVerdict, Verdict } from "./decision.ts";
import { findRow, keysOf, served } from "./key.ts";

/** Whether a row keeps BK-Lite from offering its package, and the job may not finish it: another process is at work on it, or a user. */
export function isStuck(row: Row): boolean {
  return !isReady(row) && !(isSystemRow(row) && row.status === PENDING);
}

/** Decides what one row says after the run: a package's own, or a shared collector's. */
export function decideRow(
  identity: Identity & { description?: string; controller?: Package },
  after: Verdict,
  input: PlanInput,
): RowVerdict {
  const { objects, archColumn, hasDigest, hasStatus } = input;
  const row = findRow(identity, input.rows, archColumn);
  const hasObject = identity.controller === undefined;
  const { type, os, object, version, description = "" } = identity;
  const parts = { os, object, version, arch: row ? row.arch : archColumn ? identity.arch : null };
  const objectUnder = (name: string) => served(keysOf(parts, name, archColumn), objects);
  // A shared collector's row is not taken away from an object of its own, whoever made it.
  const name = !hasObject && row && objectUnder(row.name) ? row.name : after.name;
  // A shared collector names the controller's archive, and mostly nothing is stored under its own key.
  const digest = hasObject ? digestAfter(after, input) : objectUnder(name)?.sha256;
  const values = {
    ...parts,
    // the unique constraint leaves the type out, and a row's own is not changed
    type: row?.type ?? type,
    name,
    description,
    // an object whose digest cannot be read says nothing against the row's
    sha256: hasDigest ? digest || row?.sha256 || "" : null,
    status: hasStatus ? READY : null,
  };
  if (!row) return { action: "inserted", row, values, hasObject, after };
  const there = { ...values, name: row.name, sha256: row.sha256, status: row.status };
  const unchanged = { action: "unchanged", row, values: there, hasObject, after } as const;
  if (isStuck(row)) return { ...unchanged, conflict: notReady(row) };
  if (!isSystemRow(row) || differingColumns(row, values).length === 0) return unchanged;
  return { ...unchanged, action: "updated", values };
}

/** The digest of the object that a package is served by after the run; undefined where it is not known before it is made. */
function digestAfter({ upload, desired, key }: Verdict, { objects }: PlanInput): string | undefined {
  return upload ? desired.sha256 : objects.get(key)?.sha256;
}
