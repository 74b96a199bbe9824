import { columns } from "./tables.ts";
import { cellWidth, wrap } from "./terminal.ts";

/** A table of a page of the documentation: its heads, and its rows by their first cell. */
export interface Table {
  heads: readonly string[];
  rows: readonly (readonly string[])[];
}

/** Cells up to this width stand beside a row's name, if the whole row does not fit. */
const SHORT = 10;

/** Returns the tables of a page, without their marks. */
export function tablesOf(markdown: string): Table[] {
  return blocks(markdown).flatMap((block) => (block.kind === "table" ? toTable(block.lines) : []));
}

/** Makes a page of the documentation readable on a screen of `width` terminal cells. */
export function renderMarkdown(markdown: string, width: number): string {
  const parts = blocks(markdown).map(({ kind, lines }) => {
    if (kind === "code") return lines.map((line) => `    ${line}`);
    if (kind === "table") return toTable(lines).flatMap((table) => renderTable(table, width));
    if (kind === "heading") {
      const title = plain((lines[0] ?? "").replace(/^#+ /, ""));
      return [title, "-".repeat(cellWidth(title))];
    }
    return wrap(plain(lines.join("\n")), width);
  });
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

const HAN = /\p{Script=Han}/u;

/** Returns a cell after the head of its column. */
export const labelled = ({ head, cell }: { head: string; cell: string }) =>
  `${head}${HAN.test(head) ? "：" : ": "}${cell}`;

/** Renders a table: aligned if every row fits, else each row as a paragraph below its first cell. */
export function renderTable({ heads, rows }: Table, width: number): string[] {
  const all = [heads, ...rows];
  const aligned = columns(all, { width: Number.POSITIVE_INFINITY, drop: [] });
  if (heads.length > 1 && aligned.every((line) => cellWidth(line) <= width)) return aligned;
  return rows.flatMap((row) => {
    const named = row.map((cell, column) => ({ cell, head: heads[column] ?? "" })).slice(1);
    const isShort = ({ cell }: { cell: string }) => cellWidth(cell) <= SHORT;
    const beside = named.filter((one) => isShort(one) && one.cell !== "").map(labelled);
    const isChinese = HAN.test(heads.join(""));
    const [open, comma, close] = isChinese ? ["（", "，", "）"] : [" (", ", ", ")"];
    const title = beside.length > 0 ? `${row[0]}${open}${beside.join(comma)}${close}` : (row[0] ?? "");
    const below = named.filter((one) => !isShort(one)).map(labelled);
    return [
      ...wrap(title, width),
      ...below.flatMap((text) => wrap(text, width - 2).map((line) => `  ${line}`)),
    ];
  });
}

interface Block {
  kind: "heading" | "table" | "code" | "text";
  lines: string[];
}

/** The link to the page in the other language. */
const LINK = /^\*\[(?:中文|English)\]/;

function blocks(markdown: string): Block[] {
  const found: Block[] = [];
  let current: Block | undefined;
  const begin = (kind: Block["kind"]) => {
    current = { kind, lines: [] };
    found.push(current);
    return current;
  };
  for (const line of markdown.split("\n")) {
    const isFence = line.startsWith("```");
    if (current?.kind === "code" && !isFence) current.lines.push(line);
    else if (isFence) {
      if (current?.kind === "code") current = undefined;
      else begin("code");
    } else if (line.trim() === "" || line.startsWith("<!--") || LINK.test(line)) current = undefined;
    else if (line.startsWith("#")) {
      begin("heading").lines.push(line);
      current = undefined;
    } else {
      const kind = line.startsWith("|") ? "table" : "text";
      (current?.kind === kind ? current : begin(kind)).lines.push(line);
    }
  }
  return found;
}

function toTable(lines: readonly string[]): Table[] {
  const [heads, rule, ...rows] = lines.map((line) =>
    line
      .replace(/^\|\s*|\s*\|\s*$/g, "")
      .split(/\s*(?<!\\)\|\s*/)
      .map(plain),
  );
  return heads && rule ? [{ heads, rows }] : [];
}

/** Removes links, emphasis and marks of code, and joins lines; the items of a list keep theirs. */
function plain(text: string): string {
  return text
    .replace(/\n(?!- |\d+\. )/g, " ")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\*\*?([^*\n]+)\*\*?/g, "$1")
    .replaceAll("`", "")
    .replaceAll("\\|", "|")
    .replace(/ {2,}/g, " ");
}
