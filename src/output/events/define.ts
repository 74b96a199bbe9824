import { fill, type Language, type Text } from "../../reasons/define.ts";

/** A line of the log that is no refusal or warning: what its event means, and its sentence, in both languages. */
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

/** An event whose lines are reasons of the catalog: its sentence comes from there. */
export function reasonEvent(about: Record<Language, string>): LogEvent<never> {
  return { about, en: "", zh: "" };
}

export function sentence<F>(entry: LogEvent<F>, fields: F, language: Language): string {
  return fill(entry[language], fields);
}
