import { abortable } from "../async.ts";
import { differingColumns, isSystemRow, type RowChange, tryDefaults, writeRows } from "../postgres/rows.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import type { Applied, ApplyContext } from "./apply.ts";
import type { Plan, RowDecision } from "./decision.ts";

/** Tries a row that is to be inserted, before anything is uploaded for it: only the database knows what ROW_DEFAULTS' values mean. */
export async function tryRowDefaults({ rows }: Plan, { db, shape }: Servers["postgres"]): Promise<void> {
  const first = rows.find(({ row }) => row === undefined);
  if (first && shape.defaults.size > 0) await tryDefaults(db, shape, first.values);
}

/**
 * Writes the rows of the packages that are stored, all in one transaction. `digests`: of the objects as they were stored, which may not
 * have been known before.
 */
export async function applyRows(
  rows: readonly RowDecision[],
  digests: Applied["digests"],
  context: ApplyContext,
): Promise<void> {
  const { servers, log, recorder, signal } = context;
  const { db, shape } = servers.postgres;
  const settled = rows.map((decision) => settleRow(decision, digests));
  const changes = settled.flatMap(({ change }) => change ?? []);
  const ids = await abortable(writeRows(db, shape, changes), signal);
  const idOf = new Map(changes.map((change, index) => [change, ids[index]]));
  for (const { row, values, change } of settled) {
    const id = change ? idOf.get(change) : row?.id;
    const action = !change ? "unchanged" : change.row ? "updated" : "inserted";
    recorder.row(values, id, action);
    const line = { id: id ?? null, action, ...values } as const;
    if (change?.row)
      log.info("row.updated", { ...line, columns: [...change.columns], oldName: change.row.name });
    else if (change) log.info("row.inserted", line);
    else log.debug("row.unchanged", line);
  }
}

/** A row as it is to be, with its object's digest, and what has to be written for that. */
function settleRow(
  { row, values: planned, conflict, hasObject, after }: RowDecision,
  digests: Applied["digests"],
): { row: RowDecision["row"]; values: RowDecision["values"]; change?: RowChange } {
  const sha256 = (after.upload && hasObject && digests.get(after)) || planned.sha256;
  const values = { ...planned, sha256: planned.sha256 === null ? null : sha256 };
  if (!row) return { row, values, change: { row, values } };
  const columns = differingColumns(row, values);
  const isRight = conflict !== undefined || !isSystemRow(row) || columns.length === 0;
  return isRight ? { row, values } : { row, values, change: { row, values, columns } };
}
