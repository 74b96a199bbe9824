import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { binaryHeader } from "../support/binaries.ts";
import { rawZip } from "../support/raw-zip.ts";
import { explain, useServers } from "../support/site.ts";

const servers = useServers();
const SHARED = { COLLECTOR_PACKAGES: "shared" };

describe("a collector's row with an object of its own stays as it is, in shared mode too", () => {
  test("uploaded explicitly with this job", async () => {
    const site = await servers.site({ state: "B" });
    const file = join(site.volume, "telegraf.zip");
    const zip = rawZip([{ name: "telegraf", data: binaryHeader("linux", "x86_64"), mode: 0o100755 }]);
    writeFileSync(file, zip);
    const byHand = await site.run(
      ["--file", file, "--type", "collector", "--object", "Telegraf", "--version", "1.0.0"],
      SHARED,
    );
    assert.equal(byHand.code, 0, explain(byHand));
    await site.archive();
    const init = await site.run([], SHARED);
    assert.equal(init.code, 0, explain(init));
    const telegraf = (await site.rows()).find(({ object }) => object === "Telegraf");
    assert.equal(telegraf?.name, "telegraf.zip");
    const { bytes } = await site.objects.read("linux/Telegraf/1.0.0/telegraf.zip");
    assert.equal(bytes, zip.length);
    const before = await site.state();
    for (const command of ["verify", "init"]) {
      const again = await site.run([command], SHARED);
      assert.equal(again.code, 0, explain(again));
    }
    assert.deepEqual(await site.state(), before);
  });
});
