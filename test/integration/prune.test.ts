import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explain, type Site, useServers } from "../support/site.ts";
import { insertRow } from "../support/tables.ts";
import { held, NO_VOLUME, putVersion, storeVersions } from "../support/versions.ts";

const servers = useServers();

const OBJECTS = ["Controller", "NATS-Executor", "Telegraf", "Vector"];
const rowsOf = (...versions: string[]) =>
  OBJECTS.flatMap((object) => versions.map((version) => `${object} ${version}`));

/** A site with these versions in a table of state C, and no volume. */
async function siteWith(...versions: string[]): Promise<Site> {
  const site = await servers.site({ state: "C" });
  await storeVersions(site, versions);
  return site;
}

const prune = (site: Site, args: readonly string[], env: Record<string, string> = NO_VOLUME) =>
  site.run(["prune", ...args], env);

describe("prune", { concurrency: 2 }, () => {
  test("shows what would go, removes it with --yes, and has nothing to do then", async () => {
    const site = await siteWith("1.9.0", "1.10.0", "2.0.0");
    const before = await site.state();
    const dry = await prune(site, ["--keep", "2"]);
    assert.equal(dry.code, 0, explain(dry));
    assert.deepEqual(await site.state(), before);
    const removed = dry.report?.removed ?? [];
    assert.deepEqual(
      removed.map(({ key, done }) => [key?.split("/").slice(0, 4).join("/"), done]).sort(),
      OBJECTS.map((object) => [`linux/x86_64/${object}/1.9.0`, false]),
    );
    assert.match(dry.events.at(-1)?.msg ?? "", /4 versions would be removed .*--yes/);

    const run = await prune(site, ["--keep", "2", "--yes"]);
    assert.equal(run.code, 0, explain(run));
    assert.deepEqual(
      run.report?.removed,
      removed.map((one) => ({ ...one, done: true })),
    );
    const now = await held(site);
    assert.deepEqual(now.rows, rowsOf("1.10.0", "2.0.0"));
    assert.equal(now.keys.length, 8);
    assert.ok(now.keys.every((key) => !key.includes("/1.9.0/")));
    assert.deepEqual(await site.objects.unreachable(), []);

    const after = await site.state();
    const again = await prune(site, ["--keep", "2", "--yes"]);
    assert.equal(again.code, 0, explain(again));
    assert.match(again.events.at(-1)?.msg ?? "", /nothing to remove/);
    assert.deepEqual(await site.state(), after);
  });

  test("leaves what lies on the volume", async () => {
    const site = await siteWith("1.0.0", "2.0.0", "3.0.0");
    await putVersion(site, "1.0.0");
    const run = await prune(site, ["--keep", "1", "--yes"], {});
    assert.equal(run.code, 0, explain(run));
    assert.deepEqual((await held(site)).rows, rowsOf("1.0.0", "3.0.0"));
    const back = await prune(site, ["--version", "1.0.0", "--yes"], {});
    assert.equal(back.code, 0, explain(back));
    assert.deepEqual((await held(site)).rows, rowsOf("1.0.0", "3.0.0"));
    const kept = back.report?.warnings.filter(({ reason }) => reason === "prune.kept") ?? [];
    assert.equal(kept.length, 1);
    assert.match(kept[0]?.message ?? "", /^4 versions not removed: on the volume/);
  });

  test("reads a volume that cannot be judged as a failure: what must stay could be there", async () => {
    const site = await siteWith("1.0.0", "2.0.0");
    await site.archive("fusion-collectors-linux-amd64-1.0.0.zip", { without: ["install.sh"] });
    const run = await prune(site, ["--keep", "1", "--yes"], {});
    assert.equal(run.code, 65, explain(run));
    assert.deepEqual((await held(site)).rows, rowsOf("1.0.0", "2.0.0"));
  });

  test("goes back from the newest version, of one object or of all, but never from the last", async () => {
    const site = await siteWith("1.0.0", "2.0.0");
    const one = await prune(site, ["--version", "v2.0.0", "--object", "Telegraf", "--yes"]);
    assert.equal(one.code, 0, explain(one));
    assert.deepEqual(
      (await held(site)).rows,
      rowsOf("1.0.0", "2.0.0").filter((row) => row !== "Telegraf 2.0.0"),
    );
    assert.equal((await prune(site, ["--version", "2.0.0", "--yes"])).code, 0);
    const left = await held(site);
    assert.deepEqual(left.rows, rowsOf("1.0.0"));
    assert.equal(left.keys.length, 4);
    assert.equal((await prune(site, ["--version", "1.0.0", "--yes"])).code, 0);
    assert.deepEqual(await held(site), left);
  });

  test("removes its own objects without a row; those of others only after a day; nothing of other applications", async () => {
    const site = await siteWith("1.0.0", "2.0.0", "3.0.0");
    const own = (await held(site)).keys.find((key) => key.includes("/Telegraf/2.0.0/")) ?? "";
    await site.db.query(
      "DELETE FROM node_mgmt_packageversion WHERE object = 'Telegraf' AND version = '2.0.0'",
    );
    const others = ["linux/x86_64/Telegraf/0.9.0/telegraf", "linux/patches/2024/file", "job/1/file"];
    for (const key of others) await site.objects.putForeign(key, Buffer.from("any"));
    const status = await site.run(["status"], NO_VOLUME);
    assert.match(JSON.stringify(status.report?.warnings), new RegExp(own));
    const run = await prune(site, ["--keep", "3", "--yes"]);
    assert.equal(run.code, 0, explain(run));
    assert.deepEqual(
      run.report?.removed.map(({ row, key }) => [row, key]),
      [[null, own]],
    );
    const { keys } = await held(site);
    assert.deepEqual(
      others.filter((key) => !keys.includes(key)),
      [],
    );
  });

  test("leaves rows of users, and removes shared rows that have no object of their own", async () => {
    const site = await servers.site({ state: "B" });
    await storeVersions(site, ["1.0.0", "2.0.0"]);
    const user = { created_by: "admin", version: "0.1.0", name: "a.zip" };
    await insertRow(site.db, user);
    await site.objects.putForeign("linux/Controller/0.1.0/a.zip", Buffer.from("any"));
    const run = await prune(site, ["--keep", "1", "--yes"]);
    assert.equal(run.code, 0, explain(run));
    const { rows, keys } = await held(site);
    assert.deepEqual(rows, ["Controller 0.1.0", ...rowsOf("2.0.0")]);
    assert.deepEqual(keys.length, 2);
  });

  test("makes no bucket, and says that there is nothing to remove", async () => {
    const site = await servers.site({ state: "C" });
    const run = await prune(site, ["--keep", "1", "--yes"]);
    assert.equal(run.code, 0, explain(run));
    assert.equal(await site.objects.lastSeq(), 0);
    await assert.rejects(site.objects.streamInfo());
  });

  test("ends with 78 if a trigger keeps the row, and its object stays", async () => {
    const site = await siteWith("1.0.0", "2.0.0");
    await site.db.query(`CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER keep BEFORE DELETE ON node_mgmt_packageversion FOR EACH ROW EXECUTE FUNCTION keep()`);
    const before = await held(site);
    const run = await prune(site, ["--keep", "1", "--yes"]);
    assert.equal(run.code, 78, explain(run));
    assert.equal(run.report?.error?.reason, "row.suppressed");
    assert.deepEqual(await held(site), before);
  });
});

describe("KEEP_VERSIONS", { concurrency: 2 }, () => {
  test("plan shows what goes after init; init removes it, and the next one changes nothing", async () => {
    const site = await siteWith("1.0.0", "2.0.0");
    const keep = { KEEP_VERSIONS: "2" };
    await putVersion(site, "3.0.0");
    const before = await site.state();
    const plan = await site.ok(["plan"], keep);
    assert.deepEqual(await site.state(), before);
    const removed = plan.report?.removed ?? [];
    assert.deepEqual(
      removed.map(({ key, done }) => [key?.split("/").slice(2, 4).join(" "), done]).sort(),
      rowsOf("1.0.0").map((row) => [row, false]),
    );
    const run = await site.ok([], keep);
    assert.deepEqual(
      run.report?.removed,
      removed.map((one) => ({ ...one, done: true })),
    );
    assert.deepEqual((await held(site)).rows, rowsOf("2.0.0", "3.0.0"));
    assert.deepEqual(await site.objects.unreachable(), []);
    assert.deepEqual(
      run.report?.platforms.map(({ controller }) => controller),
      [["2.0.0", "3.0.0"]],
    );
    const after = await site.state();
    await site.ok([], keep);
    assert.deepEqual(await site.state(), after);
  });

  test("removes nothing after an init that failed, or whose platform of REQUIRE is incomplete", async () => {
    const site = await siteWith("1.0.0", "2.0.0");
    await putVersion(site, "3.0.0");
    const incomplete = await site.run([], { KEEP_VERSIONS: "1", REQUIRE: "linux/x86_64" });
    assert.equal(incomplete.code, 76, explain(incomplete));
    assert.deepEqual((await held(site)).rows, rowsOf("1.0.0", "2.0.0", "3.0.0"));
    assert.deepEqual(incomplete.report?.removed, []);
    assert.deepEqual(incomplete.report?.platforms[0]?.controller, ["1.0.0", "2.0.0", "3.0.0"]);
  });
});
