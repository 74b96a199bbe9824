import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { tempDir } from "../support/guard.ts";
import { ENTRY } from "../support/run.ts";
import { benchGrowth } from "./growth.ts";
import { describeMachine, machineLine } from "./machine.ts";
import { benchReaders } from "./readers.ts";
import { benchReal } from "./real.ts";
import { barTable, type Findings, markdown } from "./report.ts";
import { benchScan } from "./scan.ts";
import { benchServers } from "./servers.ts";
import { type Options, quickFolder, Stage } from "./stage.ts";
import { benchStart } from "./start.ts";
import { benchUpload } from "./upload.ts";
import { benchWindow } from "./window.ts";

const MIB = 1024 * 1024;
const HELP = `npm run bench -- [options]
  --quick           about two minutes instead of fifteen: 32 and 512 MiB, two rounds
  --parts LIST      of start,scan,upload,disk,real,servers,growth,window,readers (default: all; quick: start,scan,upload)
  --rounds N        default 3; quick: 2
  --sizes LIST      MiB of the archives, default 32,512,2048; quick: 32,512
  --servers LIST    nats-server programs for the part servers; default: the one that the
                    tests use, and those that \`npm run servers\` has fetched
  --entry FILE      the bundle that is measured, default dist/main.js
  --out FILE        the JSON file, default dist/bench.json
`;

/** Each part on servers of its own: `memory` beside the archives, `disk` in the usual temporary folder. */
const PARTS: Record<string, { store: "memory" | "disk"; run: (stage: Stage) => Promise<Findings> }> = {
  start: { store: "memory", run: benchStart },
  scan: { store: "memory", run: benchScan },
  upload: { store: "memory", run: (stage) => benchUpload(stage) },
  disk: { store: "disk", run: (stage) => benchUpload(stage, ["init", "publish", "library"]) },
  real: { store: "memory", run: benchReal },
  servers: { store: "memory", run: benchServers },
  growth: { store: "memory", run: benchGrowth },
  window: { store: "memory", run: benchWindow },
  readers: { store: "memory", run: benchReaders },
};

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    parts: { type: "string" },
    rounds: { type: "string" },
    sizes: { type: "string" },
    servers: { type: "string" },
    entry: { type: "string", default: ENTRY },
    out: { type: "string", default: "dist/bench.json" },
    help: { type: "boolean", short: "h", default: false },
  },
});

async function bench(): Promise<void> {
  const { quick } = values;
  const parts = (values.parts ?? (quick ? "start,scan,upload" : Object.keys(PARTS).join(","))).split(",");
  const unknown = parts.find((name) => !PARTS[name]);
  if (unknown !== undefined) throw new Error(`there is no part "${unknown}"\n${HELP}`);
  const sizes = (values.sizes ?? (quick ? "32,512" : "32,512,2048"))
    .split(",")
    .map((size) => Number(size) * MIB);
  const options: Options = {
    entry: values.entry,
    rounds: Number(values.rounds ?? (quick ? 2 : 3)),
    sizes,
    servers: values.servers?.split(","),
    log: (line) => process.stderr.write(`${line}\n`),
  };
  const disk = tmpdir();
  // archive, its object, and what a deleted stream may still hold
  process.env.TMPDIR = quickFolder(4 * Math.max(...sizes));
  const findings = new Map<string, Findings>();
  let machine: ReturnType<typeof describeMachine> | undefined;
  for (const name of parts) {
    options.log(`${name} …`);
    const part = PARTS[name];
    if (part) {
      const found = await onStage(options, part.store === "disk" ? disk : undefined, async (stage) => {
        const [version] = await stage.postgres.admin.query<{ server_version: string }>("SHOW server_version");
        machine ??= describeMachine(stage.nats.version, version?.server_version ?? "");
        return part.run(stage);
      });
      findings.set(name, found);
    }
  }
  if (machine) print(machine, findings);
}

async function onStage<T>(
  options: Options,
  disk: string | undefined,
  run: (stage: Stage) => Promise<T>,
): Promise<T> {
  const memory = process.env.TMPDIR;
  if (disk !== undefined) process.env.TMPDIR = disk;
  const store = tempDir("bench-store");
  process.env.TMPDIR = memory;
  const stage = await Stage.open(disk === undefined ? options : { ...options, sizes: [512 * MIB] }, {
    storeDir: store.path,
  });
  try {
    return await run(stage);
  } finally {
    await stage.close();
    store.remove();
  }
}

function print(machine: ReturnType<typeof describeMachine>, findings: ReadonlyMap<string, Findings>): void {
  const bars = [...findings.values()].flatMap((found) => found.bars);
  const tables = [...findings].flatMap(([name, found]) =>
    found.tables.map((table) =>
      name === "disk" ? { ...table, title: `${table.title}, the store on disk` } : table,
    ),
  );
  const text = [barTable(bars), ...tables].map(markdown).join("\n");
  process.stdout.write(`${machineLine(machine)}\n\n${text}`);
  const data = Object.fromEntries([...findings].map(([name, found]) => [name, found.data]));
  writeFileSync(values.out, `${JSON.stringify({ schema: 1, machine, bars, ...data }, null, 2)}\n`);
}

if (values.help) process.stdout.write(HELP);
else await bench();
