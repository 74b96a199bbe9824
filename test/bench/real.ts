import { statSync } from "node:fs";
import { type Contender, compete, type Options, peer } from "./contest.ts";
import { overLines } from "./line.ts";
import { measure, runs } from "./measure.ts";
import { makeRealArchives, type RealArchives } from "./programs.ts";
import type { Findings, Goal } from "./report.ts";
import { fileOf, init, rival, Stage, unchangedInit } from "./stage.ts";

const MIB = 1024 * 1024;

/** The forms in which an archive is stored: its format, what becomes of its collectors, REPACK. */
const ZIP = "zip";
const TARGZ = "tar.gz, repacked";
const ZIP_ALONE = "zip, stand-alone";
const TARGZ_ALONE = "tar.gz, stand-alone, repacked";
const NEVER = "tar.gz, stand-alone, not repacked";

const PUBLISH = "raw publish of the zip";
const PUBLISH_ALL = "raw publish of all that stand-alone stores";
const INFLATE = "all entries inflated on all cores (yauzl)";
const NATSCLI = "natscli's put of the zip";
const GUNZIP = ["gzip -dc of the tar.gz", "pigz -dc of the tar.gz"] as const;
const PIGZ = "pigz -6 of the tar";
const SUM = "sha256sum of the zip";
const SUM_TARGZ = "sha256sum of the tar.gz";

/**
 * Measures how fast archives of real programs are stored: in each form, over slow connections, and from a
 * slow volume; beside it what each part of the work costs other programs.
 */
export async function benchReal(options: Options): Promise<Findings> {
  options.log("  making archives");
  const archives = await makeRealArchives();
  try {
    return await Stage.on({}, async (stage) => {
      const results = await compete(options, [...ours(stage, archives), ...(await others(stage, archives))]);
      const time = (row: string) => results.time(row);
      const inflate = time(INFLATE);
      const all = time(PUBLISH_ALL);
      const gunzip = Math.min(...GUNZIP.map(time).filter(Number.isFinite));
      const goal = (name: string, limit: number, row: string): Goal => ({
        name: `${row}: ${name}`,
        limit,
        value: time(row),
        unit: "s",
      });
      const lines = await overLines(stage, options, archives.zip);
      return {
        tables: [results.table("Real programs", `${archives.description}.`), ...lines.tables],
        goals: [
          goal("1.1 × (natscli + inflating) + 0.45 s", 1.1 * (time(NATSCLI) + inflate) + 0.45, init(ZIP)),
          goal("raw publish + inflating", all + inflate, init(ZIP_ALONE)),
          goal("1.3 × (two gunzips + raw publish)", 1.3 * (2 * gunzip + all), init(NEVER)),
          goal("pigz -6", time(PIGZ), init(TARGZ)),
          goal("0.9 × sha256sum + 0.2 s", 0.9 * time(SUM) + 0.2, unchangedInit(ZIP)),
          goal("0.9 × sha256sum + 0.2 s", 0.9 * time(SUM_TARGZ) + 0.2, unchangedInit(TARGZ)),
          ...lines.goals,
          {
            name: "real programs: peak memory",
            limit: 128 * MIB,
            value: results.peak("**init**"),
            unit: "MiB",
          },
        ],
        data: { description: archives.description, results: results.data(), lines: lines.data },
      };
    });
  } finally {
    archives.remove();
  }
}

function ours(stage: Stage, { zip, targz, rebuilt }: RealArchives): Contender[] {
  const shared = { COLLECTOR_PACKAGES: "shared" };
  const alone = { COLLECTOR_PACKAGES: "standalone" };
  return [
    stage.init(ZIP, { volume: zip, env: shared, rebuilt }),
    stage.init(TARGZ, { volume: targz, env: shared }),
    stage.init(ZIP_ALONE, { volume: zip, env: alone }),
    stage.init(TARGZ_ALONE, { volume: targz, env: alone }),
    stage.init(NEVER, { volume: targz, env: { ...alone, REPACK: "never" } }),
    ...[50, 200].map((speed) =>
      stage.init(
        `zip, from a volume of ${speed} MB/s (${(statSync(zip.file).size / speed / 1e6).toFixed(2)} s to read once)`,
        {
          volume: zip,
          env: { ...shared, VOLUME_SPEED: String(speed * 1e6) },
          flags: ["--import", fileOf("slow-volume.ts")],
        },
      ),
    ),
  ];
}

async function others(stage: Stage, archives: RealArchives): Promise<Contender[]> {
  const { zip, targz, tar, everything } = archives;
  const tool = (program: string, args: readonly string[], row: string) =>
    peer(row, () => measure({ program, args, discard: true }));
  const [nats, pigz] = await Promise.all([runs("nats", "--version"), runs("pigz", "--version")]);
  return [
    peer(PUBLISH, () => stage.publish(zip.file)),
    peer(PUBLISH_ALL, () => stage.publish(everything)),
    peer(INFLATE, () => rival("inflate", zip.file)),
    tool("gzip", ["-dc", targz.file], GUNZIP[0]),
    tool("sha256sum", [zip.file], SUM),
    tool("sha256sum", [targz.file], SUM_TARGZ),
    ...(nats ? [peer(NATSCLI, () => stage.natscli(zip.file))] : []),
    ...(pigz ? [tool("pigz", ["-dc", targz.file], GUNZIP[1]), tool("pigz", ["-6", "-c", tar], PIGZ)] : []),
  ];
}
