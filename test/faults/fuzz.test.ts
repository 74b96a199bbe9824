import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { buildArchive } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { rounds } from "../support/rounds.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
/** 10,000 with `--rounds 50`. */
const ROUNDS = rounds(2) * 200;

describe("mutants of a valid archive", { concurrency: 2 }, () => {
  for (const ending of ["zip", "tar.gz"] as const) {
    test(`${ROUNDS} of a ${ending}: no crash, no hang, no success on damage`, async (t) => {
      const folder = tempDir("fuzz");
      t.after(() => folder.remove());
      const path = join(folder.path, `original.${ending}`);
      await buildArchive(path, { collectors: ["telegraf", "filebeat/filebeat"], version: "1.2.3" });
      const child = join(import.meta.dirname, "fuzz-child.ts");
      const copy = join(folder.path, `fusion-collectors-mutant.${ending}`);
      const { stdout, stderr } = await run(
        process.execPath,
        ["--expose-gc", child, path, copy, String(ROUNDS)],
        {
          timeout: 120_000 + ROUNDS * 200,
          maxBuffer: 64 * MIB,
        },
      );
      const { accepted, refused, findings, maxRss } = JSON.parse(stdout) as Record<string, number> & {
        findings: unknown[];
      };
      assert.deepEqual(findings, []);
      assert.equal(stderr, "");
      t.diagnostic(`${accepted} accepted, ${refused} refused, ${Math.round((maxRss ?? 0) / MIB)} MiB`);
      assert.ok((refused ?? 0) > ROUNDS / 2, "these mutations do no harm");
      assert.ok((maxRss ?? 0) < 256 * MIB, `${maxRss} bytes`);
    });
  }
});
