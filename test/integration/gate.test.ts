import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect } from "../support/database.ts";
import { readMetadata, writeMetadata } from "../support/metadata.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";
import { insertRow, type TableState } from "../support/tables.ts";

const servers = useServers();
const nothing = { PACKAGES_DIR: "/nonexistent", WAIT_TIMEOUT: "3" };

async function gate(site: Site, code: number, require = ""): Promise<string> {
  const result = await site.run(["gate"], { ...nothing, REQUIRE: require });
  assert.equal(result.code, code, explain(result));
  return result.report?.error?.hint ?? "";
}

async function initialised(state: TableState): Promise<Site> {
  const site = await servers.site({ state });
  await site.archive();
  await site.ok();
  return site;
}

const deleteRows = (site: Site) => site.db.query("DELETE FROM node_mgmt_packageversion");

/** What nats.py leaves where the web page deletes an object. */
async function deleteAsPageDoes(site: Site, key: string): Promise<void> {
  const meta = await readMetadata(site.objects, site.bucket, key);
  const marker = { ...meta, deleted: true, size: 0, chunks: 0, digest: "" };
  await writeMetadata(site.objects, site.bucket, key, marker);
  const jsm = await site.objects.connection.jetstreamManager();
  await jsm.streams.purge(`OBJ_${site.bucket}`, { filter: `$O.${site.bucket}.C.${meta.nuid}` });
}

describe("the gate remembers a controller that was stored and registered", () => {
  for (const [state, require] of [
    ["B", "linux/x86_64"],
    ["C", "linux/x86_64"],
  ] as const) {
    test(`state ${state}: the rows were deleted`, async () => {
      const site = await initialised(state);
      await deleteRows(site);
      await gate(site, 0);
      await gate(site, 0, require);
      if (state === "C") await gate(site, 76, `${require},linux/arm64`);
      assert.match(await gate(site, 76, "windows/x86_64"), /for other platforms/);
    });

    test(`state ${state}: the packages were deleted on BK-Lite's page`, async () => {
      const site = await initialised(state);
      for (const { name } of await site.objects.list()) await deleteAsPageDoes(site, name);
      await deleteRows(site);
      await gate(site, 0);
      await gate(site, 0, require);
      await gate(site, 76, "windows/x86_64");
    });
  }

  test("a row without an architecture was the x86_64 one", async () => {
    const site = await initialised("C");
    const key = `linux/x86_64/Controller/1.0.0/${ARCHIVE}`;
    const meta = await readMetadata(site.objects, site.bucket, key);
    const generic = key.replace("x86_64", "generic");
    await writeMetadata(site.objects, site.bucket, generic, { ...meta, name: generic, deleted: true });
    await writeMetadata(site.objects, site.bucket, key, Buffer.from("no metadata"));
    await deleteRows(site);
    await gate(site, 0, "linux/amd64");
    await gate(site, 76, "linux/arm64");
  });
});

describe("the gate opens for a controller that is registered and whole", () => {
  test("not for a tar.gz that is stored as it is: no node can install it", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive("fusion-collectors-linux-amd64.tar.gz");
    await site.ok([], { REPACK: "never" });
    assert.match(await gate(site, 76, "linux/x86_64,apm/java,region/2"), /does not end in \.zip/);
    assert.equal((await site.run()).code, 0);
    await gate(site, 0, "linux/x86_64,apm/java,region/2");
    await gate(site, 76, "linux/arm64,apm/java");
  });

  test("and that is being deleted, not for one whose upload is under way", async () => {
    const site = await initialised("E");
    const set = (status: string) => site.db.query(`UPDATE node_mgmt_packageversion SET status = '${status}'`);
    await set("deleting");
    await gate(site, 0, "linux/x86_64");
    await set("pending");
    assert.match(await gate(site, 76), /row is not ready/);
  });
});

describe("the gate stays shut", () => {
  test("where nothing ever was", async () => {
    const site = await servers.site({ state: "C" });
    assert.match(await gate(site, 76), /look at the log of the init job/);
    await gate(site, 76, "linux/x86_64");
  });

  test("for what a failed upload, a collector or another application left", async () => {
    const site = await servers.site({ state: "C" });
    const keys = [
      `linux/x86_64/Controller/1.0.0/.staging-6f1c/${ARCHIVE}`,
      `linux/Controller/1.0.0/.staging-6f1c/${ARCHIVE}`,
      `linux/Controller/1.0.0/.staging-6f1c`,
      "linux/x86_64/Telegraf/1.0.0/telegraf",
      "installer/linux/x86_64/bklite-controller-installer",
      "Controller",
      "linux/Controller",
      "job/linux/x86_64/Controller/1.0.0/x",
    ];
    for (const key of keys) {
      await site.objects.putForeign(key, Buffer.from("x"));
      await site.objects.remove(key);
    }
    await gate(site, 76);
    await gate(site, 76, "linux/x86_64");
  });

  test("for a row whose object was never there", async () => {
    const site = await servers.site({ state: "C" });
    await insertRow(site.db);
    assert.match(await gate(site, 76), /its object is missing/);
  });

  test("beside a first init that has stored objects and has written no row", async (t) => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    const blocker = await connect(site.db, site.db.name);
    t.after(() => blocker.end());
    await blocker.query("BEGIN; LOCK TABLE node_mgmt_packageversion IN SHARE MODE");
    const init = site.start([], { WAIT_TIMEOUT: "60", REPORT_FILE: join(site.volume, "init.json") });
    await init.waitForEvent("package.uploaded");
    assert.match(await gate(site, 76), /the init that is at work/);
    await gate(site, 76, "linux/x86_64");
    await blocker.query("COMMIT");
    const result = await init.done;
    assert.equal(result.code, 0, explain(result));
    await gate(site, 0);
  });
});
