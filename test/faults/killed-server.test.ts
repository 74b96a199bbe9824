import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Objects, openObjects } from "../support/objects.ts";
import { LONG, random, rounds } from "../support/rounds.ts";
import { explain, useOwnServers } from "../support/site.ts";
import { assertLockFree, assertRecovers, at, exits, type Moment, type Stage, useStages } from "./stage.ts";

const servers = useOwnServers();
const openStage = useStages(servers);
const BYTES = 4_500_000;

const nats = (text: string, nth = 1, when: Moment["when"] = "before"): Moment => ({
  line: "nats",
  text,
  nth,
  when,
});
const sql = (text: string): Moment => ({ line: "postgres", text, when: "before" });

/** Which server dies when; a Postgres that dies while NATS is busy must be noticed as well. */
const DEATHS = [
  ["NATS, before the first chunk", nats(".C.PKGINIT"), "nats"],
  ["NATS, in mid-upload", nats(".C.PKGINIT", 3), "nats"],
  ["NATS, with all chunks sent", nats("HPUB $O."), "nats"],
  ["NATS, with the metadata written", nats("HPUB $O.", 1, "after"), "nats"],
  ["Postgres, in mid-upload", nats(".C.PKGINIT", 3), "postgres"],
  ["Postgres, before the rows", sql("BEGIN"), "postgres"],
  ["Postgres, among the rows", sql("INSERT INTO"), "postgres"],
  ["Postgres, at the commit", sql("COMMIT"), "postgres"],
] as const;

/** The test's own client was cut off as well, and takes its time to come back. */
async function reopen(stage: Stage): Promise<void> {
  await stage.objects.close();
  stage.objects = await openObjects(servers.nats, stage.bucket);
  clients.push(stage.objects);
}
const clients: Objects[] = [];
after(() => Promise.all(clients.map((client) => client.close())));

for (const [name, moment, which] of LONG ? DEATHS : DEATHS.filter((_, index) => index % 2 === 1)) {
  test(`${name}: killed and started again, the run goes on by itself`, async () => {
    const stage = await openStage();
    const path = await stage.archive(undefined, { payloadBytes: BYTES });
    const running = stage.start();
    const died = Promise.withResolvers<void>();
    at(stage, moment, () => died.resolve(servers[which].kill()));
    await died.promise;
    await sleep(200);
    await servers[which].restart();
    const result = await running.done;
    if (which === "nats") await reopen(stage);
    exits(result, 0);
    assert.ok(
      result.events.some(({ event }) => event === "run.retry"),
      explain(result),
    );
    await assertRecovers(stage, path);
  });
}

for (const which of ["nats", "postgres"] as const) {
  test(`${which} killed for good: exit 69; after its return one run puts everything right`, async () => {
    const stage = await openStage();
    const path = await stage.archive(undefined, { payloadBytes: BYTES });
    const running = stage.start([], { WAIT_TIMEOUT: "1" });
    const died = Promise.withResolvers<void>();
    at(stage, which === "nats" ? nats(".C.PKGINIT", 3) : sql("BEGIN"), () =>
      died.resolve(servers[which].kill()),
    );
    await died.promise;
    const result = await running.done;
    await servers[which].restart();
    if (which === "nats") await reopen(stage);
    exits(result, 69);
    // The proxy before it still takes connections, and resets them.
    assert.match(result.report?.error?.layer ?? "", /^(tcp|login)$/, explain(result));
    await assertLockFree(stage);
    await assertRecovers(stage, path);
  });
}

for (let round = 0; round < rounds(0); round++) {
  const dice = random(`killed server ${round}`);
  const which = dice.pick(["nats", "postgres"] as const);
  const limit = dice.int(BYTES);
  const rest = dice.int(1500);
  test(`round ${round}: ${which} killed at byte ${limit} to NATS, back after ${rest} ms`, async () => {
    const stage = await openStage();
    const path = await stage.archive(undefined, { payloadBytes: BYTES });
    const running = stage.start();
    const died = Promise.withResolvers<void>();
    stage.watch = (line, direction) => {
      if (line !== "nats" || direction !== "up" || stage.nats.stats.bytesUp < limit) return;
      stage.watch = undefined;
      died.resolve(servers[which].kill());
    };
    await died.promise;
    await sleep(rest);
    await servers[which].restart();
    exits(await running.done, 0);
    await reopen(stage);
    await assertRecovers(stage, path);
  });
}
