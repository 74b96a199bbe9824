import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

/**
 * Runs the fault suite: `node test/faults/run.ts [--rounds N] [--seed S] [FILE...]`. Without --rounds the short form, which is a part of
 * `npm test`. FILE is a test file's name or a part of it. The seed is printed; the same one makes the same faults.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
});
const rounds = Number(values.rounds ?? 0);
if (!Number.isInteger(rounds) || rounds < 0) throw new Error("--rounds should be a whole number");
const seed = values.seed ?? (rounds > 0 ? String(Date.now() % 1_000_000) : "1");

const files = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith(".test.ts"))
  .filter((name) => positionals.length === 0 || positionals.some((part) => basename(name).includes(part)))
  .sort();
if (files.length === 0) throw new Error(`no test file is named like ${positionals.join(", ")}`);

console.log(`fault suite: rounds ${rounds || "(short form)"}, seed ${seed}`);
const only = values.only === undefined ? [] : [`--test-name-pattern=${values.only}`];
const { status } = spawnSync(
  process.execPath,
  [
    "--expose-gc",
    "--test",
    "--test-concurrency=2",
    ...only,
    ...files.map((name) => join(import.meta.dirname, name)),
  ],
  { stdio: "inherit", env: { ...process.env, FAULT_ROUNDS: String(rounds), FAULT_SEED: seed } },
);
console.log(`fault suite: to repeat: npm run test:faults -- --rounds ${rounds} --seed ${seed}`);
process.exitCode = status ?? 1;
