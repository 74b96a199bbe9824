import { createHash } from "node:crypto";
import { actionWord, formatBytes, JOIN, type Language, platformOf } from "../messages/define.ts";
import { duration, type Say, type WordOf, wordOr, wordsIn, zonedTime } from "../messages/words.ts";
import { escapeText } from "./redact.ts";
import type { PackageEntry, Report } from "./report.ts";
import { verdictOf } from "./verdict.ts";

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
  return new Html(String.raw({ raw: literals }, ...values.map(textOf)));
}

function textOf(value: Value): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(textOf).join("");
  return escapeText(String(value)).replace(/[&<>"']/g, (mark) => ENTITIES[mark] as string);
}

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

type Tone = "good" | "fair" | "bad" | "plain";
const badge = (tone: Tone, text: string) => html`<span class="badge ${tone}">${text}</span>`;

/** A line of small print below the cell's text. */
const small = (text: Value) => html`<br><small>${text}</small>`;
const note = (text: Value) => html`<p class="note">${text}</p>\n`;

/** What the sections of a page are made from. */
interface Context {
  report: Report;
  say: Say;
  language: Language;
  /** Of the JSON report. */
  sha256: string;
}

/** Commands whose report says that packages are in place. */
const PROVING: readonly string[] = ["init", "verify", "status"];

/**
 * Makes the page of a report: one file without a script or an outside reference, to be read, printed and
 * signed. `json` is the report as REPORT_FILE has it, with every `<` escaped; the page holds it unchanged and
 * shows its SHA-256.
 */
export function reportPage(report: Report, json: string, language: Language): string {
  const say = wordsIn(language);
  const sha256 = createHash("sha256").update(json).digest("hex");
  const context: Context = { report, say, language, sha256 };
  const signable = report.outcome === "ok" && PROVING.includes(report.command);
  const title = say(signable ? "acceptance" : "report");
  const sections = [run, platforms, probes, regions, packages, rows, removed, warnings, orphans];
  const body = html`<header>
<p class="product">${say("product")}</p>
<h1>${title}</h1>
</header>
<main>
${verdict(context)}${sections.map((section) => section(context))}${signable ? signing(context) : ""}</main>
<footer>${note(html`${say("note.digest")} ${digest(sha256)}`)}</footer>
`;
  return `<!DOCTYPE html>
<html lang="${say("lang")}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<link rel="icon" href="data:,">
<title>${html`${title} · ${say("product")}`.text}</title>
<style>${styleWith(sha256)}</style>
</head>
<body>
${body.text}<script type="application/json" id="report">
${json}</script>
</body>
</html>
`;
}

function section(head: string, ...content: readonly Value[]): Html {
  return html`<section>
<h2>${head}</h2>
${content}</section>
`;
}

/** A table: its columns with their percent of the width, and the cells of its rows. */
function table(
  name: WordOf<"head">,
  columns: Partial<Record<WordOf<"label">, number>>,
  rows: readonly (readonly Value[])[],
  say: Say,
): Html {
  const labels = Object.keys(columns) as WordOf<"label">[];
  return html`<table class="${name}">
<colgroup>${Object.values(columns).map((width) => html`<col style="width:${width}%">`)}</colgroup>
<thead><tr>${labels.map((label) => html`<th scope="col">${say(`label.${label}`)}</th>`)}</tr></thead>
<tbody>
${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>\n`)}</tbody>
</table>
`;
}

/** Tone and sign of the verdict, which is the same as on the screen. */
const TONES = { ok: ["good", "✔"], warning: ["fair", "!"], bad: ["bad", "✘"] } as const;

function verdict({ report, say, language }: Context): Html {
  const { command, error, exitCode, platforms, warnings } = report;
  const whole = platforms.filter(({ complete }) => complete).map(platformOf);
  const [tone, sign] = TONES[verdictOf(report, [], language).mark];
  const succeeded = wordOr(`ok.${command}`, language, say("succeeded", { command }));
  const said = [
    ...(error ? [lines(error.message), html`<b>${JOIN[language].remedyLine}</b>${lines(error.hint)}`] : []),
    ...(whole.length > 0 ? [say("ready", { platforms: whole })] : []),
    ...platforms
      .filter(({ complete }) => !complete)
      .map((one) => say("lacks", { platform: platformOf(one), missing: one.missing })),
    ...(warnings.length > 0 ? [say("warnings", { count: warnings.length })] : []),
  ];
  return html`<section class="verdict ${tone}">
<p class="sign" aria-hidden="true">${sign}</p>
<div>
<p class="head">${error ? say("failed", { command, code: exitCode }) : succeeded}</p>
${said.map((text) => html`<p>${text}</p>\n`)}</div>
</section>
`;
}

function run({ report, say, language, sha256 }: Context): Html {
  const { postgres, nats } = report.servers;
  const { version, revision } = report.program;
  const facts: [string, Value][] = [
    [say("label.started"), zonedTime(new Date(report.startedAt))],
    [say("label.duration"), duration(Math.round(report.durationMs / 1000), language)],
    [say("label.command"), report.command],
    [say("label.host"), report.host],
    [
      say("label.program"),
      html`bklite-package-init ${version}${revision === null ? "" : small(say("revision", { revision }))}`,
    ],
    [
      "Postgres",
      postgres
        ? html`${postgres.version} · ${postgres.host}:${postgres.port}${small(say("database", postgres))}`
        : say("none"),
    ],
    ["NATS", nats ? html`${nats.version} · ${nats.server}${small(say("bucket", nats))}` : say("none")],
    [say("label.sha256"), digest(sha256)],
  ];
  return section(
    say("head.run"),
    html`<dl>${facts.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>\n`)}</dl>\n`,
  );
}

function platforms({ report: { platforms }, say }: Context): Value {
  if (platforms.length === 0) return "";
  const there = (value: boolean | null) =>
    value === null
      ? html`<span class="quiet">${say("notNeeded")}</span>`
      : badge(value ? "good" : "bad", say(value ? "yes" : "absent"));
  const withBootstrap = platforms.some(({ bootstrap }) => bootstrap !== null);
  const columns = {
    platform: 19,
    controller: 14,
    installer: 12,
    ...(withBootstrap && { bootstrap: 12 }),
    collectors: withBootstrap ? 29 : 41,
    state: 14,
  };
  const rows = platforms.map((one) => {
    const { installable, listed } = one.collectors;
    return [
      html`<b>${platformOf(one)}</b>`,
      one.controller.length > 0 ? one.controller.join(", ") : badge("bad", say("absent")),
      there(one.installer),
      ...(withBootstrap ? [there(one.bootstrap)] : []),
      html`${installable.join(", ") || say("none")}${listed.length > 0 ? small(`${say("listed")}: ${listed.join(", ")}`) : ""}`,
      badge(one.complete ? "good" : "bad", say(one.complete ? "complete" : "incomplete")),
    ];
  });
  const hasListed = platforms.some(({ collectors }) => collectors.listed.length > 0);
  return section(
    say("head.platforms"),
    table("platforms", columns, rows, say),
    hasListed ? note(say("note.listed")) : "",
  );
}

function probes({ report: { probes }, say, language }: Context): Value {
  if (probes.every(({ stored }) => stored === "missing")) return "";
  const rows = probes.map(({ name, key, stored }) => [name, path(key), storedBadge(stored, language)]);
  return section(say("head.probes"), table("probes", { probe: 38, key: 46, state: 16 }, rows, say));
}

function storedBadge(stored: string | null, language: Language): Value {
  if (stored === null) return "–";
  return badge(stored === "whole" ? "good" : "bad", wordOr(`stored.${stored}`, language, stored));
}

function regions({ report: { regions }, say }: Context): Value {
  if (regions.length === 0) return "";
  const rows = regions.map(({ id, name, reachable, lag, missing, damaged, deadBytes }) => [
    html`<b>${name}</b> <small>${id}</small>`,
    reachable
      ? badge(lag === 0 ? "good" : "fair", lag === 0 ? say("level") : say("behind", { count: lag ?? 0 }))
      : badge("fair", say("unreachable")),
    join(
      [
        ...(missing.length > 0 ? [say("lacking", { count: missing.length })] : []),
        ...(damaged.length > 0 ? [say("damaged", { count: damaged.length })] : []),
        ...(deadBytes ? [say("dead", { bytes: deadBytes })] : []),
        ...[...missing, ...damaged].map(path),
      ],
      html`<br>`,
    ),
  ]);
  return section(say("head.regions"), table("regions", { region: 24, lag: 26, state: 50 }, rows, say));
}

/** Tones of actions; any other is good. */
const ACTION_TONES: Readonly<Record<string, Tone>> = {
  failed: "bad",
  unchanged: "plain",
  found: "plain",
  kept: "fair",
};

function packages(context: Context): Value {
  const { packages } = context.report;
  const { say } = context;
  if (packages.length === 0) return "";
  const rows = packages.map((one) => packageCells(one, context));
  return section(
    say("head.packages", { count: packages.length }),
    note(say("note.packages")),
    table("packages", { package: 24, source: 38, stored: 38 }, rows, say),
  );
}

function packageCells(one: PackageEntry, { say, language }: Context): Value[] {
  const { source, stored, type, action, error, repacked } = one;
  const what = [
    type === null ? "" : wordOr(`type.${type}`, language, type),
    one.os === null && type === "apm-probe" ? say("anyPlatform") : platformOf(one),
  ].filter((part) => part !== "");
  const same = source.sha256 !== null && source.sha256 === stored.sha256;
  return [
    html`<b>${one.object ?? stored.name}</b> ${one.version ?? ""}${small(what.join(" · "))}<br>${badge(ACTION_TONES[action] ?? "good", actionWord(action, language))}`,
    html`${path(source.file)}${size(source.bytes)}${sum(source.sha256, say(error ? "unread" : "folder"))}${
      source.signedBy === undefined ? "" : small(say("signedBy", { signer: source.signedBy }))
    }`,
    error
      ? html`<span class="wrong">${lines(error.message)}</span>${small(html`<b>${JOIN[language].remedyLine}</b>${lines(error.hint)} <span class="code">${error.reason}</span>`)}`
      : html`${path(stored.key ?? stored.name)}${size(stored.bytes)}${sum(stored.sha256, say("unread"))}${
          same ? html`<br><small class="same">= ${say("identical")}</small>` : ""
        }${repacked ? small(repacked.join(", ")) : ""}`,
  ];
}

function size(bytes: number | null): Value {
  return bytes === null ? "" : html` <small class="size">${formatBytes(bytes)}</small>`;
}

/** A digest on a line of its own, or why there is none. */
function sum(sha256: string | null, why: string): Html {
  return sha256 === null ? small(`SHA-256: ${why}`) : html`<br>${digest(sha256)}`;
}

function rows({ report: { rows }, say, language }: Context): Value {
  if (rows.length === 0) return "";
  const columns = { id: 8, object: 22, version: 12, platform: 16, name: 22, action: 10, state: 10 };
  const cells = rows.map((row) => [
    row.id ?? "–",
    html`${row.object}${small(wordOr(`type.${row.type}`, language, row.type))}`,
    row.version,
    platformOf(row),
    path(row.name),
    actionWord(row.action, language),
    storedBadge(row.stored, language),
  ]);
  const broken = rows.some(({ stored }) => stored !== null && stored !== "whole");
  return section(
    say("head.rows", { count: rows.length }),
    table("rows", columns, cells, say),
    broken ? note(say("note.rows")) : "",
  );
}

function removed({ report: { removed }, say }: Context): Value {
  if (removed.length === 0) return "";
  const cells = removed.map(({ row, key, bytes, done }) => [
    html`${key === null ? "–" : path(key)}${row === null ? "" : small(say("row", { id: row }))}`,
    bytes === null ? "–" : formatBytes(bytes),
    say(done ? "removed" : "pending"),
  ]);
  return section(say("head.removed"), table("removed", { key: 64, bytes: 18, action: 18 }, cells, say));
}

function warnings({ report: { warnings }, say, language }: Context): Value {
  if (warnings.length === 0) return "";
  const items = warnings.map(
    ({ reason, message, hint, file }) => html`<li>
<p>${file === undefined ? "" : html`${path(file)}: `}${lines(message)} <span class="code quiet">${reason}</span></p>
<p><b>${JOIN[language].remedyLine}</b>${lines(hint)}</p>
</li>
`,
  );
  return section(
    say("head.warnings", { count: warnings.length }),
    html`<ol class="warnings">\n${items}</ol>\n`,
  );
}

function orphans({ report: { orphans }, say }: Context): Value {
  return orphans.objects === 0 ? "" : section(say("head.orphans"), note(say("note.orphans", orphans)));
}

function signing({ say }: Context): Html {
  const fields = (["name", "organisation", "date", "signature"] as const).map(
    (field) => html`<p><span>${say(`sign.${field}`)}</span></p>\n`,
  );
  const parties = (["delivered", "accepted"] as const).map(
    (party) => html`<div class="party">
<h3>${say(`sign.${party}`)}</h3>
${fields}</div>
`,
  );
  return html`<section class="signing">
<h2>${say("head.signing")}</h2>
${note(say("note.signing"))}<div class="parties">
${parties}</div>
<p class="remarks"><span>${say("sign.remarks")}</span></p>
</section>
`;
}

/** The page's style. Each printed page has the digest's beginning and its number in the margin. */
const styleWith = (sha256: string) => `
:root { --ink: #1f2933; --quiet: #5f6c7b; --line: #dde3e9; --soft: #f6f8fa; --blue: #2a5c8f;
  --good: #1f7a4d; --fair: #96690a; --bad: #b3372f;
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
.good { --tone: var(--good); --back: #edf7f1; --edge: #bfe0cd; }
.fair { --tone: var(--fair); --back: #fdf7e7; --edge: #ecdcae; }
.bad { --tone: var(--bad); --back: #fdf1f0; --edge: #efc9c6; }
.plain { --tone: var(--quiet); --back: var(--soft); --edge: var(--line); }
.product { color: var(--blue); font-weight: 600; font-size: 13.5px; letter-spacing: .02em; }
section { margin-top: 32px; }
.verdict { display: flex; gap: 16px; margin-top: 24px; padding: 18px 22px; border: 1px solid var(--edge); border-radius: 8px; background: var(--back); break-inside: avoid; }
.verdict p + p { margin-top: 4px; }
.verdict .head { font-size: 18px; font-weight: 600; line-height: 1.4; }
.verdict .sign { flex: none; width: 30px; height: 30px; border-radius: 50%; color: #fff; background: var(--tone); font-size: 17px; font-weight: 700; line-height: 30px; text-align: center; }
.verdict div { min-width: 0; overflow-wrap: anywhere; }
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
.badge { display: inline-block; padding: 0 8px; border: 1px solid var(--edge); color: var(--tone); background: var(--back); border-radius: 10px; font-size: 12px; line-height: 18px; font-weight: 600; white-space: nowrap; }
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
