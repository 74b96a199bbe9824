/**
 * npm run lint
 * Checks what a machine can check of how the project writes: comments stay within 110 columns, English text
 * has none of the words below, and Chinese text has full-width punctuation and the operators' own terms.
 * Prints each violation, and exits 1 if there is one.
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

const COLUMNS = 110;
/** Folders and files whose comments are checked for their width. */
const COMMENTS = /^(?:src|test|tools)\/.*\.ts$/;
/** Folders and files whose English is checked. */
const ENGLISH = /^(?:src\/.*\.ts|docs\/[^/]*\.md|(?:CHANGELOG|CONTRIBUTING|README|RELEASING|SECURITY)\.md)$/;
/** Folders and files whose Chinese is checked. */
const CHINESE = /^(?:src\/.*\.ts|docs\/zh-CN\/.*\.md|README\.zh-CN\.md)$/;

/** Violations that stay, as `path: text`, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "src/volume/name.ts: 贝)": "a regular expression",
};

/** `take` in the sense of accept; the uses after it are those of duration and possession. */
const TAKES =
  /\btakes\b(?! (?:\d|up to|at most|about|some|the lock|the bucket's advisory lock|over|longer|too long|place|part|effect|precedence|minutes|seconds|time|as long|turns|most|half|less|no time))/i;

/** What is not written, and what is written instead. */
const WORDS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bma(?:de|kes?|king) good\b/i, "repairs"],
  [/\bt(?:old|ells?|elling) apart\b/i, "distinguished"],
  [/\bby hand\b/i, "explicitly, manually"],
  [/\ball the same\b/i, "anyway"],
  [/\bin vain\b/i, "without success"],
  [/\bany more\b/i, "no longer"],
  [/\bsomebody\b/i, "another process, a user"],
  [/\bmend(?:s|ed|ing)?\b/i, "fix"],
  [/\bat once\b/i, "immediately, together"],
  [/\bin turn\b/i, "one at a time"],
  [/\banew\b/i, "again"],
  [/\bheard of\b/i, "is reported"],
  [TAKES, "accepts, needs"],
  [/\bholes?\b/i, "gap, vulnerability"],
  [/\brooms?\b/i, "space, folder"],
  [/\bhouses?\b/i, "project, folder"],
  [/\bwalk(?:s|ed|ing)?\b/i, "read, traverse"],
  [/\b(?:slow|long|short|lost|dead|idle) lines?\b|\blines? that forgets?\b/i, "connection"],
];
const TERMS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/安装包/, "探针包"],
  [/警告/, "告警"],
  [/证实/, "确认、校验"],
  [/[\p{Script=Han}，。；：？！（）“”、][,;:?!()](?![\w/])|[,;?!()][\p{Script=Han}]/u, "全角标点"],
];

function tracked(): string[] {
  return execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).split("\n").filter(Boolean);
}

/** Removes what is no prose: Markdown's code and links. */
function prose(path: string, line: string): string {
  return path.endsWith(".md") ? line.replace(/`[^`]*`/g, "`").replace(/\]\([^)]*\)/g, "]") : line;
}

/** Returns the violations of one file, as `path:line: text: what is wrong`. */
function check(path: string): string[] {
  const found: string[] = [];
  let fenced = false;
  for (const [index, line] of readFileSync(join(root, path), "utf8").split("\n").entries()) {
    const add = (text: string, wrong: string) => {
      if (EXCEPTIONS[`${path}: ${text}`] === undefined) found.push(`${path}:${index + 1}: ${text}: ${wrong}`);
    };
    if (/^\s*```/.test(line)) fenced = !fenced;
    if (fenced && path.endsWith(".md")) continue;
    const isComment = /^\s*(?:\/\/|\/?\*)/.test(line);
    if (COMMENTS.test(path) && isComment && line.length > COLUMNS)
      add(`${line.length} columns`, `at most ${COLUMNS}`);
    const text = prose(path, line);
    const patterns = [
      ...(ENGLISH.test(path) ? WORDS : []),
      ...(CHINESE.test(path) && /\p{Script=Han}/u.test(text) ? TERMS : []),
    ];
    for (const [pattern, instead] of patterns) {
      const [word] = pattern.exec(text) ?? [];
      if (word !== undefined) add(word, `write ${instead}`);
    }
  }
  return found;
}

const violations = tracked()
  .filter((path) => [COMMENTS, ENGLISH, CHINESE].some((files) => files.test(path)))
  .flatMap(check);
for (const violation of violations) console.error(violation);
if (violations.length > 0) console.error(`${violations.length} violations`);
process.exitCode = violations.length > 0 ? 1 : 0;
