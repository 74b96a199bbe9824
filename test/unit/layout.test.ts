import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

/**
 * From the top down; a folder imports from the levels below its own. A single file of src is in `(ground)` if
 * it is not named here.
 */
const LEVELS: readonly (readonly string[])[] = [
  ["main.ts"],
  ["commands"],
  ["reconcile"],
  ["readiness"],
  ["job.ts", "help.ts"],
  ["store", "postgres"],
  ["packages"],
  ["volume"],
  ["archive"],
  ["output"],
  ["config"],
  ["messages", "(ground)"],
];

/** The folder that alone imports a client library. */
const CLIENTS: Readonly<Record<string, string>> = { nats: "store", pg: "postgres" };

/**
 * Imports that break a rule today. An entry that breaks none any more fails the test, so that the list only
 * gets shorter.
 */
const KNOWN: readonly string[] = [];

/** What each file imports: a file of src by its path, a package by its name. */
type Imports = Readonly<Record<string, readonly string[]>>;

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const imports: Imports = Object.fromEntries(files.map((file) => [file, importsOf(file)]));

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, name = ""]) =>
    name.startsWith(".") ? relative(SRC, resolve(join(SRC, dirname(file)), name)) : name,
  );
}

/** Each import that the list allows is left out. */
function without(graph: Imports, known: readonly string[]): Imports {
  return Object.fromEntries(
    Object.entries(graph).map(([from, targets]) => [
      from,
      targets.filter((to) => !known.includes(`${from} -> ${to}`)),
    ]),
  );
}

function folderOf(file: string): string {
  const [folder = ""] = file.split("/");
  return folder.endsWith(".ts") && !LEVELS.flat().includes(folder) ? "(ground)" : folder;
}

const levelOf = (file: string) => LEVELS.findIndex((level) => level.includes(folderOf(file)));

/**
 * Imports that lead up, or sideways: to another folder of the level, or from one command to another. The
 * lowest level is one.
 */
function upwardImports(graph: Imports): string[] {
  const isWrong = (from: string, to: string) => {
    if (levelOf(from) === -1) return true; // a folder that LEVELS does not have
    if (folderOf(from) === folderOf(to)) return folderOf(from) === "commands";
    return levelOf(from) === LEVELS.length - 1 ? levelOf(to) !== levelOf(from) : levelOf(to) <= levelOf(from);
  };
  return pick(graph, (from, to) => to.endsWith(".ts") && isWrong(from, to));
}

/** Imports that close a circle. */
function circles(graph: Imports): string[] {
  const found: string[] = [];
  const [open, done] = [new Set<string>(), new Set<string>()];
  const visit = (file: string) => {
    open.add(file);
    for (const target of graph[file] ?? []) {
      if (open.has(target)) found.push(`${file} -> ${target}`);
      else if (!done.has(target)) visit(target);
    }
    open.delete(file);
    done.add(file);
  };
  for (const file of Object.keys(graph).sort()) if (!done.has(file)) visit(file);
  return found;
}

/** Imports of a client library outside the folder that wraps it. */
function strayClients(graph: Imports): string[] {
  return pick(graph, (from, to) => to in CLIENTS && folderOf(from) !== CLIENTS[to]);
}

function pick(graph: Imports, isWrong: (from: string, to: string) => boolean): string[] {
  return Object.entries(graph).flatMap(([from, targets]) =>
    targets.filter((to) => isWrong(from, to)).map((to) => `${from} -> ${to}`),
  );
}

/** Nothing but what KNOWN has breaks a rule, and each entry does. */
function assertHolds(rule: (graph: Imports) => string[]): void {
  assert.deepEqual(rule(without(imports, KNOWN)), [], `${rule.name}: see LEVELS and CLIENTS`);
}

test("no circles, no upward import", () => {
  assertHolds(upwardImports);
  assertHolds(circles);
  const outdated = KNOWN.filter((one) => {
    const graph = without(
      imports,
      KNOWN.filter((other) => other !== one),
    );
    return [circles, upwardImports, strayClients].every((rule) => rule(graph).length === 0);
  });
  assert.deepEqual(outdated, [], "entries of KNOWN that break no rule any more: remove them");

  const wrong = { "archive/a.ts": ["packages/b.ts", "archive/c.ts"], "archive/c.ts": ["archive/a.ts"] };
  assert.deepEqual(circles(wrong), ["archive/c.ts -> archive/a.ts"]);
  assert.deepEqual(upwardImports(wrong), ["archive/a.ts -> packages/b.ts"]);
  assert.deepEqual(
    upwardImports({
      "commands/init.ts": ["commands/verify.ts", "job.ts"],
      "store/put.ts": ["postgres/rows.ts", "errors.ts"],
      "errors.ts": ["messages/run.ts", "output/log.ts"],
      "news/page.ts": ["errors.ts"],
    }),
    [
      "commands/init.ts -> commands/verify.ts",
      "store/put.ts -> postgres/rows.ts",
      "errors.ts -> output/log.ts",
      "news/page.ts -> errors.ts",
    ],
  );
});

test("no two files of one name", () => {
  const names = files.map((file) => basename(file));
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  assert.deepEqual([...twice], []);
});

test("only store/ imports nats, only postgres/ imports pg", () => {
  assertHolds(strayClients);
  assert.deepEqual(strayClients({ "store/put.ts": ["nats"], "packages/read.ts": ["pg", "nats"] }), [
    "packages/read.ts -> pg",
    "packages/read.ts -> nats",
  ]);
});

test("only main.ts touches the process itself", () => {
  const touching = files.filter((file) => {
    const text = readFileSync(join(SRC, file), "utf8");
    return file !== "main.ts" && /(?<![\w.])process\.(?:exit|exitCode|argv|env)\b/.test(text);
  });
  assert.deepEqual(touching, ["output/run-output.ts"]);
});
