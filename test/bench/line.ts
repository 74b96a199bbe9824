import { fork } from "node:child_process";
import { once } from "node:events";
import { compete, type Options, peer } from "./contest.ts";
import { runs } from "./measure.ts";
import type { Findings } from "./report.ts";
import { fileOf, init, type Stage, type Volume } from "./stage.ts";

/** Lines that users have, between the job and NATS. */
const LINES = [1000, 200].flatMap((mbit) => [1, 20].map((roundTrip) => ({ mbit, roundTrip })));

/** Measures `init` beside natscli over slow lines. */
export async function overLines(stage: Stage, options: Options, volume: Volume): Promise<Findings> {
  const natscli = await runs("nats", "--version");
  const port = new URL(stage.url).port;
  const relay = fork(fileOf("relay.ts"), [port]);
  try {
    await once(relay, "message");
    const found: { name: string; put: string; results: Awaited<ReturnType<typeof compete>> }[] = [];
    for (const line of LINES) {
      relay.send(line);
      const [at] = await once(relay, "message");
      const url = `nats://127.0.0.1:${at}`;
      const name = `zip over ${line.mbit} Mbit/s, ${line.roundTrip} ms`;
      const put = `natscli's put over ${line.mbit} Mbit/s, ${line.roundTrip} ms`;
      const env = { COLLECTOR_PACKAGES: "shared", NATS_SERVERS: url };
      const contenders = [
        stage.init(name, { volume, env }),
        ...(natscli ? [peer(put, () => stage.natscli(volume.file, url))] : []),
      ];
      found.push({ name, put, results: await compete(options, contenders) });
    }
    return {
      tables: found.map(({ name, results }) => results.table(name)),
      goals: found.map(({ name, put, results }) => ({
        name: `${init(name)}: 1.05 × natscli's put`,
        limit: 1.05 * results.time(put),
        value: results.time(init(name)),
        unit: "s",
      })),
      data: found.map(({ name, results }) => ({ name, results: results.data() })),
    };
  } finally {
    relay.kill();
  }
}
