import { statfsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { tempDir } from "../support/guard.ts";
import { ENTRY } from "../support/run.ts";
import type { Options } from "./contest.ts";
import { benchNoise } from "./noise.ts";
import { benchReal } from "./real.ts";
import { describeMachine, type Findings, goalTable, machineLine, markdown } from "./report.ts";
import { benchCrowd, benchScan, benchStart } from "./small.ts";

const HELP = `npm run bench -- [options]
  --parts LIST      of start,scan,crowd,real,noise; default: all, about fifteen minutes
  --rounds N        default 3
  --servers LIST    nats-server programs for the part noise; default: the one that the
                    tests use, and those that \`npm run servers\` has fetched
  --entry FILE      the bundle that is measured, default dist/main.js
  --against FILE    another bundle (with its parts beside it), in alternation with it, row by row
  --out FILE        the JSON file, default dist/bench.json
natscli (nats) and pigz are measured if they are on the PATH.
`;

/** `disk`: a folder for the server's store that is not in memory. */
const PARTS: Record<string, (options: Options, disk: string) => Promise<Findings>> = {
  start: benchStart,
  scan: benchScan,
  crowd: benchCrowd,
  real: benchReal,
  noise: benchNoise,
};

const { values } = parseArgs({
  options: {
    parts: { type: "string", default: Object.keys(PARTS).join(",") },
    rounds: { type: "string", default: "3" },
    servers: { type: "string" },
    entry: { type: "string", default: ENTRY },
    against: { type: "string" },
    out: { type: "string", default: "dist/bench.json" },
    help: { type: "boolean", short: "h", default: false },
  },
});

/** Where memory is a file system, on Linux; a disk would measure itself. */
const MEMORY = "/dev/shm";

async function bench(): Promise<void> {
  const { entry, against, servers } = values;
  const log = (line: string) => void process.stderr.write(`${line}\n`);
  const options = { entry, against, rounds: Number(values.rounds), servers: servers?.split(","), log };
  const disk = tempDir("bench-store");
  const { bavail, bsize } = statfsSync(MEMORY);
  if (bavail * bsize > 4e9) process.env.TMPDIR = MEMORY;
  const machine = await describeMachine();
  const findings = new Map<string, Findings>();
  for (const name of values.parts.split(",")) {
    const part = PARTS[name];
    if (!part) throw new Error(`there is no part "${name}"\n${HELP}`);
    log(`${name} …`);
    findings.set(name, await part(options, disk.path));
  }
  disk.remove();
  const all = [...findings.values()];
  const goals = goalTable(all.flatMap((found) => found.goals));
  const tables = [goals, ...all.flatMap((found) => found.tables)].map(markdown);
  process.stdout.write(`${machineLine(machine)}\n\n${tables.join("\n")}`);
  const data = Object.fromEntries([...findings].map(([name, found]) => [name, found.data]));
  writeFileSync(values.out, `${JSON.stringify({ schema: 2, machine, goals, ...data }, null, 2)}\n`);
}

if (values.help) process.stdout.write(HELP);
else await bench();
