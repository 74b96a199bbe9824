import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import { cellWidth, loadCells } from "../../src/output/terminal.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

before(loadCells);

/** Removes what differs from run to run: ports, versions, times, and the space that aligns them. */
const stable = (line: string) => line.replace(/\d+(?:\.\d+)*/g, "0").replace(/ +/g, " ");

describe("npm run demo", () => {
  for (const [readme, LANG] of [
    ["README.md", "en_US.UTF-8"],
    ["README.zh-CN.md", "zh_CN.UTF-8"],
  ] as const) {
    test(`each step fits a screen of 24 lines and 80 columns, and ${readme} shows the first run`, async () => {
      const { PATH = "", HOME = "", NATS_SERVER_BIN } = process.env;
      const { stdout } = await run(process.execPath, [join(root, "test/demo.ts")], {
        env: { PATH, HOME, LANG, ...(NATS_SERVER_BIN && { NATS_SERVER_BIN }) },
      });
      for (const line of stdout.split("\n")) assert.ok(cellWidth(line) <= 80, line);
      const steps = stdout.trim().split("\n\n");
      assert.equal(steps.length, 5, stdout);
      for (const step of steps) assert.ok(step.split("\n").length <= 24, step);

      const [, sample = ""] = readFileSync(join(root, readme), "utf8").split("```console\n");
      const shown = sample.slice(0, sample.indexOf("\n```")).split("\n");
      assert.ok(shown.length > 10, `${readme} has no output of the demo`);
      const printed = new Set(stdout.split("\n").map(stable));
      for (const line of shown) assert.ok(printed.has(stable(line)), `${readme}: ${line}\n${stdout}`);
    });
  }
});
