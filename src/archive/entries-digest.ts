import { hash } from "node:crypto";

/** Version of the rule by which entries become one digest. */
const RULE = 1;

/** What BK-Lite's installer makes of one entry of a zip. */
export interface EntryFacts {
  /** As the zip has it; a folder's ends in `/`. */
  name: Buffer;
  kind: string;
  /** Permission bits, or how they follow from the content. */
  mode: string;
  /** Hex; "" for a folder. */
  sha256: string;
}

/** Returns one digest of all entries of a zip, whatever their order, times and compression: `rule:hex`. */
export function entriesDigest(entries: readonly EntryFacts[]): string {
  // a name contains no NUL, so different lists of entries give different texts
  const records = entries.map(
    ({ name, kind, mode, sha256 }) => `${name.toString("latin1")}\0${kind} ${mode} ${sha256}\n`,
  );
  return `${RULE}:${hash("sha256", Buffer.from(records.toSorted().join(""), "latin1"))}`;
}
