import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { putOthers } from "../support/metadata.ts";
import { startProxy } from "../support/proxy.ts";
import type { JobResult } from "../support/run.ts";
import { explain, type Site, useServers } from "../support/site.ts";

// What a run that changes nothing asks the servers for follows its packages and rows, not what else is in the
// bucket. Requests are counted, not timed.

const servers = useServers();
const FOREIGN = 300;
/** Requests whose number could follow the bucket. */
const ASKED = /PUB \$JS\.API\.(STREAM\.INFO|STREAM\.MSG\.GET|CONSUMER\.CREATE|CONSUMER\.MSG\.NEXT)\.\S+/g;

let line: Awaited<ReturnType<typeof startProxy>>;
let sent: Buffer[] = [];

/** Runs a command; returns how often it sent each request. */
async function requests(site: Site, args: readonly string[]): Promise<[JobResult, Record<string, number>]> {
  sent = [];
  const result = await site.run(args, { NATS_SERVERS: `nats://127.0.0.1:${line.port}` });
  const counts: Record<string, number> = {};
  for (const [, request = ""] of Buffer.concat(sent).toString("latin1").matchAll(ASKED))
    counts[request] = (counts[request] ?? 0) + 1;
  return [result, counts];
}

describe(`what a run asks for, with and without ${FOREIGN} objects of others`, () => {
  let site: Site;
  const alone = new Map<string, Record<string, number>>();
  const COMMANDS = ["init", "plan", "verify", "gate", "status"];

  before(async () => {
    line = await startProxy(
      { port: servers.nats.port },
      { onBytes: (direction, piece) => void (direction === "up" && sent.push(Buffer.from(piece))) },
    );
    site = await servers.site({ state: "C" });
    await site.archive(undefined, { collectors: ["telegraf", "vector"] });
    const first = await site.run();
    assert.equal(first.code, 0, explain(first));
    for (const command of COMMANDS) alone.set(command, (await requests(site, [command]))[1]);
    await putOthers(site.objects, site.bucket, FOREIGN);
  });

  after(() => line?.stop());

  for (const command of COMMANDS) {
    test(command, async () => {
      const [result, counts] = await requests(site, [command]);
      assert.equal(result.code, 0, explain(result));
      const before = alone.get(command) ?? {};
      const named = ["init", "status"].includes(command);
      assert.ok((before["STREAM.MSG.GET"] ?? 0) > 0, "what is stored was read");
      assert.ok(
        (counts["STREAM.MSG.GET"] ?? 0) <= (before["STREAM.MSG.GET"] ?? 0),
        JSON.stringify([before, counts]),
      );
      assert.ok(
        (counts["STREAM.INFO"] ?? 0) <= (before["STREAM.INFO"] ?? 0),
        JSON.stringify([before, counts]),
      );
      // Only commands that count orphans read the metadata of others, together.
      assert.equal(counts["CONSUMER.CREATE"] ?? 0, named ? 1 : 0);
      assert.equal(counts["CONSUMER.MSG.NEXT"] ?? 0, named ? 1 : 0);
    });
  }

  test("no consumer is left", async () => {
    const jsm = await site.objects.connection.jetstreamManager();
    assert.deepEqual(await jsm.consumers.list(`OBJ_${site.bucket}`).next(), []);
  });
});
