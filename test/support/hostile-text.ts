import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

/** What no output may hold as it is, besides its own line feeds; colours go to a terminal alone. */
export const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** One text for each thing that a name can do to a screen or a log. */
export const HOSTILE: readonly string[] = [
  "\u001b[2J\u001b[31mred",
  "\u001b]0;title\u0007",
  "\r12:00:00 +08 INFO  forged",
  "x\n12:00:00 +08 INFO  init succeeded",
  'x\n{"level":"info","event":"run.done"}',
  "\u009b2Jc1",
  "\u0085next line",
  "\u202egpj.exe",
  "\u2066isolate\u2069",
  "\u200bzero\ufeffwidth\u200d",
  "\u2028line\u2029paragraph",
  "half \ud83d of a pair",
  "tab\tback\bspace\u0000nul\u007fdelete",
  "\u{e0041}\u{e007f}tags",
];

/** No byte stream of a run holds what nobody sees; nor does its report, at the path. */
export function assertClean(
  { code, stdout, stderr }: { code: number | null; stdout: string; stderr: string },
  reportFile?: string,
): void {
  assert.notEqual(code, 70, `${stdout.slice(-2000)}${stderr.slice(-2000)}`);
  const report = reportFile && existsSync(reportFile) ? readFileSync(reportFile, "utf8") : "";
  for (const [name, text] of Object.entries({ stdout, stderr, report })) {
    const rest = text.replaceAll("\n", "");
    const at = rest.search(HIDDEN);
    if (at >= 0) assert.fail(`${name} holds ${JSON.stringify(rest.slice(Math.max(0, at - 80), at + 20))}`);
  }
}
