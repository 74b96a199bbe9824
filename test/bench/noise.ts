import { findNats } from "../support/majors.ts";
import { compete, type Options, peer } from "./contest.ts";
import { measure, runs } from "./measure.ts";
import type { Findings, Goal, Table } from "./report.ts";
import { init, makeNoise, type ServerOptions, Stage, unchangedInit } from "./stage.ts";

const MIB = 1024 * 1024;
const NOISE = "512 MiB of noise";
const PUBLISH = "raw publish";
const NATSCLI = "natscli's put";
const SUM = "sha256sum";

/**
 * Measures the upload of an archive that cannot be compressed: on each nats-server, with its store on a disk,
 * and on a cluster of three with as many replicas.
 */
export async function benchNoise(options: Options, disk: string): Promise<Findings> {
  const programs = options.servers ?? (await findNats()).map(({ program }) => program);
  const kinds: { kind: string; server: ServerOptions }[] = [
    ...programs.map((program) => ({ kind: "", server: { program } })),
    { kind: ", store on disk", server: { storeDir: disk } },
    { kind: ", cluster of three, three replicas", server: { nodes: 3 } },
  ];
  const natscli = await runs("nats", "--version");
  const volume = await makeNoise(512 * MIB);
  const tables: Table[] = [];
  const goals: Goal[] = [];
  const data: unknown[] = [];
  try {
    for (const { kind, server } of kinds) {
      await Stage.on(server, async (stage) => {
        const where = `nats-server ${stage.version}${kind}`;
        options.log(`  ${where}`);
        const env = { COLLECTOR_PACKAGES: "shared" };
        const results = await compete(options, [
          stage.init(NOISE, { volume, env }),
          peer(PUBLISH, () => stage.publish(volume.file)),
          peer(SUM, () => measure({ program: "sha256sum", args: [volume.file] })),
          ...(natscli ? [peer(NATSCLI, () => stage.natscli(volume.file))] : []),
        ]);
        const time = (row: string) => results.time(row);
        const goal = (name: string, limit: number, row: string): Goal => ({
          name: `${row}, ${where}: ${name}`,
          limit,
          value: time(row),
          unit: "s",
        });
        tables.push(results.table(`${NOISE}, ${where}`));
        goals.push(
          goal("1.1 × natscli + 0.5 s", 1.1 * time(NATSCLI) + 0.5, init(NOISE)),
          goal("0.9 × sha256sum + 0.2 s", 0.9 * time(SUM) + 0.2, unchangedInit(NOISE)),
          { name: `${where}: peak memory`, limit: 128 * MIB, value: results.peak("**init**"), unit: "MiB" },
        );
        data.push({ where, results: results.data() });
      });
    }
  } finally {
    volume.folder.remove();
  }
  return { tables, goals, data };
}
