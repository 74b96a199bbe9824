import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { binaryHeader } from "../support/binaries.ts";
import { readMetadata, writeMetadata } from "../support/metadata.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();
const INSTALLER = "installer/linux/x86_64/bklite-controller-installer";
const CONTROLLER = `linux/x86_64/Controller/1.0.0/${ARCHIVE}`;
const JOB_FILE = "job_mgmt/patch.bin";

function putInstaller(site: Site, build: string): void {
  const program = Buffer.concat([binaryHeader("linux", "x86_64"), Buffer.from(build)]);
  writeFileSync(join(site.volume, "bklite-controller-installer"), program);
}

async function begin(): Promise<Site> {
  const site = await servers.site({ state: "C" });
  await site.archive();
  putInstaller(site, "first");
  await site.objects.putForeign(JOB_FILE, Buffer.alloc(300_000, "job"));
  await site.ok();
  return site;
}

async function change(site: Site, key: string, changes: object): Promise<void> {
  const meta = await readMetadata(site.objects, site.bucket, key);
  await writeMetadata(site.objects, site.bucket, key, { ...meta, ...changes });
}

/** Every object of the bucket can be read, and no chunk is left over. */
async function assertSound(site: Site, ...keys: string[]): Promise<void> {
  const found = (await site.objects.list()).map(({ name }) => name);
  for (const key of keys) assert.ok(found.includes(key), key);
  for (const key of found) await site.objects.read(key);
  assert.deepEqual(await site.objects.unreachable(), []);
}

describe("a nuid that another program wrote purges nothing of others", () => {
  const nuids: [string, (site: Site) => Promise<string>][] = [
    ["*", async () => "*"],
    [">", async () => ">"],
    ["a.>", async () => "a.>"],
    ["nothing", async () => ""],
    ["10 kB", async () => "x".repeat(10_000)],
    ["another application's", async (site) => (await site.objects.info(JOB_FILE))?.nuid ?? ""],
    ["the controller's", async (site) => (await site.objects.info(CONTROLLER))?.nuid ?? ""],
  ];
  test("in the metadata of an installer that is replaced", async () => {
    const site = await begin();
    for (const [name, nuid] of nuids) {
      await change(site, INSTALLER, { nuid: await nuid(site) });
      putInstaller(site, name);
      await site.ok();
      await assertSound(site, JOB_FILE, CONTROLLER, INSTALLER);
    }
  });

  test("in the metadata of an object that goes because its successor has another name", async () => {
    const site = await begin();
    let [name, next] = [ARCHIVE, "fusion-collectors.zip"];
    for (const [seed, nuid] of nuids.slice(0, -1)) {
      await change(site, `linux/x86_64/Controller/1.0.0/${name}`, { nuid: await nuid(site) });
      rmSync(join(site.volume, name));
      await site.archive(next, { seed });
      await site.ok();
      await assertSound(site, JOB_FILE, INSTALLER, `linux/x86_64/Controller/1.0.0/${next}`);
      [name, next] = [next, name];
    }
  });

  test("in headers that call other objects replaced", async () => {
    const site = await begin();
    const own = await readMetadata(site.objects, site.bucket, INSTALLER);
    const named = await Promise.all(
      [JOB_FILE, CONTROLLER].map(async (key) => (await site.objects.info(key))?.nuid),
    );
    const headers = { "Bklite-Package-Init-Replaces": [...named, "*", ">", "a.>", "", "x".repeat(10_000)] };
    await change(site, INSTALLER, { headers });
    await site.ok();
    await assertSound(site, JOB_FILE, CONTROLLER, INSTALLER);
    assert.deepEqual((await readMetadata(site.objects, site.bucket, INSTALLER)).nuid, own.nuid, "unchanged");
    putInstaller(site, "second");
    await site.ok();
    await assertSound(site, JOB_FILE, CONTROLLER, INSTALLER);
  });

  test("in another object's metadata that shares an upload with ours", async () => {
    const site = await begin();
    const meta = await readMetadata(site.objects, site.bucket, INSTALLER);
    await writeMetadata(site.objects, site.bucket, "job_mgmt/copy", { ...meta, name: "job_mgmt/copy" });
    putInstaller(site, "second");
    await site.ok();
    await site.ok();
    await assertSound(site, JOB_FILE, CONTROLLER, INSTALLER, "job_mgmt/copy");
  });
});

describe("metadata that no client of BK-Lite can read is a damaged object", () => {
  const changes: [string, object][] = [
    ["without a name", { name: undefined }],
    ["without a bucket", { bucket: undefined }],
    ["of a link", { options: { link: { bucket: "elsewhere", name: CONTROLLER } } }],
    ["with a size in words", { size: "large" }],
    ["without a digest", { digest: undefined }],
    ["with a time that Go cannot read", { mtime: "yesterday" }],
  ];
  test("verify is 76 and names it; init stores it again, and leaves nothing behind", async () => {
    const site = await begin();
    for (const [name, damage] of changes) {
      await change(site, CONTROLLER, damage);
      const verify = await site.run(["verify"]);
      assert.equal(verify.code, 76, `${name}: ${explain(verify)}`);
      assert.ok(verify.events.some(({ reason }) => reason === "drift.object.unreadable"));
      const init = await site.ok();
      assert.equal(init.report?.packages.find(({ stored }) => stored.key === CONTROLLER)?.action, "repaired");
      await assertSound(site, JOB_FILE, CONTROLLER, INSTALLER);
      await site.ok(["verify"]);
    }
  });

  test("of a user's package too: nobody's content is lost", async () => {
    const site = await begin();
    await site.db.query("UPDATE node_mgmt_packageversion SET created_by = 'alice'");
    await writeMetadata(site.objects, site.bucket, CONTROLLER, Buffer.from("{"));
    await site.ok();
    await assertSound(site, JOB_FILE, CONTROLLER, INSTALLER);
  });
});
