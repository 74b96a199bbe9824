import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { binaryHeader } from "../support/binaries.ts";
import { rawZip } from "../support/raw-zip.ts";
import { useServers } from "../support/site.ts";

const servers = useServers();
const SHARED = { COLLECTOR_PACKAGES: "shared" };

describe("a collector's row with an object of its own stays as it is, in shared mode too", () => {
  test("uploaded explicitly with this job", async () => {
    const site = await servers.site({ state: "B" });
    const file = join(site.volume, "telegraf.zip");
    const zip = rawZip([{ name: "telegraf", data: binaryHeader("linux", "x86_64"), mode: 0o100755 }]);
    writeFileSync(file, zip);
    await site.ok(
      ["--file", file, "--type", "collector", "--object", "Telegraf", "--version", "1.0.0"],
      SHARED,
    );
    await site.archive();
    await site.ok([], SHARED);
    const telegraf = (await site.rows()).find(({ object }) => object === "Telegraf");
    assert.equal(telegraf?.name, "telegraf.zip");
    const { bytes } = await site.objects.read("linux/Telegraf/1.0.0/telegraf.zip");
    assert.equal(bytes, zip.length);
    const before = await site.state();
    for (const command of ["verify", "init"]) {
      await site.ok([command], SHARED);
    }
    assert.deepEqual(await site.state(), before);
  });
});
