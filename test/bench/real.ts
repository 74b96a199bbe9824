import { findPeers, natscliPut, type Peer, rawPublish } from "./peers.ts";
import { makeRealArchives, type RealArchives } from "./programs.ts";
import { atMost, type Bar, type Findings, mebibytes, seconds, times } from "./report.ts";
import { initTwice, Rounds } from "./rounds.ts";
import type { Stage, Volume } from "./stage.ts";

const MIB = 1024 * 1024;

/**
 * Our runs: each format, what becomes of its collectors, and whether a tar.gz is made a zip, which costs more
 * than everything else.
 */
const CASES = [
  { format: "zip", collectors: "shared", repack: "auto" },
  { format: "targz", collectors: "shared", repack: "auto" },
  { format: "zip", collectors: "standalone", repack: "auto" },
  { format: "targz", collectors: "standalone", repack: "auto" },
  { format: "targz", collectors: "standalone", repack: "never" },
] as const;
type Case = (typeof CASES)[number];

const FILE = { zip: "zip", targz: "tar.gz" } as const;
const words = ({ format, collectors, repack }: Case) =>
  `${FILE[format]}, ${collectors}${format === "zip" ? "" : repack === "auto" ? ", repacked" : ", not repacked"}`;
const first = (one: Case) => `**init**, ${words(one)}`;
const unchanged = (one: Case) => `${first(one)}: nothing changed`;

const REBUILT = "**init**, zip, shared: the same entries in another packaging";
const PUBLISH = "raw publish of the zip";
const PUBLISH_ALL = "raw publish of all that stand-alone stores";
const INFLATE = "all entries inflated on all cores (yauzl)";
const NATSCLI = "natscli's put of the zip";
const PIGZ = "pigz -6 of the tar";
const GUNZIP = { gzip: "gzip -dc of the tar.gz", pigz: "pigz -dc of the tar.gz" } as const;
const SUM = { zip: "sha256sum of the zip", targz: "sha256sum of the tar.gz" } as const;

/**
 * How fast archives of real programs get into the bucket, in every form, beside what any part of the work
 * costs others.
 */
export async function benchReal(stage: Stage): Promise<Findings> {
  stage.options.log("real: making archives …");
  const archives = await makeRealArchives();
  const peers = await findPeers();
  const rounds = new Rounds(stage.options.log);
  try {
    for (let round = 0; round < stage.options.rounds; round++) {
      for (const one of CASES) {
        const env = { COLLECTOR_PACKAGES: one.collectors, REPACK: one.repack };
        const rebuilt = one === CASES[0] ? archives.rebuilt : undefined;
        const runs = await initTwice(stage, archives[one.format], env, rebuilt);
        rounds.add(first(one), runs.first);
        rounds.add(unchanged(one), runs.unchanged);
        if (runs.rebuilt) rounds.add(REBUILT, runs.rebuilt);
      }
      await runPeers(stage, archives, peers, rounds);
    }
    const title = `Real archives: ${archives.count} programs of ${mebibytes(archives.sizes.unpacked)}, zip ${mebibytes(archives.zip.bytes)}, tar.gz ${mebibytes(archives.targz.bytes)}`;
    const note = `nats-server ${stage.nats.version}. Inside: ${archives.programs}. Peers: ${["raw publish", "yauzl", ...peers].join(", ")}. The rate is by the archive's bytes; for pigz by the tar's, and for all that stand-alone stores (${mebibytes(archives.sizes.everything)}) by those.`;
    const head = ["what", "time: median (min … max)", "rate", "peak memory"];
    const rows = rounds.rows((who) => bytesOf(who, archives));
    return {
      tables: [{ title, head, rows, note }],
      bars: bars(rounds),
      data: { ...archives.sizes, rounds: rounds.data() },
    };
  } finally {
    archives.remove();
  }
}

function bytesOf(who: string, { zip, targz, sizes }: RealArchives): number {
  if (who === PIGZ) return sizes.unpacked;
  if (who === PUBLISH_ALL) return sizes.everything;
  return who.includes("tar.gz") ? targz.bytes : zip.bytes;
}

async function runPeers(
  stage: Stage,
  archives: RealArchives,
  peers: ReadonlySet<Peer>,
  rounds: Rounds,
): Promise<void> {
  const fileOf = (volume: Volume) => volume.files[0] ?? "";
  const zip = fileOf(archives.zip);
  const targz = fileOf(archives.targz);
  rounds.add(PUBLISH, await rawPublish(stage, zip));
  rounds.add(INFLATE, await stage.rival("inflate", zip));
  rounds.add(PUBLISH_ALL, await rawPublish(stage, archives.everything));
  if (peers.has("nats")) rounds.add(NATSCLI, await natscliPut(stage, zip));
  if (peers.has("unzip")) rounds.add("unzip -t, for comparison", await stage.program("unzip", ["-tqq", zip]));
  for (const name of ["gzip", "pigz"] as const) {
    if (peers.has(name)) rounds.add(GUNZIP[name], await stage.filter(name, ["-dc", targz]));
  }
  if (peers.has("pigz")) rounds.add(PIGZ, await stage.filter("pigz", ["-6", "-c", archives.tar]));
  if (!peers.has("sha256sum")) return;
  for (const format of ["zip", "targz"] as const) {
    rounds.add(SUM[format], await stage.program("sha256sum", archives[format].files));
  }
}

function bars(rounds: Rounds): Bar[] {
  const of = (who: string) => rounds.median(who);
  const ours = (format: Case["format"], collectors: Case["collectors"], repack: Case["repack"] = "auto") =>
    of(first({ format, collectors, repack } as Case));
  const zip = ours("zip", "shared");
  const all = Math.max(of(PUBLISH_ALL), of(INFLATE));
  // the faster of those that are here: whoever takes longer than that has a better way
  const gunzip = Math.min(...Object.values(GUNZIP).map(of).filter(Number.isFinite));
  const natscli = of(NATSCLI);
  const slower = Math.max(of(PUBLISH), of(INFLATE));
  return [
    atMost(
      "init of a real zip: to the slower of raw publish and inflating on all cores",
      zip / slower,
      1.3,
      times,
    ),
    atMost(
      `init of a real zip (1.25 × natscli's ${seconds(natscli)} + 0.15 s)`,
      zip,
      1.25 * natscli + 0.15,
      seconds,
    ),
    atMost(
      "stand-alone from a zip: to the slower of raw publish of the same bytes and inflating",
      ours("zip", "standalone") / all,
      1.5,
      times,
    ),
    ...(
      [
        ["", ours("targz", "standalone")],
        [", not repacked", ours("targz", "standalone", "never")],
      ] as const
    ).map(([how, time]) =>
      atMost(`stand-alone from a tar.gz${how}: to one gunzip and that`, time / (gunzip + all), 1.3, times),
    ),
    atMost("repacking a tar.gz: to pigz -6 of the tar", ours("targz", "shared") / of(PIGZ), 1.2, times),
    ...CASES.map((one) => {
      // a tar.gz is read to the end of its entries each time
      const isZip = one.format === "zip";
      const least = isZip ? of(SUM.zip) : of(GUNZIP.gzip);
      const what = `unchanged run, ${words(one)} (1.3 × ${isZip ? "sha256sum" : "gzip -dc"}'s ${seconds(least)} + 0.3 s)`;
      return atMost(what, of(unchanged(one)), 1.3 * least + 0.3, seconds);
    }),
    atMost(
      "real archives: peak memory",
      rounds.peak(...CASES.flatMap((one) => [first(one), unchanged(one)])),
      128 * MIB,
      mebibytes,
    ),
  ];
}
