import type { ExitCode } from "../errors.ts";
import { config } from "./config.ts";
import { fill, type Language, type Reason } from "./define.ts";
import { job } from "./job.ts";
import { legacy } from "./legacy.ts";
import { usage } from "./usage.ts";

export const CATALOG = {
  ...config,
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

/**
 * Cause and remedy of a reason, in words. `params` are those of `id`: whoever raises it is held to that (JobError, problem, log.warn);
 * here the union of all of them would be more than the type checker takes.
 */
export function say(id: ReasonId, params: object, language: Language): { message: string; hint: string } {
  const words = (CATALOG[id] as unknown as Reason<object>)[language];
  return { message: fill(words.cause, params), hint: fill(words.remedy, params) };
}

/** The exit code that a reason ends a run with; undefined for a warning. */
export function exitOf(id: ReasonId, params: object): ExitCode | undefined {
  if (id === "legacy") return (params as { exit: ExitCode }).exit;
  return (CATALOG[id] as Reason<never>).exit ?? undefined;
}
