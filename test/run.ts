import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

/**
 * Runs suites one after another: `node test/run.ts [--only NAME] [--rounds N] [--seed S] SUITE... [FILE...]`.
 * SUITE is unit, integration or faults; FILE is a test file's name or a part of it. Without --rounds the
 * fault suite has its short form. The seed is printed; the same one makes the same faults.
 */
const SUITES = ["unit", "integration", "faults"];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
});
const rounds = Number(values.rounds ?? 0);
if (!Number.isInteger(rounds) || rounds < 0) throw new Error("--rounds should be a whole number");
const seed = values.seed ?? (rounds > 0 ? String(Date.now() % 1_000_000) : "1");
const parts = positionals.filter((name) => !SUITES.includes(name));

const PROCESSORS = Math.min(4, availableParallelism());

for (const suite of SUITES.filter((name) => positionals.includes(name))) {
  if (suite === "faults") console.log(`fault suite: rounds ${rounds || "(short form)"}, seed ${seed}`);
  process.exitCode = await run(suite);
  if (suite === "faults") {
    console.log(`fault suite: to repeat: npm run test:faults -- --rounds ${rounds} --seed ${seed}`);
  }
  // A mistake that the unit tests see is reported now, not after the slower suites.
  if (process.exitCode !== 0) break;
}

async function run(suite: string): Promise<number> {
  const files = globSync(join(import.meta.dirname, suite, "*.test.ts"))
    .filter((path) => parts.length === 0 || parts.some((part) => basename(path).includes(part)))
    .sort();
  if (files.length === 0) throw new Error(`no test file of ${suite} is named like ${parts.join(", ")}`);
  if (suite === "unit") {
    // Half of a unit test file's time would be the start of its process: a few processes share the files.
    const shares = Map.groupBy(files, (path) => files.indexOf(path) % PROCESSORS).values();
    const codes = Array.from(shares, (share, index) => start(["--test-isolation=none", ...share], index > 0));
    return Math.max(...(await Promise.all(codes)));
  }
  // Twice as many files as processors: half of a test's time is waiting, for a server or for a file to keep
  // still.
  const servers = join(import.meta.dirname, "support/servers.ts");
  return start([`--test-concurrency=${2 * PROCESSORS}`, `--test-global-setup=${servers}`, ...files], false);
}

/** Runs node's test runner and returns its exit code. `later`: its output appears when it has ended. */
async function start(args: readonly string[], later: boolean): Promise<number> {
  const only = values.only === undefined ? [] : [`--test-name-pattern=${values.only}`];
  const child = spawn(process.execPath, ["--expose-gc", "--test", ...only, ...args], {
    stdio: ["inherit", later ? "pipe" : "inherit", "inherit"],
    env: {
      // Every test file and every job that it starts load the same code.
      NODE_COMPILE_CACHE: join(import.meta.dirname, "../node_modules/.cache/bklite-tests"),
      ...process.env,
      FAULT_ROUNDS: String(rounds),
      FAULT_SEED: seed,
    },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  const output: Buffer[] = [];
  child.stdout?.on("data", (piece: Buffer) => output.push(piece));
  const [code] = (await once(child, "close")) as [number | null];
  process.stdout.write(Buffer.concat(output));
  return code ?? 1;
}
