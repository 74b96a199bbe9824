import { styleText } from "node:util";
import type { LogLevel } from "../config/job-settings.ts";
import { formatBytes, JOIN, type Language } from "../messages/define.ts";
import { type EventFields, type EventName, installWords, type PlatformEntry } from "../messages/events.ts";
import { REGION_WORDS, type RegionEntry, regionParts } from "../messages/region-words.ts";
import { differenceWords, doneWords, SCREEN } from "../messages/screen-words.ts";
import { escapeLines, escapeText } from "./redact.ts";
import type { Report } from "./report.ts";
import { type Cell, columns, GAP, someOf } from "./tables.ts";
import { cellWidth, shorten, wrap } from "./terminal.ts";
import { type Difference, type Said, type Verdict, verdictOf } from "./verdict.ts";

/**
 * The screen for people: the servers reached, the changes, what can be installed where, and the verdict last.
 * The rest of the log is at debug; JSON lines have all of it.
 */

/** Events that appear immediately, because the job waits or a step is slow. */
const SHOWN: ReadonlySet<EventName> = new Set<EventName>([
  "wait.postgres.layer",
  "wait.nats.layer",
  "scan.growing",
  "lock.waiting",
  "migrations.waiting",
  "definitions.waiting",
  "read.progress",
  "check.progress",
  "deep.progress",
  "upload.progress",
  "verify.waiting",
  "gate.waiting",
  "region.waiting",
  "run.retry",
]);

/** Whether an event is a line of the screen as soon as it happens. */
export function isShown(event: EventName, fields: Readonly<Record<string, unknown>>): boolean {
  return SHOWN.has(event) && (fields.step ?? "progress") === "progress";
}

/** The mark of a line, in a UTF-8 locale and in any other. */
const MARKS = {
  ok: ["✔", "+", "green"],
  bad: ["✘", "x", "red"],
  warning: ["!", "!", "yellow"],
  new: ["+", "+", "green"],
  old: ["-", "-", "yellow"],
  changed: ["~", "~", "yellow"],
  same: ["=", "=", "gray"],
  none: [" ", " ", "gray"],
} as const;
export type Mark = keyof typeof MARKS;

export interface ScreenOptions {
  language: Language;
  /** Cells of a line. */
  width: number;
  colour: boolean;
  /** Marks that every character set has. */
  plain: boolean;
}

/** Cells of a mark and the space after it. */
const HEAD = 2;

/** Columns of the lines about servers and volume, which appear one at a time but are aligned. */
const REACHED = { least: [14, 22] as const, drop: [2] };

const PLAIN_ARROW = "->";

/** Returns a line with its mark; without UTF-8 the layout's own marks are plain too. */
function marked(mark: Mark, line: string, { colour, plain }: ScreenOptions): string {
  const [sign, ascii, name] = MARKS[mark];
  const shown = plain ? ascii : sign;
  const painted = colour ? styleText(name, shown, { validateStream: false }) : shown;
  const text = plain ? line.replaceAll("…", "~") : line;
  return mark === "none" ? `  ${text}` : `${painted} ${text}`;
}

/** Returns the line of an event about a server or the volume; undefined for any other. */
export function reachedLine(event: EventName, fields: object, options: ScreenOptions): string | undefined {
  const words = SCREEN[options.language];
  const cells = (): string[] | undefined => {
    if (event === "wait.postgres.ready") {
      const { version, where, database, state } = fields as EventFields<"wait.postgres.ready">;
      return [`Postgres ${version}`, `${where}/${database}`, words.tableState(state)];
    }
    if (event === "wait.nats.ready") {
      const { version, where, tls, bucket, exists } = fields as EventFields<"wait.nats.ready">;
      return [`NATS ${version}`, `${where}${tls ? " TLS" : ""}`, words.bucket(bucket, exists)];
    }
    if (event === "scan.rejected") {
      const { where, files, bad } = fields as EventFields<"scan.rejected">;
      return ofVolume(where, words.rejected(files, bad), options);
    }
    if (event !== "scan.packages") return undefined;
    const { where, files, packages, bytes } = fields as EventFields<"scan.packages">;
    const counts = words.files(files, packages, options.plain ? PLAIN_ARROW : "→");
    return [...ofVolume(where, counts, options), formatBytes(bytes)];
  };
  if (event === "status.row") return installLine(fields as EventFields<"status.row">, options);
  const found = cells();
  if (!found) return undefined;
  const width = options.width - HEAD;
  const [first, second] = REACHED.least;
  const least = [Math.min(first, width - GAP - cellWidth(found[1] ?? "")), second];
  const [line = ""] = columns([found], { width, least, drop: REACHED.drop });
  return marked(event === "scan.rejected" ? "bad" : "ok", line, options);
}

/** The volume and its counts, which matter more than its whole path. */
function ofVolume(where: string, counts: string, { width }: ScreenOptions): string[] {
  const space = width - HEAD - GAP - Math.max(REACHED.least[1], cellWidth(counts));
  return [shorten(escapeText(where), Math.max(8, space)), counts];
}

/** A row, and what its installation would come to. */
function installLine(fields: EventFields<"status.row">, options: ScreenOptions): string {
  const words = fitting(installWords(fields.install, options.language));
  const [line = ""] = columns([[nameOf(fields), words]], {
    width: options.width - HEAD,
    drop: [],
    least: [37],
  });
  return marked(fields.install === "installable" ? "ok" : "bad", line, options);
}

/** The end of the screen, by the LOG_LEVEL from which a part is shown. */
export interface Summary {
  level: Extract<LogLevel, "info" | "warn" | "error">;
  lines: readonly string[];
}

/** If there are more lines of changes than this, those of one platform and version share a line. */
const MANY = 40;

/** Returns the end of the screen for a report. `differences` are those of `verify`. */
export function summarize(
  report: Report,
  differences: readonly Difference[],
  options: ScreenOptions,
): Summary[] {
  const verdict = verdictOf(report, differences, options.language);
  // the verdict has the remedy that all failures share
  const common = sharedHint([...verdict.named, ...verdict.failures]);
  const failures = verdict.failures.map((one) => (one.hint === common ? { ...one, hint: "" } : one));
  return [
    {
      level: "info",
      lines: [
        ...changes(report, differences, options),
        ...matrix(report, options),
        ...regionLines(report, options),
      ],
    },
    { level: "error", lines: failures.flatMap((one) => paragraph("bad", one, options)) },
    { level: "warn", lines: verdict.warnings.flatMap((one) => paragraph("warning", one, options)) },
    { level: LEVEL[verdict.mark], lines: verdictLines(verdict, options) },
  ];
}

const LEVEL = { ok: "info", warning: "warn", bad: "error" } as const;

/** Returns the verdict and its list. A remedy that all entries share appears once. */
function verdictLines({ mark, head, named }: Verdict, options: ScreenOptions): string[] {
  const common = sharedHint(named);
  const remedy = (hint: string) => (hint === "" ? "" : `${JOIN[options.language].remedyLine}${hint}`);
  const indented = (text: string) =>
    text === ""
      ? []
      : wrap(escapeLines(text), options.width - 2 * HEAD).map((line) => marked("none", `  ${line}`, options));
  return [
    ...paragraph(mark, head, options),
    ...named.flatMap(({ message, hint }) => [
      ...paragraph("none", { message: `- ${message}`, hint: "" }, options),
      ...indented(hint === common ? "" : remedy(hint)),
    ]),
    ...(common === undefined ? [] : paragraph("none", { message: remedy(common), hint: "" }, options)),
  ];
}

/** Returns the remedy that all of several entries share. */
function sharedHint(all: readonly Said[]): string | undefined {
  const [first, ...others] = new Set(all.map(({ hint }) => hint).filter((hint) => hint !== ""));
  return others.length === 0 ? first : undefined;
}

/** SHA-256 in hexadecimal. */
const DIGEST = /\b([0-9a-f]{12})[0-9a-f]{52}\b/g;

/**
 * Returns a text with digests shortened if it is longer than a line: enough to distinguish two. JSON and the
 * report have them in full.
 */
export function shortDigests(text: string, cells: number): string {
  return cellWidth(text) > cells ? text.replace(DIGEST, "$1…") : text;
}

/** Returns a message and its remedy, one below the other, indented after the mark. */
function paragraph(mark: Mark, { message, hint }: Said, options: ScreenOptions): string[] {
  const { remedyLine } = JOIN[options.language];
  const width = options.width - HEAD;
  const [first = "", ...more] = wrap(shortDigests(escapeLines(message), width), width);
  return [
    marked(mark, first, options),
    ...[...more, ...(hint === "" ? [] : wrap(escapeLines(`${remedyLine}${hint}`), width))].map((line) =>
      marked("none", line, options),
    ),
  ];
}

/** A line of the list. */
interface Change {
  mark: Mark;
  what: string;
  done: string;
  platform: string;
  version: string;
  bytes: number;
}

const ACTION_MARKS: Record<string, Mark> = {
  uploaded: "new",
  inserted: "new",
  found: "new",
  repaired: "changed",
  replaced: "changed",
  updated: "changed",
  kept: "warning",
  failed: "bad",
};

interface Identity {
  os: string | null;
  arch: string | null;
  object: string | null;
  version: string | null;
}

const platformOf = ({ os, arch }: Pick<Identity, "os" | "arch">) =>
  [os, arch].filter((part) => part !== null).join("/");
const nameOf = (one: Identity) =>
  [platformOf(one), one.object, one.version].filter((part) => part !== null && part !== "").join(" ");

/** An APM probe has no platform, and one version. */
const shownName = (one: Identity, language: Language) =>
  one.os === null && one.object !== null ? `${SCREEN[language].probe} ${one.object}` : nameOf(one);

/** Returns a line for each change, and the number of unchanged packages. */
function changes(report: Report, differences: readonly Difference[], options: ScreenOptions): string[] {
  const { language } = options;
  const { command } = report;
  const words = SCREEN[language];
  const found = inOrder(
    differences.length > 0
      ? differing(differences, language)
      : [...packageChanges(report, language), ...rowChanges(report, language), ...removals(report, language)],
    report,
  );
  const changed = found.length > MANY ? grouped(found, language) : found;
  const cells = changed.map(({ what, done, bytes }): Cell[] => [
    what,
    fitting([bytes > 0 ? `${done} ${formatBytes(bytes)}`.trimStart() : done, done]),
  ]);
  const lines = columns(cells, { width: options.width - HEAD, drop: [1], least: [37] });
  const same = report.packages.filter(({ action }) => action === "unchanged").length;
  return [
    ...(same > 0 && command !== "verify" ? [marked("same", words.unchanged(same), options)] : []),
    ...changed.map(({ mark }, index) => marked(mark, lines[index] ?? "", options)),
  ];
}

const byNumber = new Intl.Collator("en", { numeric: true });

/**
 * Sorts changes by the matrix's order of platforms, those without one last, then by version. Equal ones keep
 * the volume's order.
 */
function inOrder(found: readonly Change[], { platforms }: Report): Change[] {
  const names = platforms.map(platformOf);
  const place = (name: string) => names.indexOf(name) >>> 0;
  return found.toSorted(
    (a, b) =>
      Number(a.platform === "") - Number(b.platform === "") ||
      place(a.platform) - place(b.platform) ||
      byNumber.compare(a.platform, b.platform) ||
      byNumber.compare(a.version, b.version),
  );
}

/** Returns the first text that fits, or else the last one, shortened. */
function fitting(texts: readonly string[]): Cell {
  return (cells) => texts.find((text) => cellWidth(text) <= cells) ?? shorten(texts.at(-1) ?? "", cells);
}

function packageChanges({ packages, command, error }: Report, language: Language): Change[] {
  return packages.flatMap((one): Change[] => {
    const { action, object, source, stored, version } = one;
    if (action === "unchanged") return [];
    const bytes = action === "found" || command === "plan" ? (stored.bytes ?? 0) : one.bytesUploaded;
    const done = doneWords(action, command, language);
    const reason = one.error && error ? `${done}${JOIN[language].colon}${one.error.reason}` : done;
    const what = object === null ? source.file : shownName(one, language);
    return [
      {
        mark: ACTION_MARKS[action] ?? "changed",
        what,
        done: reason,
        platform: platformOf(one),
        version: version ?? "",
        bytes: one.error ? 0 : bytes,
      },
    ];
  });
}

/** Returns rows that were written although their package is unchanged, or that have no package. */
function rowChanges({ rows, packages, command }: Report, language: Language): Change[] {
  const changed = new Set(packages.filter(({ action }) => action !== "unchanged").map(nameOf));
  return rows.flatMap((one): Change[] => {
    if (one.action === "unchanged" || changed.has(nameOf(one))) return [];
    const done = doneWords(one.action, command, language);
    return [
      {
        mark: ACTION_MARKS[one.action] ?? "changed",
        what: nameOf(one),
        done,
        platform: platformOf(one),
        version: one.version,
        bytes: 0,
      },
    ];
  });
}

/** Old versions that went, or would go. */
function removals({ removed }: Report, language: Language): Change[] {
  const words = SCREEN[language];
  return removed.map(({ row, key, bytes, done }) => {
    // {os}/[{arch}/]{object}/{version}/{name}
    const parts = (key ?? "").split("/").slice(0, -1);
    const platform = parts.slice(0, -2).join("/");
    const said = words.removed(done);
    return {
      mark: "old",
      what: key === null ? words.row(row ?? 0) : [platform, ...parts.slice(-2)].join(" "),
      done: row === null ? `${said}${JOIN[language].comma}${words.noRow}` : said,
      platform,
      version: parts.at(-1) ?? "",
      bytes: bytes ?? 0,
    };
  });
}

function differing(differences: readonly Difference[], language: Language): Change[] {
  const packages = Map.groupBy(differences, (one) => shownName(one, language));
  return [...packages].map(([what, all]) => {
    const done = all.map(({ reason }) => differenceWords(reason, language)).join(JOIN[language].comma);
    return {
      mark: "bad",
      what,
      done,
      platform: platformOf(all[0] as Difference),
      version: all[0]?.version ?? "",
      bytes: 0,
    };
  });
}

/** Joins equal changes of one platform and version into one line. */
function grouped(changed: readonly Change[], language: Language): Change[] {
  return [
    ...Map.groupBy(changed, ({ platform, version, done }) => `${platform} ${version} ${done}`).values(),
  ].map((all) => {
    const [first] = all as [Change, ...Change[]];
    const others = all.length > 1 ? ` ${SCREEN[language].others(all.length - 1)}` : "";
    return {
      ...first,
      what: `${first.what}${others}`,
      bytes: all.reduce((total, { bytes }) => total + bytes, 0),
    };
  });
}

/** Returns what can be installed on which platform, and the APM probes, if there are any. */
function matrix({ platforms, probes }: Report, options: ScreenOptions): string[] {
  const words = SCREEN[options.language];
  const present = probes.filter(({ stored }) => stored === "whole").map(probeLanguage);
  const rows = platforms.map((one) => platformCells(one, options.language));
  const needed = platforms.some(({ installer, bootstrap }) => installer !== null || bootstrap !== null);
  const lines = columns(platforms.length > 0 ? [words.heads as readonly Cell[], ...rows] : [], {
    width: options.width - HEAD,
    // the columns that are dropped first are also in the page
    drop: needed ? [3] : [2, 3],
    least: [15],
  });
  const shown = lines.map((line, index) =>
    marked(index === 0 ? "none" : platforms[index - 1]?.complete ? "ok" : "bad", line, options),
  );
  if (present.length === 0) return shown;
  const missing = probes.filter(({ stored }) => stored !== "whole").map(probeLanguage);
  const all = [present.join(" "), missing.length > 0 ? words.notStored(missing.join(" ")) : ""];
  return [
    ...shown,
    marked(
      "ok",
      columns([[words.probes, ...all]], { width: options.width - HEAD, drop: [2], least: [15] })[0] ?? "",
      options,
    ),
  ];
}

/** The mirrors in cloud regions: those in which nothing is wrong share a line. */
function regionLines({ regions }: Report, options: ScreenOptions): string[] {
  const { language } = options;
  const words = REGION_WORDS[language];
  const isGood = ({ reachable, lag, missing, damaged, deadBytes }: RegionEntry) =>
    reachable && lag === 0 && missing.length + damaged.length + (deadBytes ?? 0) === 0;
  const named = ({ id, name }: RegionEntry) => `${id} ${name}`.trimEnd();
  const good = regions.filter(isGood);
  const bad = regions.filter((one) => !isGood(one));
  const all = (cells: number) =>
    someOf(
      good.map((one) => (one === good.at(-1) ? named(one) : `${named(one)},`)),
      cells,
    );
  const cells: Cell[][] = [
    ...(good.length > 0 ? [[`${SCREEN[language].regions} ${words.level}`, all]] : []),
    ...bad.map((one): Cell[] => [
      `${SCREEN[language].region} ${named(one)}`,
      regionParts(one, language).join(JOIN[language].comma),
    ]),
  ];
  const lines = columns(cells, { width: options.width - HEAD, least: [15], drop: [] });
  return lines.map((line, index) => {
    const one = good.length > 0 ? bad[index - 1] : bad[index];
    if (!one) return marked("ok", line, options);
    return marked(isBehind(one) ? "changed" : "warning", line, options);
  });
}

/** Whether a mirror only has to catch up. */
function isBehind({ lag, missing, damaged, deadBytes }: RegionEntry): boolean {
  return (lag ?? 0) > 0 && missing.length + damaged.length + (deadBytes ?? 0) === 0;
}

/** Returns `java` of `apm/probe/java/NAME`. */
const probeLanguage = ({ key }: Report["probes"][number]) => key.split("/")[2] ?? key;

function platformCells(
  { os, arch, controller, installer, bootstrap, collectors, complete }: PlatformEntry,
  language: Language,
): Cell[] {
  const words = SCREEN[language];
  const installed =
    installer === null && bootstrap === null
      ? words.notNeeded
      : installer === false
        ? words.no
        : bootstrap === false
          ? words.noBootstrap
          : words.yes;
  const listed = collectors.listed.length > 0 ? words.onlyListed(collectors.listed.length) : "";
  const names = (cells: number) => {
    const space = listed === "" ? cells : cells - listed.length - JOIN[language].comma.length;
    const some = someOf(collectors.installable, space);
    return [some, listed].filter((part) => part !== "").join(JOIN[language].comma);
  };
  // The newest controllers matter most.
  const versions = someOf(controller.toReversed(), 12);
  return [
    platformOf({ os, arch }),
    versions || (controller.length > 0 ? `…(${controller.length})` : words.no),
    installed,
    complete ? names : (cells) => (cellWidth(words.cannotInstall) <= cells ? words.cannotInstall : ""),
  ];
}
