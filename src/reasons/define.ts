/**
 * The catalog of reasons: each refusal, failure and warning is one entry, with a stable id, an exit code, whether trying
 * again can help, typed parameters, and cause and remedy in English and Chinese. Errors carry id and parameters; `say`
 * makes the words at the edge. `docs/reasons.md` is made of it.
 *
 * This room knows no other: an entry is data and pure functions of its parameters. Add one to the file of its area
 * (`zip.ts`, `postgres.ts`, …), and raise it with `new JobError(id, params)`, `problem(file, id, params)` or `log.warn`.
 */
import type { ExitCode } from "../errors.ts";

export const LANGUAGES = ["en", "zh"] as const;
export type Language = (typeof LANGUAGES)[number];

/** A sentence, or what makes one of the parameters. */
export type Text<P> = string | ((params: P) => string);

export interface Words<P> {
  /**
   * What is wrong, without a full stop. Of a file on the volume it continues the sentence that the file's name begins
   * ("FILE: is cut short").
   */
  cause: Text<P>;
  /** What to do about it, one sentence. */
  remedy: Text<P>;
}

export interface Reason<P> {
  /** null: a warning, which ends no run. */
  exit: ExitCode | null;
  /** Whether the same run, tried again later, may succeed. */
  again: boolean;
  en: Words<P>;
  zh: Words<P>;
}

/** One entry; the parameters are named explicitly: `reason<{ entry: string }>({ … })`. */
export function reason<P extends object = Record<never, never>>(entry: Reason<P>): Reason<P> {
  return entry;
}

/** A text with its parameters filled in. */
export function fill<P>(text: Text<P>, params: P): string {
  return typeof text === "string" ? text : text(params);
}

/** One a line, each once: a sentence with twenty parts is read by nobody. */
export function list(head: string, parts: readonly string[]): string {
  return [head, ...[...new Set(parts)].map((part) => `- ${part}`)].join("\n");
}

/** `1 row`, `2 rows`; `many` where an `s` is not enough. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
