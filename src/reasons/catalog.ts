import type { ExitCode } from "../errors.ts";
import { archive } from "./archive.ts";
import { checksum } from "./checksum.ts";
import { collectors } from "./collector.ts";
import { config } from "./config.ts";
import { conflict } from "./conflict.ts";
import { fill, type Language, type Reason } from "./define.ts";
import { drift } from "./drift.ts";
import { firstStart } from "./first-start.ts";
import { gate } from "./gate.ts";
import { job } from "./job.ts";
import { kind } from "./kind.ts";
import { lock } from "./lock.ts";
import { lost } from "./lost.ts";
import { manifest } from "./manifest.ts";
import { name } from "./name.ts";
import { nats } from "./nats.ts";
import { natsBucket } from "./nats-bucket.ts";
import { near } from "./near.ts";
import { packages } from "./package.ts";
import { platform } from "./platform.ts";
import { postgres } from "./postgres.ts";
import { postgresTable } from "./postgres-table.ts";
import { programs } from "./program.ts";
import { repack } from "./repack.ts";
import { row } from "./row.ts";
import { store } from "./store.ts";
import { storeRoom } from "./store-room.ts";
import { tar } from "./tar.ts";
import { usage } from "./usage.ts";
import { volume } from "./volume.ts";
import { wait } from "./wait.ts";
import { zip } from "./zip.ts";

export const CATALOG = {
  ...config,
  ...conflict,
  ...drift,
  ...firstStart,
  ...gate,
  ...job,
  ...lock,
  ...lost,
  ...row,
  ...store,
  ...storeRoom,
  ...archive,
  ...checksum,
  ...kind,
  ...manifest,
  ...name,
  ...nats,
  ...natsBucket,
  ...near,
  ...packages,
  ...collectors,
  ...programs,
  ...platform,
  ...postgres,
  ...postgresTable,
  ...tar,
  ...volume,
  ...zip,
  ...repack,
  ...usage,
  ...wait,
};

export type ReasonId = keyof typeof CATALOG;
/** Entry by entry: asked of all at once, the two forms of each text would multiply to more than the type checker takes. */
type ParamsById = { [Id in ReasonId]: (typeof CATALOG)[Id] extends Reason<infer P> ? P : never };
/** The parameters of a reason; of several reasons, those of any one of them. */
export type Params<Id extends ReasonId> = ParamsById[Id];

/** Cause and remedy of a reason, in words. `params` are those of `id`: whoever raises it is held to that (JobError, problem, log.warn). */
export function say(id: ReasonId, params: unknown, language: Language): { message: string; hint: string } {
  const words = (CATALOG[id] as unknown as Reason<unknown>)[language];
  return { message: fill(words.cause, params), hint: fill(words.remedy, params) };
}

/** The exit code that a reason ends a run with; undefined for a warning. */
export function exitOf(id: ReasonId): ExitCode | undefined {
  return (CATALOG[id] as Reason<never>).exit ?? undefined;
}
