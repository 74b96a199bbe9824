import { fill, type Language, type Text } from "../../reasons/define.ts";

/** A line of the log: what its event means, and its sentence, in both languages. */
export interface LogEvent<F> {
  /** For the documented table. */
  about: Record<Language, string>;
  en: Text<F>;
  zh: Text<F>;
}

/** One entry; the fields, which go into the log's line as they are, are named explicitly. */
export function event<F extends object = Record<never, never>>(entry: LogEvent<F>): LogEvent<F> {
  return entry;
}

/** How the sentence of a reason begins, where its event says more than the reason: "init failed (exit 65): ". */
export type Lead = Record<Language, (fields: Readonly<Record<string, unknown>>) => string>;

/** An event whose lines are reasons of the catalog. */
export interface ReasonEvent extends LogEvent<never> {
  lead?: Lead;
}

/** An event whose lines are reasons of the catalog: its sentence comes from there, behind `lead`. */
export function reasonEvent(about: Record<Language, string>, lead?: Lead): ReasonEvent {
  return { about, en: "", zh: "", ...(lead && { lead }) };
}

/** The sentence of a line, in a language. */
export function sentence<F>(entry: LogEvent<F>, fields: F, language: Language): string {
  return fill(entry[language], fields);
}
