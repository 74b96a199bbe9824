import { styleText } from "node:util";
import type { LogLevel } from "../config/job-settings.ts";
import { formatBytes, JOIN, type Language, platformOf } from "../messages/define.ts";
import { type EventFields, type EventName, installWords, type PlatformEntry } from "../messages/events.ts";
import { type RegionEntry, regionParts } from "../messages/region-words.ts";
import { doneWords, type Say, wordOr, wordsIn } from "../messages/words.ts";
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
const SHOWN = /\.(?:waiting|progress|layer)$|^(?:scan\.growing|run\.retry)$/;

/** Whether an event is a line of the screen as soon as it happens. */
export function isShown(event: EventName, fields: Readonly<Record<string, unknown>>): boolean {
  return SHOWN.test(event) && (fields.step ?? "progress") === "progress";
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

/** Least widths of the lines about servers and volume, which appear one at a time but are aligned. */
const REACHED = [14, 22] as const;

/** Returns a line with its mark; without UTF-8 the layout's own marks are plain too. */
function marked(mark: Mark, line: string, { colour, plain }: ScreenOptions): string {
  const [sign, ascii, name] = MARKS[mark];
  const shown = plain ? ascii : sign;
  const painted = colour ? styleText(name, shown, { validateStream: false }) : shown;
  const text = plain ? line.replaceAll("…", "~") : line;
  return mark === "none" ? `  ${text}` : `${painted} ${text}`;
}

/** Cells of the line of an event about a server or the volume. */
const REACHED_CELLS: {
  [E in EventName]?: (fields: EventFields<E>, say: Say, options: ScreenOptions) => string[];
} = {
  "wait.postgres.ready": ({ version, where, database, state }, say) => [
    // without the packager: 15.20 (Debian 15.20-1.pgdg12+1)
    `Postgres ${version.split(" ", 1)[0]}`,
    `${where}/${database}`,
    say("tableState", { state }),
  ],
  "wait.nats.ready": ({ version, where, tls, bucket, exists }, say) => [
    `NATS ${version}`,
    `${where}${tls ? " TLS" : ""}`,
    say("bucket", { bucket }) + (exists ? "" : say("noBucket")),
  ],
  "scan.rejected": ({ where, files, bad }, say, options) =>
    ofVolume(where, say("rejected", { files, bad }), options),
  "scan.packages": ({ where, files, packages, bytes }, say, options) => [
    ...ofVolume(where, say("files", { files, packages, to: options.plain ? "->" : "→" }), options),
    formatBytes(bytes),
  ],
};

/** Returns the line of an event about a server, the volume or a row; undefined for any other. */
export function reachedLine(event: EventName, fields: object, options: ScreenOptions): string | undefined {
  if (event === "status.row") {
    const { install, ...row } = fields as EventFields<"status.row">;
    const cells = [nameOf(row), fitting(installWords(install, options.language))];
    return lineOf(install === "installable" ? "ok" : "bad", cells, options, { least: [37] });
  }
  const cells = REACHED_CELLS[event]?.(fields as never, wordsIn(options.language), options);
  if (!cells) return undefined;
  const [first, second] = REACHED;
  const least = [Math.min(first, options.width - HEAD - GAP - cellWidth(cells[1] ?? "")), second];
  return lineOf(event === "scan.rejected" ? "bad" : "ok", cells, options, { least, drop: [2] });
}

/** The volume and its counts, which matter more than its whole path. */
function ofVolume(where: string, counts: string, { width }: ScreenOptions): string[] {
  const space = width - HEAD - GAP - Math.max(REACHED[1], cellWidth(counts));
  return [shorten(escapeText(where), Math.max(8, space)), counts];
}

type Layout = Omit<Parameters<typeof columns>[1], "width">;

/** Returns a table's lines with their marks. */
function marks(
  rows: readonly (readonly [Mark, readonly Cell[]])[],
  options: ScreenOptions,
  layout: Layout,
): string[] {
  const cells = rows.map(([, row]) => row);
  const lines = columns(cells, { ...layout, width: options.width - HEAD });
  return rows.map(([mark], index) => marked(mark, lines[index] ?? "", options));
}

function lineOf(mark: Mark, cells: readonly Cell[], options: ScreenOptions, layout: Layout): string {
  return marks([[mark, cells]], options, layout).join("");
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
  const { remedyLine } = JOIN[options.language];
  const indented = (hint: string) =>
    wrap(escapeLines(remedyLine + hint), options.width - 2 * HEAD).map((line) =>
      marked("none", `  ${line}`, options),
    );
  return [
    ...paragraph(mark, head, options),
    ...named.flatMap(({ message, hint }) => [
      ...paragraph("none", { message: `- ${message}`, hint: "" }, options),
      ...(hint === common || hint === "" ? [] : indented(hint)),
    ]),
    ...(common === undefined ? [] : paragraph("none", { message: remedyLine + common, hint: "" }, options)),
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
  const width = options.width - HEAD;
  const remedy = hint === "" ? [] : wrap(escapeLines(`${JOIN[options.language].remedyLine}${hint}`), width);
  const lines = [...wrap(shortDigests(escapeLines(message), width), width), ...remedy];
  return lines.map((line, index) => marked(index === 0 ? mark : "none", line, options));
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

const nameOf = (one: Identity) =>
  [platformOf(one), one.object, one.version].filter((part) => part !== null && part !== "").join(" ");

/** An APM probe has no platform, and one version. */
const shownName = (one: Identity, language: Language) =>
  one.os === null && one.object !== null ? `${wordsIn(language)("probe")} ${one.object}` : nameOf(one);

/** Returns a line for each change, and the number of unchanged packages. */
function changes(report: Report, differences: readonly Difference[], options: ScreenOptions): string[] {
  const { language } = options;
  const found = inOrder(
    differences.length > 0
      ? differing(differences, language)
      : [...packageChanges(report, language), ...rowChanges(report, language), ...removals(report, language)],
    report,
  );
  const changed = (found.length > MANY ? grouped(found, language) : found).map(
    ({ mark, what, done, bytes }): [Mark, Cell[]] => [
      mark,
      [what, fitting([bytes > 0 ? `${done} ${formatBytes(bytes)}`.trimStart() : done, done])],
    ],
  );
  const same = report.packages.filter(({ action }) => action === "unchanged").length;
  return [
    ...(same > 0 && report.command !== "verify"
      ? [marked("same", wordsIn(language)("unchanged", { count: same }), options)]
      : []),
    ...marks(changed, options, { drop: [1], least: [37] }),
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

/** Returns the line of something that an action was done to. */
function changeOf(one: Identity & { action: string }, command: string, language: Language): Change {
  return {
    mark: ACTION_MARKS[one.action] ?? "changed",
    what: shownName(one, language),
    done: doneWords(one.action, command, language),
    platform: platformOf(one),
    version: one.version ?? "",
    bytes: 0,
  };
}

function packageChanges({ packages, command, error }: Report, language: Language): Change[] {
  const changed = packages.filter(({ action }) => action !== "unchanged");
  return changed.map((one) => {
    const change = changeOf(one, command, language);
    const sent = one.action === "found" || command === "plan" ? (one.stored.bytes ?? 0) : one.bytesUploaded;
    return {
      ...change,
      ...(one.object === null && { what: one.source.file }),
      ...(one.error && error && { done: `${change.done}${JOIN[language].colon}${one.error.reason}` }),
      bytes: one.error ? 0 : sent,
    };
  });
}

/** Returns rows that were written although their package is unchanged, or that have no package. */
function rowChanges({ rows, packages, command }: Report, language: Language): Change[] {
  const changed = new Set(packages.filter(({ action }) => action !== "unchanged").map(nameOf));
  return rows
    .filter((one) => one.action !== "unchanged" && !changed.has(nameOf(one)))
    .map((one) => changeOf(one, command, language));
}

/** Old versions that went, or would go. */
function removals({ removed }: Report, language: Language): Change[] {
  const say = wordsIn(language);
  return removed.map(({ row, key, bytes, done }) => {
    // {os}/[{arch}/]{object}/{version}/{name}
    const parts = (key ?? "").split("/").slice(0, -1);
    const platform = parts.slice(0, -2).join("/");
    const said = say(done ? "removed" : "toBeRemoved");
    return {
      mark: "old",
      what: key === null ? say("row", { id: row ?? 0 }) : [platform, ...parts.slice(-2)].join(" "),
      done: row === null ? `${said}${JOIN[language].comma}${say("noRow")}` : said,
      platform,
      version: parts.at(-1) ?? "",
      bytes: bytes ?? 0,
    };
  });
}

function differing(differences: readonly Difference[], language: Language): Change[] {
  return [...Map.groupBy(differences, (one) => shownName(one, language)).values()].map((all) => ({
    ...changeOf({ ...(all[0] as Difference), action: "failed" }, "verify", language),
    done: all.map(({ reason }) => wordOr(reason, language, reason)).join(JOIN[language].comma),
  }));
}

/** Joins equal changes of one platform and version into one line. */
function grouped(changed: readonly Change[], language: Language): Change[] {
  return [
    ...Map.groupBy(changed, ({ platform, version, done }) => `${platform} ${version} ${done}`).values(),
  ].map((all) => {
    const [first] = all as [Change, ...Change[]];
    const others = all.length > 1 ? ` ${wordsIn(language)("others", { count: all.length - 1 })}` : "";
    return {
      ...first,
      what: `${first.what}${others}`,
      bytes: all.reduce((total, { bytes }) => total + bytes, 0),
    };
  });
}

/** Returns what can be installed on which platform, and the APM probes, if there are any. */
function matrix({ platforms, probes }: Report, options: ScreenOptions): string[] {
  const say = wordsIn(options.language);
  const needed = platforms.some(({ installer, bootstrap }) => installer !== null || bootstrap !== null);
  const heads: Cell[] = [say("platform"), say("controller"), say("installer"), say("collectors")];
  const rows = platforms.map((one): [Mark, Cell[]] => [
    one.complete ? "ok" : "bad",
    platformCells(one, options.language),
  ]);
  // the columns that are dropped first are also in the page
  const layout = { drop: needed ? [3] : [2, 3], least: [15] };
  const shown = platforms.length > 0 ? marks([["none", heads], ...rows], options, layout) : [];
  const [present = [], missing = []] = [true, false].map((whole) =>
    // `java` of `apm/probe/java/NAME`
    probes.filter(({ stored }) => (stored === "whole") === whole).map(({ key }) => key.split("/")[2] ?? key),
  );
  if (present.length === 0) return shown;
  const absent = missing.length > 0 ? say("notStored", { names: missing.join(" ") }) : "";
  const cells = [say("probes"), present.join(" "), absent];
  return [...shown, lineOf("ok", cells, options, { drop: [2], least: [15] })];
}

/** The mirrors in cloud regions: those in which nothing is wrong share a line. */
function regionLines({ regions }: Report, options: ScreenOptions): string[] {
  const { language } = options;
  const say = wordsIn(language);
  const isSound = ({ missing, damaged, deadBytes }: RegionEntry) =>
    missing.length + damaged.length + (deadBytes ?? 0) === 0;
  const isGood = (one: RegionEntry) => one.reachable && one.lag === 0 && isSound(one);
  const named = ({ id, name }: RegionEntry) => `${id} ${name}`.trimEnd();
  const good = regions.filter(isGood).map(named);
  const all = good.map((name, index) => (index === good.length - 1 ? name : `${name},`));
  const goodCells: Cell[] = [`${say("regions")} ${say("level")}`, (cells) => someOf(all, cells)];
  const bad = regions
    .filter((one) => !isGood(one))
    .map((one): [Mark, Cell[]] => [
      // a mirror that only has to catch up
      (one.lag ?? 0) > 0 && isSound(one) ? "changed" : "warning",
      [`${say("region")} ${named(one)}`, regionParts(one, language).join(JOIN[language].comma)],
    ]);
  return marks([...(good.length > 0 ? [["ok", goodCells] as const] : []), ...bad], options, { least: [15] });
}

function platformCells(one: PlatformEntry, language: Language): Cell[] {
  const { controller, installer, bootstrap, collectors, complete } = one;
  const say = wordsIn(language);
  const { comma } = JOIN[language];
  const listed = collectors.listed.length > 0 ? say("onlyListed", { count: collectors.listed.length }) : "";
  const names = (cells: number) => {
    const space = listed === "" ? cells : cells - listed.length - comma.length;
    return [someOf(collectors.installable, space), listed].filter((part) => part !== "").join(comma);
  };
  // The newest controllers matter most.
  const versions = someOf(controller.toReversed(), 12);
  const installed = installer === false ? "no" : bootstrap === false ? "noBootstrap" : "yes";
  return [
    platformOf(one),
    versions || (controller.length > 0 ? `…(${controller.length})` : say("no")),
    say(installer === null && bootstrap === null ? "notNeeded" : installed),
    complete ? names : (cells) => (cellWidth(say("cannotInstall")) <= cells ? say("cannotInstall") : ""),
  ];
}
