import { findNats } from "../support/majors.ts";
import { findPeers, natscliPut, rawPublish } from "./peers.ts";
import { atMost, type Findings, mebibytes, range, seconds, times } from "./report.ts";
import { initTwice, Rounds } from "./rounds.ts";
import { makeVolume, Stage } from "./stage.ts";

const BYTES = 512 * 1024 * 1024;
const INIT = "init";
const PUBLISH = "raw publish";
const NATSCLI = "natscli's put";

/**
 * `init` of 512 MiB on each nats-server that is given, or that the tests and `npm run servers` have, beside
 * natscli and a raw publish on the same one.
 */
export async function benchServers({ options }: Stage): Promise<Findings> {
  const programs = options.servers ?? (await findNats()).map(({ program }) => program);
  const natscli = (await findPeers()).has("nats");
  const volume = await makeVolume(BYTES);
  const found: { version: string; rounds: Rounds }[] = [];
  try {
    for (const program of programs) {
      const stage = await Stage.open(options, { program });
      try {
        const { version } = stage.nats;
        const rounds = new Rounds((line) => options.log(`nats-server ${version}, ${line}`));
        const [file = ""] = volume.files;
        for (let round = 0; round < options.rounds; round++) {
          rounds.add(INIT, (await initTwice(stage, volume)).first);
          rounds.add(PUBLISH, await rawPublish(stage, file));
          if (natscli) rounds.add(NATSCLI, await natscliPut(stage, file));
        }
        found.push({ version, rounds });
      } finally {
        await stage.close();
      }
    }
  } finally {
    volume.folder.remove();
  }
  const ratio = (rounds: Rounds, to: string) => rounds.median(INIT) / rounds.median(to);
  const shown = (value: number) => (Number.isFinite(value) ? times(value) : "–");
  const rows = found.map(({ version, rounds }) => [
    version,
    ...[INIT, PUBLISH, NATSCLI].map((who) =>
      Number.isFinite(rounds.median(who)) ? range(rounds.time(who), seconds) : "–",
    ),
    shown(ratio(rounds, PUBLISH)),
    shown(ratio(rounds, NATSCLI)),
    mebibytes(rounds.peak(INIT)),
  ]);
  const head = [
    "nats-server",
    "**init**, first run",
    PUBLISH,
    NATSCLI,
    "to raw publish",
    "to natscli",
    "peak memory of init",
  ];
  return {
    tables: [{ title: "512 MiB of noise on each nats-server", head, rows }],
    bars: found.map(({ version, rounds }) =>
      atMost(
        `init of 512 MiB on nats-server ${version}: to natscli's put`,
        ratio(rounds, NATSCLI),
        1.1,
        times,
      ),
    ),
    data: found.map(({ version, rounds }) => ({ version, rounds: rounds.data() })),
  };
}
