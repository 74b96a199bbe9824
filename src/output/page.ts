import { createHash } from "node:crypto";
import { actionWord, formatBytes, type Language } from "../messages/define.ts";
import { duration } from "../messages/events.ts";
import { PAGE_WORDS, type PageWords } from "../messages/page-words.ts";
import { escapeText } from "./redact.ts";
import type { PackageEntry, Report } from "./report.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/** A piece of the page: text of others is escaped already. */
class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Value = Html | string | number | readonly Value[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Builds a piece of the page. Every value that is no piece itself is text, and is escaped. */
function html(literals: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(
    literals.map((literal, index) => literal + (index < values.length ? textOf(values[index]) : "")).join(""),
  );
}

function textOf(value: Value | undefined): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(textOf).join("");
  return escapeText(String(value ?? "")).replace(/[&<>"']/g, (mark) => ENTITIES[mark] as string);
}

const NOTHING = html``;

function join(parts: readonly Value[], separator: Value): Html {
  return html`${parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part]))}`;
}

/** A message of several lines. */
const lines = (text: string) => join(text.split("\n"), html`<br>`);

/** A key or path, which may be broken behind each separator. */
const path = (text: string) =>
  html`<span class="code">${join(text.split(/(?<=[/\\_-])/), html`<wbr>`)}</span>`;

/** A digest in two halves, so that it is compared line by line. */
const digest = (sha256: string) =>
  html`<span class="code digest">${join(sha256.match(/.{1,32}/g) ?? [], html`<wbr>`)}</span>`;

const badge = (tone: Tone, text: string) => html`<span class="badge ${tone}">${text}</span>`;

type Tone = "good" | "fair" | "bad" | "plain";

const SIGNS: Readonly<Record<Tone, string>> = { good: "✔", fair: "!", bad: "✘", plain: "·" };

interface Column {
  head: string;
  /** Percent of the table's width. */
  width: number;
}

function table(name: string, columns: readonly Column[], rows: readonly (readonly Value[])[]): Html {
  return html`<table class="${name}">
<colgroup>${columns.map(({ width }) => html`<col style="width:${width}%">`)}</colgroup>
<thead><tr>${columns.map(({ head }) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>
${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>\n`)}</tbody>
</table>
`;
}

function section(head: string, ...content: readonly Value[]): Html {
  return html`<section>
<h2>${head}</h2>
${content}</section>
`;
}

const note = (text: Value) => html`<p class="note">${text}</p>\n`;

/** Local time and its distance from UTC, by TZ: `2026-11-29 23:35:24 UTC+08:00`. */
export function zonedTime(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, 19).replace("T", " ");
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return `${local} UTC${minutes < 0 ? "-" : "+"}${two(hours)}:${two(rest)}`;
}

const platformOf = ({ os, arch }: { os: string | null; arch: string | null }) =>
  [os, arch].filter((part) => part !== null).join("/");

/** Commands whose report says that packages are in place. */
const PROVING: readonly string[] = ["init", "verify", "status"];

/**
 * Makes the page of a report: one file without a script or an outside reference, to be read, printed and
 * signed. `json` is the report as REPORT_FILE has it, with every `<` escaped; the page holds it unchanged and
 * shows its SHA-256.
 */
export function reportPage(report: Report, json: string, language: Language): string {
  const words = PAGE_WORDS[language];
  const sha256 = createHash("sha256").update(json).digest("hex");
  const signable = report.outcome === "ok" && PROVING.includes(report.command);
  const title = signable ? words.acceptance : words.report;
  const body = html`<header>
<p class="product">${words.product}</p>
<h1>${title}</h1>
</header>
<main>
${verdict(report, words, language)}${run(report, sha256, words, language)}${platforms(report, words)}${probes(report, words)}${regions(report, words)}${packages(report, words, language)}${rows(report, words, language)}${removed(report, words)}${warnings(report, words)}${orphans(report, words)}${signable ? signing(words) : NOTHING}</main>
<footer>${note(html`${words.notes.digest} ${digest(sha256)}`)}</footer>
`;
  return `<!DOCTYPE html>
<html lang="${words.lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<link rel="icon" href="data:,">
<title>${html`${title} · ${words.product}`.text}</title>
<style>${styleWith(sha256)}</style>
</head>
<body>
${body.text}<script type="application/json" id="report">
${json}</script>
</body>
</html>
`;
}

const TONES = { ok: "good", warning: "fair", bad: "bad" } as const satisfies Record<Verdict["mark"], Tone>;

function verdict(report: Report, words: PageWords, language: Language): Html {
  const { command, error, exitCode, platforms, warnings } = report;
  const lacking = platforms.filter(({ complete }) => !complete);
  const whole = platforms.filter(({ complete }) => complete).map(platformOf);
  // the same as on the screen
  const tone = TONES[verdictOf(report, [], language).mark];
  const head = error ? words.failed(command, exitCode) : (words.ok[command] ?? words.okOther(command));
  return html`<section class="verdict ${tone}">
<p class="sign" aria-hidden="true">${SIGNS[tone]}</p>
<div>
<p class="head">${head}</p>
${error ? html`<p>${lines(error.message)}</p>\n<p><b>${words.whatToDo}</b>${lines(error.hint)}</p>\n` : NOTHING}${
  whole.length > 0 ? html`<p>${words.complete(whole)}</p>\n` : NOTHING
}${lacking.map((one) => html`<p>${words.incomplete(platformOf(one), one.missing)}</p>\n`)}${
  warnings.length > 0 ? html`<p>${words.warned(warnings.length)}</p>\n` : NOTHING
}</div>
</section>
`;
}

function run(report: Report, sha256: string, words: PageWords, language: Language): Html {
  const { labels } = words;
  const { postgres, nats } = report.servers;
  const { version, revision } = report.program;
  const facts: [string, Value][] = [
    [labels.started, zonedTime(new Date(report.startedAt))],
    [labels.duration, duration(Math.round(report.durationMs / 1000), language)],
    [labels.command, report.command],
    [labels.host, report.host],
    [
      labels.program,
      html`bklite-package-init ${version}${revision === null ? NOTHING : html`<br><small>${words.revision(revision)}</small>`}`,
    ],
    [
      "Postgres",
      postgres
        ? server(
            postgres.version,
            `${postgres.host}:${postgres.port}`,
            words.postgres(postgres.database, postgres.schema, postgres.tableState),
          )
        : words.none,
    ],
    ["NATS", nats ? server(nats.version, nats.server, words.nats(nats.bucket)) : words.none],
    [labels.sha256, digest(sha256)],
  ];
  return section(
    words.heads.run,
    html`<dl>${facts.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>\n`)}</dl>\n`,
  );
}

function server(version: string, where: string, what: string): Html {
  return html`${version} · ${where}<br><small>${what}</small>`;
}

function platforms({ platforms }: Report, words: PageWords): Html {
  if (platforms.length === 0) return NOTHING;
  const { labels } = words;
  const there = (value: boolean | null) =>
    value === null
      ? html`<span class="quiet">${words.notNeeded}</span>`
      : badge(value ? "good" : "bad", value ? words.yes : words.missing);
  const withBootstrap = platforms.some(({ bootstrap }) => bootstrap !== null);
  const columns = [
    { head: labels.platform, width: 19 },
    { head: labels.controller, width: 14 },
    { head: labels.installer, width: 12 },
    ...(withBootstrap ? [{ head: labels.bootstrap, width: 12 }] : []),
    { head: labels.collectors, width: withBootstrap ? 29 : 41 },
    { head: labels.state, width: 14 },
  ];
  const rows = platforms.map((one) => {
    const { installable, listed } = one.collectors;
    return [
      html`<b>${platformOf(one)}</b>`,
      one.controller.length > 0 ? one.controller.join(", ") : badge("bad", words.missing),
      there(one.installer),
      ...(withBootstrap ? [there(one.bootstrap)] : []),
      html`${installable.length > 0 ? installable.join(", ") : words.none}${
        listed.length > 0 ? html`<br><small>${words.labels.listed}: ${listed.join(", ")}</small>` : NOTHING
      }`,
      badge(one.complete ? "good" : "bad", one.complete ? words.complete1 : words.incomplete1),
    ];
  });
  const hasListed = platforms.some(({ collectors }) => collectors.listed.length > 0);
  return section(
    words.heads.platforms,
    table("platforms", columns, rows),
    hasListed ? note(words.notes.listed) : NOTHING,
  );
}

function probes({ probes }: Report, words: PageWords): Html {
  if (probes.every(({ stored }) => stored === "missing")) return NOTHING;
  const columns = [
    { head: words.labels.probe, width: 38 },
    { head: words.labels.key, width: 46 },
    { head: words.labels.state, width: 16 },
  ];
  const rows = probes.map(({ name, key, stored }) => [name, path(key), storedBadge(stored, words)]);
  return section(words.heads.probes, table("probes", columns, rows));
}

function storedBadge(stored: string | null, words: PageWords): Html {
  if (stored === null) return html`–`;
  return badge(stored === "whole" ? "good" : "bad", words.stored[stored] ?? stored);
}

function regions({ regions }: Report, words: PageWords): Html {
  if (regions.length === 0) return NOTHING;
  const columns = [
    { head: words.labels.region, width: 24 },
    { head: words.labels.lag, width: 26 },
    { head: words.labels.state, width: 50 },
  ];
  const rows = regions.map(({ id, name, reachable, lag, missing, damaged, deadBytes }) => [
    html`<b>${name}</b> <small>${id}</small>`,
    badge(
      !reachable ? "fair" : lag === 0 ? "good" : "fair",
      !reachable ? words.region.unreachable : lag === 0 ? words.region.level : words.region.behind(lag ?? 0),
    ),
    join(
      [
        ...(missing.length > 0 ? [words.region.missing(missing.length)] : []),
        ...(damaged.length > 0 ? [words.region.damaged(damaged.length)] : []),
        ...(deadBytes ? [words.region.dead(formatBytes(deadBytes))] : []),
        ...[...missing, ...damaged].map(path),
      ],
      html`<br>`,
    ),
  ]);
  return section(words.heads.regions, table("regions", columns, rows));
}

const FAILED: readonly string[] = ["failed"];
const QUIET: readonly string[] = ["unchanged", "found"];

function actionBadge(action: string, language: Language): Html {
  const tone = FAILED.includes(action)
    ? "bad"
    : QUIET.includes(action)
      ? "plain"
      : action === "kept"
        ? "fair"
        : "good";
  return badge(tone, actionWord(action, language));
}

function packages({ packages }: Report, words: PageWords, language: Language): Html {
  if (packages.length === 0) return NOTHING;
  const columns = [
    { head: words.labels.package, width: 24 },
    { head: words.labels.source, width: 38 },
    { head: words.labels.stored, width: 38 },
  ];
  const rows = packages.map((one) => packageCells(one, words, language));
  return section(
    `${words.heads.packages} (${packages.length})`,
    note(words.notes.packages),
    table("packages", columns, rows),
  );
}

function packageCells(one: PackageEntry, words: PageWords, language: Language): Value[] {
  const { source, stored, error, repacked } = one;
  const what = [
    one.type === null ? "" : (words.types[one.type] ?? one.type),
    one.os === null && one.type === "apm-probe" ? words.anyPlatform : platformOf(one),
  ].filter((part) => part !== "");
  const same = source.sha256 !== null && source.sha256 === stored.sha256;
  return [
    html`<b>${one.object ?? stored.name}</b> ${one.version ?? ""}<br><small>${what.join(" · ")}</small><br>${actionBadge(one.action, language)}`,
    html`${path(source.file)}${size(source.bytes)}${sum(source.sha256, error ? words.unread : words.folder)}${
      source.signedBy === undefined
        ? NOTHING
        : html`<br><small>${words.labels.signedBy} ${source.signedBy}</small>`
    }`,
    error
      ? html`<span class="wrong">${lines(error.message)}</span><br><small><b>${words.whatToDo}</b>${lines(error.hint)} <span class="code">${error.reason}</span></small>`
      : html`${path(stored.key ?? stored.name)}${size(stored.bytes)}${sum(stored.sha256, words.unread)}${
          same ? html`<br><small class="same">= ${words.identical}</small>` : NOTHING
        }${repacked ? html`<br><small>${repacked.join(", ")}</small>` : NOTHING}`,
  ];
}

function size(bytes: number | null): Html {
  return bytes === null ? NOTHING : html` <small class="size">${formatBytes(bytes)}</small>`;
}

/** A digest on a line of its own, or why there is none. */
function sum(sha256: string | null, why: string): Html {
  return html`<br>${sha256 === null ? html`<small>SHA-256: ${why}</small>` : digest(sha256)}`;
}

function rows({ rows }: Report, words: PageWords, language: Language): Html {
  if (rows.length === 0) return NOTHING;
  const { labels } = words;
  const columns = [
    { head: labels.id, width: 8 },
    { head: labels.object, width: 22 },
    { head: labels.version, width: 12 },
    { head: labels.platform, width: 16 },
    { head: labels.name, width: 22 },
    { head: labels.action, width: 10 },
    { head: labels.state, width: 10 },
  ];
  const cells = rows.map((row) => [
    row.id ?? "–",
    html`${row.object}<br><small>${words.types[row.type] ?? row.type}</small>`,
    row.version,
    platformOf(row),
    path(row.name),
    actionWord(row.action, language),
    storedBadge(row.stored, words),
  ]);
  const broken = rows.some(({ stored }) => stored !== null && stored !== "whole");
  return section(
    `${words.heads.rows} (${rows.length})`,
    table("rows", columns, cells),
    broken ? note(words.notes.rows) : NOTHING,
  );
}

function removed({ removed }: Report, words: PageWords): Html {
  if (removed.length === 0) return NOTHING;
  const columns = [
    { head: words.labels.key, width: 64 },
    { head: words.labels.bytes, width: 18 },
    { head: words.labels.action, width: 18 },
  ];
  const cells = removed.map(({ row, key, bytes, done }) => [
    html`${key === null ? "–" : path(key)}${row === null ? NOTHING : html`<br><small>${words.removed.row(row)}</small>`}`,
    bytes === null ? "–" : formatBytes(bytes),
    done ? words.removed.done : words.removed.planned,
  ]);
  return section(words.heads.removed, table("removed", columns, cells));
}

function warnings({ warnings }: Report, words: PageWords): Html {
  if (warnings.length === 0) return NOTHING;
  const items = warnings.map(
    ({ reason, message, hint, file }) => html`<li>
<p>${file === undefined ? NOTHING : html`${path(file)}: `}${lines(message)} <span class="code quiet">${reason}</span></p>
<p><b>${words.whatToDo}</b>${lines(hint)}</p>
</li>
`,
  );
  return section(
    `${words.heads.warnings} (${warnings.length})`,
    html`<ol class="warnings">\n${items}</ol>\n`,
  );
}

function orphans({ orphans }: Report, words: PageWords): Html {
  if (orphans.objects === 0) return NOTHING;
  return section(words.heads.orphans, note(words.orphans(orphans.objects, formatBytes(orphans.bytes))));
}

function signing({ heads, notes, signing }: PageWords): Html {
  const party = (name: string) => html`<div class="party">
<h3>${name}</h3>
${signing.fields.map((field) => html`<p><span>${field}</span></p>\n`)}</div>
`;
  return html`<section class="signing">
<h2>${heads.signing}</h2>
${note(notes.signing)}<div class="parties">
${party(signing.delivered)}${party(signing.accepted)}</div>
<p class="remarks"><span>${signing.remarks}</span></p>
</section>
`;
}

/** The page's style. Each printed page has the digest's beginning and its number in the margin. */
function styleWith(sha256: string): string {
  return `
:root { --ink: #1f2933; --quiet: #5f6c7b; --line: #dde3e9; --soft: #f6f8fa; --blue: #2a5c8f;
  --good: #1f7a4d; --good-soft: #edf7f1; --fair: #96690a; --fair-soft: #fdf7e7; --bad: #b3372f; --bad-soft: #fdf1f0;
  --code: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; background: #fff; }
body { margin: 0 auto; padding: 40px 32px 64px; max-width: 1040px; color: var(--ink); background: #fff;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, "PingFang SC", "Hiragino Sans GB",
    "Microsoft YaHei", "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei", sans-serif;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
p { margin: 0; }
h1 { margin: 2px 0 0; font-size: 30px; font-weight: 600; line-height: 1.25; letter-spacing: -.01em; }
h2 { margin: 0 0 10px; font-size: 17px; font-weight: 600; line-height: 1.3; break-after: avoid; }
h3 { margin: 0 0 4px; font-size: 15px; font-weight: 600; }
b { font-weight: 600; }
small { font-size: 12.5px; color: var(--quiet); }
header { padding-bottom: 18px; border-bottom: 2px solid var(--blue); }
.product { color: var(--blue); font-weight: 600; font-size: 13.5px; letter-spacing: .02em; }
section { margin-top: 32px; }
.verdict { display: flex; gap: 16px; margin-top: 24px; padding: 18px 22px; border: 1px solid; border-radius: 8px; break-inside: avoid; }
.verdict p + p { margin-top: 4px; }
.verdict .head { font-size: 18px; font-weight: 600; line-height: 1.4; }
.verdict .sign { flex: none; width: 30px; height: 30px; border-radius: 50%; color: #fff; font-size: 17px; font-weight: 700; line-height: 30px; text-align: center; }
.verdict div { min-width: 0; overflow-wrap: anywhere; }
.verdict.good { color: var(--ink); background: var(--good-soft); border-color: #bfe0cd; }
.verdict.fair { background: var(--fair-soft); border-color: #ecdcae; }
.verdict.bad { background: var(--bad-soft); border-color: #efc9c6; }
.verdict.good .sign { background: var(--good); }
.verdict.fair .sign { background: var(--fair); }
.verdict.bad .sign { background: var(--bad); }
dl { display: grid; grid-template-columns: 1fr 1fr; gap: 0 32px; margin: 0; border-top: 1px solid var(--line); }
dl div { display: grid; grid-template-columns: 8.5em 1fr; gap: 12px; padding: 8px 0; border-bottom: 1px solid var(--line); break-inside: avoid; }
dt { color: var(--quiet); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-size: 14px; line-height: 1.5; }
thead { display: table-header-group; }
th { padding: 7px 12px 7px 0; border-bottom: 1.5px solid #b9c3cd; color: var(--quiet); font-size: 12.5px; font-weight: 600; text-align: left; vertical-align: bottom; }
td { padding: 9px 12px 9px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 0; }
tr { break-inside: avoid; }
.code { font-family: var(--code); font-size: 12.5px; overflow-wrap: anywhere; }
.digest { font-size: 11.5px; line-height: 1.45; color: #3c4a58; }
.packages td { padding-bottom: 11px; }
.packages .badge { margin-top: 4px; }
.badge { display: inline-block; padding: 0 8px; border: 1px solid; border-radius: 10px; font-size: 12px; line-height: 18px; font-weight: 600; white-space: nowrap; }
.badge.good { color: var(--good); background: var(--good-soft); border-color: #bfe0cd; }
.badge.fair { color: var(--fair); background: var(--fair-soft); border-color: #ecdcae; }
.badge.bad { color: var(--bad); background: var(--bad-soft); border-color: #efc9c6; }
.badge.plain { color: var(--quiet); background: var(--soft); border-color: var(--line); }
.size { white-space: nowrap; }
.same { color: var(--good); }
.wrong { color: var(--bad); }
.quiet { color: var(--quiet); }
.note { margin: 0 0 10px; max-width: 46em; color: var(--quiet); font-size: 13.5px; }
table + .note { margin: 10px 0 0; }
.warnings { margin: 0; padding-left: 1.6em; }
.warnings li { padding: 8px 0 9px 4px; border-bottom: 1px solid var(--line); break-inside: avoid; overflow-wrap: anywhere; }
.warnings li::marker { color: var(--fair); font-weight: 600; }
.signing { break-inside: avoid; padding-top: 4px; }
.parties { display: grid; grid-template-columns: 1fr 1fr; gap: 40px; }
.party p, .remarks { height: 46px; border-bottom: 1px solid #8b98a5; display: flex; align-items: flex-end; padding-bottom: 5px; color: var(--quiet); font-size: 13px; }
.remarks { margin-top: 10px; }
footer { margin-top: 36px; padding-top: 12px; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
footer .note { max-width: none; margin: 0; }
@media (max-width: 720px) {
  body { padding: 24px 16px 48px; }
  dl, .parties { grid-template-columns: 1fr; }
  section { overflow-x: auto; }
  table { min-width: 640px; }
}
@page { size: A4; margin: 16mm 15mm 18mm;
  @bottom-left { content: "SHA-256 ${sha256.slice(0, 16)}…"; font: 7.5pt monospace; color: #7b8794; }
  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt system-ui, sans-serif; color: #7b8794; } }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; }
  h1 { font-size: 20pt; }
  h2 { font-size: 12pt; }
  section { margin-top: 7mm; }
  table { font-size: 9pt; min-width: 0; }
  small, th { font-size: 8pt; }
  .code { font-size: 8pt; }
  .digest { font-size: 7.4pt; }
  .badge { font-size: 7.8pt; line-height: 1.45; }
  .note, dl { font-size: 9pt; }
  .party p, .remarks { height: 13mm; }
}
`;
}
