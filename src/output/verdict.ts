import { aboutFile, countWords, JOIN, type Language } from "../messages/define.ts";
import { pruneWords, removedWords } from "../messages/events.ts";
import { wordOr, wordsIn } from "../messages/words.ts";
import { countActions, countRemoved, type Report, type Warning } from "./report.ts";

/** A fault and its remedy. */
export interface Said {
  message: string;
  hint: string;
}

/** A difference between the servers and the volume. */
export interface Difference extends Said {
  reason: string;
  os: string | null;
  arch: string | null;
  object: string;
  version: string;
}

/** The end of a run in words. */
export interface Verdict {
  mark: "ok" | "warning" | "bad";
  /** The whole sentence if there is at most one entry; otherwise the head of the list `named`. */
  head: Said;
  /** The first few entries, if there are several. */
  named: readonly Said[];
  /** Entries that the verdict does not name, to be printed before it. */
  failures: readonly Said[];
  warnings: readonly Said[];
}

/** Failures or warnings that a verdict names. */
const NAMED = 3;

/** Warnings about something that cannot be installed. */
const KEEPS_FROM_INSTALLING =
  /^(?:platform\.|archive\.ca\.|repack\.never$|collector\.(?:unstartable|unpacked|object|incomplete)$)/;

/** Returns how a run ended: why it failed, or what prevents an installation, and what to do. */
export function verdictOf(report: Report, differences: readonly Difference[], language: Language): Verdict {
  const { command, packages, error } = report;
  const say = wordsIn(language);
  const { blocking, others } = warningsOf(report, language);
  if (error) {
    const head = `${say("failed", { command, code: error.code })}${JOIN[language].colon}`;
    // a warning about an installation is not the cause of the failure
    const warnings = [...blocking, ...others];
    if (differences.length > NAMED) {
      const counts = Map.groupBy(differences, ({ reason }) => wordOr(reason, language, reason));
      const each = [...counts].map(([what, all]) => `${all.length} ${what}`).join(JOIN[language].comma);
      const message = `${head}${say("differences", { count: differences.length })}${JOIN[language].colon}${each}`;
      return { mark: "bad", head: { message, hint: error.hint }, named: [], failures: [], warnings };
    }
    const failures = differences.length > 0 ? differences : failuresOf(report, language);
    const areFiles = packages.every(({ action, object }) => action !== "failed" || object === null);
    const kind = differences.length > 0 ? "differences" : areFiles ? "unusable" : "failures";
    const several = `${head}${say(kind, { count: failures.length })}`;
    return {
      mark: "bad",
      ...named({ one: head, several }, failures, language),
      failures: failures.slice(NAMED),
      warnings,
    };
  }
  const said = successWords(report, language);
  const warnings = [...blocking.slice(NAMED), ...others];
  if (blocking.length > 0) {
    // the list has the changes
    const begin =
      command === "plan" ? `${said}${language === "en" ? "," : ""}` : say("succeeded", { command });
    const several = say("warned", { said: begin, count: blocking.length + others.length });
    const head = { one: `${several}${JOIN[language].colon}`, several };
    return { mark: "warning", ...named(head, blocking, language), failures: [], warnings };
  }
  const message = others.length > 0 ? say("warnedAbove", { said, count: others.length }) : said;
  const mark = others.length > 0 ? "warning" : "ok";
  return { mark, head: { message, hint: "" }, named: [], failures: [], warnings };
}

/** Returns one entry as a sentence, or the head of a list and its first entries. */
function named(
  begin: { one: string; several: string },
  all: readonly Said[],
  language: Language,
): Pick<Verdict, "head" | "named"> {
  const [only, ...more] = all;
  if (only && more.length === 0)
    return { head: { ...only, message: `${begin.one}${only.message}` }, named: [] };
  const above = { message: wordsIn(language)("above", { count: all.length - NAMED }), hint: "" };
  return {
    head: { message: `${begin.several}${JOIN[language].colon}`.trimEnd(), hint: "" },
    named: [...all.slice(0, NAMED), ...(all.length > NAMED ? [above] : [])],
  };
}

/** Returns the verdict of a successful run. */
function successWords(report: Report, language: Language): string {
  const { command, durationMs, packages } = report;
  const say = wordsIn(language);
  const { unchanged: _, ...changed } = countActions(packages);
  const rows = report.rows.filter(({ action }) => action !== "unchanged").length;
  const removed = countRemoved(report);
  const all = [
    ...(Object.keys(changed).length > 0 ? [countWords(changed, language)] : []),
    ...(rows > 0 ? [say("written", { count: rows })] : []),
    ...(removed.versions > 0 ? [removedWords(removed, language)] : []),
  ].join(JOIN[language].comma);
  if (command === "plan") return all === "" ? say("plannedNothing") : say("planned", { all });
  const count = packages.length;
  const details: Record<string, string> = {
    init: count === 0 ? "" : all || say("nothing"),
    verify: say("whole", { count }),
    scan: say("packages", { count }),
    prune: pruneWords(removed, language),
  };
  const seconds = durationMs / 1000;
  return [
    say("succeeded", { command }),
    details[command] ? `${JOIN[language].colon}${details[command]}` : "",
    say("took", { seconds: seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds) }),
  ].join("");
}

/**
 * Returns the failures, each message once. The error that ended the run comes first, unless it is a package's
 * failure.
 */
function failuresOf({ packages, error }: Report, language: Language): Said[] {
  if (!error) return [];
  const failed = new Map<string, Said>();
  for (const { source, error: own } of packages) {
    if (!own) continue;
    const { file } = source;
    const message = own.message.startsWith(file) ? own.message : aboutFile(file, own.message, language);
    failed.set(message, { message, hint: own.hint });
  }
  const isOfPackage = packages.some((one) => one.error?.reason === error.reason);
  return isOfPackage ? [...failed.values()] : [error, ...failed.values()];
}

/**
 * Returns the warnings without those that follow from a failure of this run: of a failed file, or of a
 * platform whose packages were not stored.
 */
function warningsOf({ warnings, packages, error }: Report, language: Language) {
  const failed = new Set(
    packages.filter(({ action }) => action === "failed").map(({ source }) => source.file),
  );
  const isDerived = ({ reason, file }: Warning) =>
    error !== undefined &&
    (reason.startsWith("platform.") ||
      (file !== undefined && failed.has(file)) ||
      // the error has the same cause and remedy
      (error.reason === "volume.empty" && reason === "volume.near.split" && warnings.length === 1));
  // the list of changes has replaced and kept packages
  const own = warnings.filter((one) => !isDerived(one) && !one.reason.startsWith("content."));
  const say = ({ file, message, hint }: Warning): Said => ({
    message: file === undefined ? message : aboutFile(file, message, language),
    hint,
  });
  return {
    blocking: own.filter(({ reason }) => KEEPS_FROM_INSTALLING.test(reason)).map(say),
    others: own.filter(({ reason }) => !KEEPS_FROM_INSTALLING.test(reason)).map(say),
  };
}
