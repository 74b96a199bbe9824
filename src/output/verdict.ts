import { JOIN, type Language } from "../messages/define.ts";
import { differenceWords, SCREEN, successWords } from "../messages/screen.ts";
import { countActions, type Report, type Warning } from "./report.ts";

/** Something that is wrong, and what to do. */
export interface Said {
  message: string;
  hint: string;
}

/** Something in which the servers differ from what the volume asks for. */
export interface Difference extends Said {
  reason: string;
  os: string | null;
  arch: string | null;
  object: string;
  version: string;
}

/** How a run ended, in words. */
export interface Verdict {
  mark: "ok" | "warning" | "bad";
  /** Whole, where there is one thing to say or none; else what the list `named` begins with. */
  head: Said;
  /** The first few things, where there are several. */
  named: readonly Said[];
  /** What the verdict does not name, to be said before it. */
  failures: readonly Said[];
  warnings: readonly Said[];
}

/** Failures or warnings that a verdict names. */
const NAMED = 3;

/** Warnings that keep something from being installed. */
const KEEPS_FROM_INSTALLING =
  /^(?:platform\.|archive\.ca\.|repack\.never$|collector\.(?:unstartable|unpacked|object|incomplete)$)/;

/** Says how a run ended: why it failed, or what keeps something from being installed, and what to do. */
export function verdictOf(report: Report, differences: readonly Difference[], language: Language): Verdict {
  const { command, durationMs, packages, rows, error } = report;
  const words = SCREEN[language];
  const { blocking, others } = warningsOf(report, language);
  if (error) {
    const head = words.failed(command, error.code);
    // what keeps something from being installed is not why the run failed
    const warnings = [...blocking, ...others];
    if (differences.length > NAMED) {
      const counts = Map.groupBy(differences, ({ reason }) => differenceWords(reason, language));
      const each = [...counts].map(([what, all]) => `${all.length} ${what}`).join(JOIN[language].comma);
      const message = `${head}${words.differences(differences.length, each)}`;
      return { mark: "bad", head: { message, hint: error.hint }, named: [], failures: [], warnings };
    }
    const failures = differences.length > 0 ? differences : failuresOf(report);
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
  };
  const said = successWords(counts, language);
  const warnings = [...blocking.slice(NAMED), ...others];
  if (blocking.length > 0) {
    // what was done is in the list
    const begin = command === "plan" ? said : words.succeeded(command);
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

/** What failed, each message once. What the run ended with comes first, if it is not a package's failure. */
function failuresOf({ packages, error }: Report): Said[] {
  if (!error) return [];
  const failed = new Map<string, Said>();
  for (const { file, error: own } of packages) {
    if (!own) continue;
    const message = own.message.startsWith(file) ? own.message : `${file}: ${own.message}`;
    failed.set(message, { message, hint: own.hint });
  }
  const isOfPackage = packages.some((one) => one.error?.reason === error.reason);
  return isOfPackage ? [...failed.values()] : [error, ...failed.values()];
}

/** Without warnings that follow from a failure of this run: of a file that failed, of a platform whose packages were not stored. */
function warningsOf({ warnings, packages, error }: Report, language: Language) {
  const failed = new Set(packages.filter(({ action }) => action === "failed").map(({ file }) => file));
  const isDerived = ({ reason, file }: Warning) =>
    error !== undefined && (reason.startsWith("platform.") || (file !== undefined && failed.has(file)));
  // what was replaced or kept is in the list of changes
  const own = warnings.filter((one) => !isDerived(one) && !one.reason.startsWith("content."));
  const say = ({ file, message, hint }: Warning): Said => ({
    message: file === undefined ? message : `${file}${JOIN[language].colon}${message}`,
    hint,
  });
  return {
    blocking: own.filter(({ reason }) => KEEPS_FROM_INSTALLING.test(reason)).map(say),
    others: own.filter(({ reason }) => !KEEPS_FROM_INSTALLING.test(reason)).map(say),
  };
}
