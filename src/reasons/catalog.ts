import type { ExitCode } from "../errors.ts";
import { fill, type Language, type Reason } from "./define.ts";
import { job } from "./job.ts";
import { legacy } from "./legacy.ts";
import { usage } from "./usage.ts";

export const CATALOG = {
  ...job,
  ...legacy,
  ...usage,
};

export type ReasonId = keyof typeof CATALOG;
/** The parameters of a reason; of several reasons, those of any one of them. */
export type Params<Id extends ReasonId> = Id extends ReasonId
  ? (typeof CATALOG)[Id] extends Reason<infer P>
    ? P
    : never
  : never;

/** Cause and remedy of a reason, in words. */
export function say<Id extends ReasonId>(
  id: Id,
  params: Params<Id>,
  language: Language,
): { message: string; hint: string } {
  const words = (CATALOG[id] as unknown as Reason<Params<Id>>)[language];
  return { message: fill(words.cause, params), hint: fill(words.remedy, params) };
}

/** The exit code that a reason ends a run with; undefined for a warning. */
export function exitOf<Id extends ReasonId>(id: Id, params: Params<Id>): ExitCode | undefined {
  if (id === "legacy") return (params as { exit: ExitCode }).exit;
  return (CATALOG[id] as Reason<never>).exit ?? undefined;
}
