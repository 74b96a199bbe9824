import { type LogEvent, reasonEvent } from "./define.ts";
import { form } from "./form.ts";
import { progress } from "./progress.ts";
import { run } from "./run.ts";

const pending = (about: string): LogEvent<never> => reasonEvent({ en: about, zh: about });

/** Every event there is; the documented table is made of it. */
export const EVENTS = {
  ...run,
  "wait.postgres.layer": pending("Postgres: highest layer passed, first failed, and why"),
  "wait.postgres.ready": pending("Postgres is usable, down to the privileges on the table"),
  "wait.nats.layer": pending("NATS: highest layer passed, first failed, and why"),
  "wait.nats.ready": pending("NATS is usable, down to the bucket"),
  "bucket.created": pending("the bucket was missing and has been made"),
  "scan.done": pending("the volume is read: number of archives, bytes, duration"),
  "scan.ignored": pending("a file on the volume that is no archive (debug)"),
  "package.found": pending("a package on the volume: file, identity, collectors in it"),
  ...form,
  "package.invalid": pending("a file that cannot be used: reason and hint"),
  "lock.waiting": pending("another run holds the lock"),
  "lock.acquired": pending("this run is the only one (debug)"),
  "plan.package": pending("what is to be done with a package (plan)"),
  "plan.row": pending("what is to be done with a row (plan)"),
  ...progress,
  "package.unchanged": pending("stored already, same content, all chunks"),
  "package.uploaded": pending("was not stored, now is"),
  "package.repaired": pending("chunks were missing, stored again"),
  "package.replaced": pending("different content was stored under this version: both digests"),
  "package.kept": pending("different content is stored under this version and stays: both digests"),
  "package.failed": pending("this package could not be stored: code and cause"),
  "object.removed": pending("an object that this run replaced, under a key that no row is served by"),
  "chunks.reclaimed": pending("chunks that no metadata names, left by an earlier run of this job, purged"),
  "orphans.found": pending("chunks that no metadata names, left by somebody's crashed upload"),
  "orphans.purged": pending("PURGE_ORPHANS: those whose last chunk is over a day old"),
  "row.inserted": pending("a row was written"),
  "row.updated": pending("a row was changed: which columns"),
  "row.unchanged": pending("a row was right already (debug)"),
  "verify.done": pending("read back: every package whole, every row there"),
  "verify.failed": pending("one thing that differs from what it should be (one line each)"),
  "cleanup.failed": pending("something could not be undone; the next run will"),
};

export type EventName = keyof typeof EVENTS;
export type EventFields<E extends EventName> = (typeof EVENTS)[E] extends LogEvent<infer F> ? F : never;
