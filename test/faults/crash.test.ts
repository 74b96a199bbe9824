import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { describe, test } from "node:test";
import { LONG, random, rounds } from "../support/rounds.ts";
import { ARCHIVE, explain, useServers } from "../support/site.ts";
import {
  assertRecovers,
  assertServed,
  assertSettled,
  at,
  crash,
  type Moment,
  type Stage,
  useStages,
} from "./stage.ts";

const openStage = useStages(useServers());

/** Four chunks. */
const BYTES = 3_500_000;
const RENAMED = "fusion-collectors-linux-x86_64.zip";

/** What the run that is killed finds: a name, and how to get there. Gives the archive's path and name. */
type Scene = (stage: Stage) => Promise<{ path: string; name: string }>;

const first: Scene = async (stage) => ({
  path: await stage.archive(ARCHIVE, { payloadBytes: BYTES }),
  name: ARCHIVE,
});

const after =
  (change: (stage: Stage, old: string) => Promise<{ path: string; name: string }>): Scene =>
  async (stage) => {
    const { path } = await first(stage);
    await stage.ok();
    return change(stage, path);
  };

const scenes: Record<string, Scene> = {
  "an empty store": first,
  "other bytes": after(async (stage) => ({
    path: await stage.archive(ARCHIVE, { payloadBytes: BYTES, seed: "other" }),
    name: ARCHIVE,
  })),
  "other bytes under another name": after(async (stage, old) => {
    await rm(old);
    return { path: await stage.archive(RENAMED, { payloadBytes: BYTES, seed: "other" }), name: RENAMED };
  }),
  "a damaged object": after(async (stage, path) => {
    await stage.objects.damage(`linux/Controller/1.0.0/${ARCHIVE}`, "first");
    return { path, name: ARCHIVE };
  }),
};

const chunk = (nth: number, when: Moment["when"]): Moment => ({
  line: "nats",
  text: ".C.PKGINIT",
  nth,
  when,
});
const nats = (text: string, when: Moment["when"], nth = 1): Moment => ({ line: "nats", text, when, nth });
const sql = (text: string, when: Moment["when"], nth = 1): Moment => ({ line: "postgres", text, when, nth });

type Step = [scene: string, step: string, moment: Moment];
const STEPS: Step[] = [
  ["an empty store", "with the lock", sql("pg_try_advisory_lock", "after")],
  ["an empty store", "among the chunks", chunk(3, "before")],
  ["an empty store", "between chunks and metadata", nats("HPUB $O.", "before")],
  ["an empty store", "between metadata and rows", sql("BEGIN", "before")],
  ["an empty store", "in the transaction, among the rows", sql("INSERT INTO", "after", 3)],
  ["an empty store", "when the commit is done", sql("COMMIT", "after")],
  ["other bytes", "when the metadata is live", nats("HPUB $O.", "after")],
  ["other bytes", "before the old chunks go", nats("STREAM.PURGE", "before")],
  ["other bytes under another name", "among the rows", sql("UPDATE ", "after", 2)],
  ["other bytes under another name", "when the commit is done", sql("COMMIT", "after")],
  ["other bytes under another name", "when the old object is marked", nats("HPUB $O.", "after", 2)],
  ["a damaged object", "when the metadata is live", nats("HPUB $O.", "after")],
];
/** Of the long form. */
const MORE_STEPS: Step[] = [
  ["an empty store", "before the bucket is made", nats("STREAM.CREATE", "before")],
  ["an empty store", "when the bucket has been made", nats("STREAM.CREATE", "after")],
  ["an empty store", "before the first chunk", chunk(1, "before")],
  ["an empty store", "after the first chunk", chunk(1, "after")],
  ["an empty store", "when the metadata is live", nats("HPUB $O.", "after")],
  ["an empty store", "in the transaction, before a row", sql("INSERT INTO", "before")],
  ["an empty store", "before the commit", sql("COMMIT", "before")],
  ["other bytes", "among the chunks", chunk(2, "after")],
  ["other bytes", "between chunks and metadata", nats("HPUB $O.", "before")],
  ["other bytes", "when the old chunks have gone", nats("STREAM.PURGE", "after")],
  ["other bytes under another name", "when the metadata is live", nats("HPUB $O.", "after")],
  ["other bytes under another name", "before the rows change", sql("UPDATE ", "before")],
  ["other bytes under another name", "before the old object goes", nats("HPUB $O.", "before", 2)],
  ["other bytes under another name", "when all has been done", nats("STREAM.PURGE", "after")],
  ["a damaged object", "between chunks and metadata", nats("HPUB $O.", "before")],
];

async function arrange(scene: string) {
  const stage = await openStage();
  const build = scenes[scene];
  assert.ok(build);
  return { stage, ...(await build(stage)) };
}

describe("killed at a step", { concurrency: 3 }, () => {
  for (const [scene, step, moment] of LONG ? [...STEPS, ...MORE_STEPS] : STEPS) {
    test(`${scene}: ${step}`, async () => {
      const { stage, path, name } = await arrange(scene);
      const running = stage.start();
      at(stage, moment, () => crash(stage, running));
      const killed = await running.done;
      assert.equal(killed.signal, "SIGKILL", `never came there: ${explain(killed)}`);
      if (scene !== "a damaged object") await assertServed(stage);
      await assertRecovers(stage, path, name);
    });
  }
});

describe("killed at a random byte, or after a random time", { concurrency: 3 }, () => {
  for (let round = 0; round < rounds(3); round++) {
    const dice = random(`crash ${round}`);
    const scene = dice.pick(Object.keys(scenes));
    const line = dice.pick(["nats", "nats", "postgres", "time"] as const);
    const limit =
      line === "nats" ? dice.int(BYTES + 20_000) : line === "postgres" ? dice.int(9_000) : dice.int(900);
    // the same seed comes to the same byte, though not to the same state of everything around it
    test(`round ${round}: ${scene}, ${limit} ${line === "time" ? "ms" : `bytes to ${line}`}`, async () => {
      const { stage, path, name } = await arrange(scene);
      const running = stage.start();
      if (line === "time") setTimeout(() => crash(stage, running), limit);
      else {
        let sent = 0;
        stage.watch = (where, direction, piece) => {
          if (where !== line || direction !== "up") return;
          sent += piece.length;
          if (sent < limit) return;
          stage.watch = undefined;
          crash(stage, running);
        };
      }
      const ended = await running.done;
      stage.watch = undefined;
      assert.ok(ended.signal === "SIGKILL" || ended.code === 0, explain(ended));
      if (scene !== "a damaged object") await assertServed(stage);
      await assertRecovers(stage, path, name);
      await assertSettled(stage);
    });
  }
});
