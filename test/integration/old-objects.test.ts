import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { headers } from "nats";
import { ORIGIN_HEADER } from "../../src/store/meta.ts";
import written from "../support/old-objects.json" with { type: "json" };
import { useServers } from "../support/site.ts";
import { insertRow } from "../support/tables.ts";

const servers = useServers();

/** A volume, and the rows and objects that an older program left after its first run on it. */
async function arrange({ volume, rows, objects }: (typeof written)[number]) {
  const site = await servers.site({ state: "C" });
  for (const { file, mode, bytes } of volume) {
    const path = join(site.volume, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, Buffer.from(bytes, "base64"));
    await chmod(path, mode);
  }
  for (const row of rows) await insertRow(site.db, row);
  const store = await site.objects.connection.jetstream().views.os(site.bucket);
  for (const { key, bytes, origin } of objects) {
    const stored = headers();
    if (origin) stored.set(ORIGIN_HEADER, origin);
    await store.putBlob({ name: key, headers: stored }, Buffer.from(bytes, "base64"));
  }
  return site;
}

for (const program of written) {
  test(`objects by the program of ${program.program} are unchanged after an upgrade`, async () => {
    const site = await arrange(program);
    const before = await site.state();
    for (const command of ["plan", "verify", "init", "init"]) {
      const run = await site.ok([command]);
      const actions = new Set(run.report?.packages.map(({ action }) => action));
      assert.deepEqual([...actions], ["unchanged"], command);
    }
    assert.deepEqual(await site.state(), before);

    // the objects of the fixture are those of another rule: this program makes other bytes
    const key = "linux/x86_64/Filebeat/1.0.0/filebeat.zip";
    const { sha256 } = await site.objects.read(key);
    await site.objects.remove(key);
    await site.ok();
    assert.notEqual((await site.objects.read(key)).sha256, sha256);
  });
}
