import { aboutFile, JOIN, type Language } from "../messages/define.ts";
import { differenceWords, SCREEN, successWords } from "../messages/screen-words.ts";
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
  const { command, durationMs, packages, rows, error } = report;
  const words = SCREEN[language];
  const { blocking, others } = warningsOf(report, language);
  if (error) {
    const head = words.failed(command, error.code);
    // a warning about an installation is not the cause of the failure
    const warnings = [...blocking, ...others];
    if (differences.length > NAMED) {
      const counts = Map.groupBy(differences, ({ reason }) => differenceWords(reason, language));
      const each = [...counts].map(([what, all]) => `${all.length} ${what}`).join(JOIN[language].comma);
      const message = `${head}${words.differences(differences.length, each)}`;
      return { mark: "bad", head: { message, hint: error.hint }, named: [], failures: [], warnings };
    }
    const failures = differences.length > 0 ? differences : failuresOf(report, language);
    const areFiles = packages.every(({ action, object }) => action !== "failed" || object === null);
    const count =
      differences.length > 0
        ? words.differences(failures.length, "")
        : areFiles
          ? words.unusable(failures.length)
          : words.failures(failures.length);
    return {
      mark: "bad",
      ...named({ one: head, several: `${head}${count}` }, failures),
      failures: failures.slice(NAMED),
      warnings,
    };
  }
  const counts = {
    command,
    seconds: durationMs / 1000,
    packages: countActions(packages),
    rows: countActions(rows),
    removed: countRemoved(report),
  };
  const said = successWords(counts, language);
  const warnings = [...blocking.slice(NAMED), ...others];
  if (blocking.length > 0) {
    // the list has the changes
    const begin = command === "plan" ? `${said}${language === "en" ? "," : ""}` : words.succeeded(command);
    const warned = words.warned(begin, blocking.length + others.length);
    const head = { one: `${warned}${JOIN[language].colon}`, several: warned };
    return { mark: "warning", ...named(head, blocking), failures: [], warnings };
  }
  const message = others.length > 0 ? words.warnedAbove(said, others.length) : said;
  const mark = others.length > 0 ? "warning" : "ok";
  return { mark, head: { message, hint: "" }, named: [], failures: [], warnings };

  function named(
    begin: { one: string; several: string },
    all: readonly Said[],
  ): Pick<Verdict, "head" | "named"> {
    const [only, ...more] = all;
    if (only && more.length === 0)
      return { head: { ...only, message: `${begin.one}${only.message}` }, named: [] };
    const rest = all.length > NAMED ? [{ message: words.above(all.length - NAMED), hint: "" }] : [];
    return {
      head: { message: `${begin.several}${JOIN[language].colon}`.trimEnd(), hint: "" },
      named: [...all.slice(0, NAMED), ...rest],
    };
  }
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
