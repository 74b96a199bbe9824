import { type Arch, archOf } from "../identity.ts";
import type { Row } from "../registry/rows.ts";
import { isWhole } from "../store/object.ts";
import { keysOf, served } from "./key.ts";
import type { ObservedState } from "./observed.ts";

/** The architecture that a row stands for: null where the table has no such column, x86_64 where it names none (BKLITE.md). */
export function architectureOf({ arch }: Pick<Row, "arch">): Arch | string | null {
  if (arch === null) return null;
  return arch === "" ? "x86_64" : (archOf(arch) ?? arch);
}

/** Whether the object that the server would serve for a row is there, with all its chunks. */
export function isInstallable(row: Row, { listing, archColumn }: ObservedState): boolean {
  const object = served(keysOf(row, row.name, archColumn), listing.objects);
  return object !== undefined && isWhole(object);
}

/** The platforms of all registered controllers whose object is whole. */
export function installableControllers(state: ObservedState): { os: string; arch: string | null }[] {
  return state.rows
    .filter((row) => row.type === "controller" && isInstallable(row, state))
    .map((row) => ({ os: row.os, arch: architectureOf(row) }));
}
