import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ARCHIVE, explain, type Site, sha256, useServers } from "../support/site.ts";

const servers = useServers();

const manifest = (site: Site, packages: unknown) => site.put("packages.json", JSON.stringify({ packages }));

describe("packages.json", () => {
  test("the official bundle's layout: collectors without archive names, version latest", async () => {
    const site = await servers.site({ state: "C" });
    const linux = site.put("collector/linux/telegraf", "any content");
    site.put("collector/windows/telegraf.exe", "any other content");
    await site.archive();
    const latest = { type: "collector", object: "Telegraf", version: "latest" };
    await manifest(site, [
      { file: "collector/linux/telegraf", os: "linux", ...latest, description: "from the bundle" },
      { file: "collector/windows/telegraf.exe", os: "windows", arch: "amd64", ...latest },
    ]);
    await site.ok();
    const key = "linux/x86_64/Telegraf/latest/telegraf";
    assert.equal((await site.objects.read(key)).sha256, await sha256(linux));
    await site.objects.read("windows/x86_64/Telegraf/latest/telegraf.exe");
    const rows = await site.rows();
    const found = rows.filter((row) => row.version === "latest");
    assert.deepEqual(
      found.map((row) => [row.type, row.os, row.object, row.name, row.description]),
      [
        ["collector", "linux", "Telegraf", "telegraf", "from the bundle"],
        ["collector", "windows", "Telegraf", "telegraf.exe", ""],
      ],
    );
    assert.deepEqual(
      rows.filter((row) => row.version === "1.0.0").map((row) => row.object),
      ["Controller", "Vector", "NATS-Executor"],
      "the rest is scanned as always, without what has a file of its own",
    );

    const before = await site.state();
    await site.ok();
    assert.deepEqual(await site.state(), before);

    site.put("collector/linux/telegraf", "a newer build");
    await site.ok([], { ON_CONFLICT: "fail" });
    assert.equal((await site.objects.read(key)).sha256, await sha256(linux));
  });

  test("a file of its own wins over the same collector inside an archive", async () => {
    for (const mode of ["shared", "standalone"]) {
      const site = await servers.site();
      await site.archive();
      const path = site.put("telegraf", "patched by hand");
      await manifest(site, [{ file: "telegraf", type: "collector", object: "Telegraf" }]);
      await site.ok([], { COLLECTOR_PACKAGES: mode });
      assert.equal((await site.objects.read("linux/Telegraf/1.0.0/telegraf")).sha256, await sha256(path));
      assert.equal((await site.rows()).filter((row) => row.object === "Telegraf").length, 1);
    }
  });

  test("an archive may have any name, and is checked like any other", async () => {
    const site = await servers.site();
    await site.archive("build-4711.zip");
    await manifest(site, [{ file: "build-4711.zip", version: "4.7.11" }]);
    await site.ok();
    assert.deepEqual([...new Set((await site.rows()).map((row) => row.version))], ["4.7.11"]);
    site.put("build-4711.zip", "no archive at all");
    assert.equal((await site.run()).code, 65);
  });

  test("errors name their place by JSON pointer, all of them, before anything is written", async () => {
    const site = await servers.site();
    await site.archive();
    await manifest(site, [
      { file: "../outside" },
      { file: "/etc/passwd", type: "collector", object: "Passwd" },
      { file: "telegraf", type: "collector" },
      { file: "telegraf", os: "plan9", object: "a/b", versoin: "1" },
    ]);
    const run = await site.run();
    assert.equal(run.code, 65, explain(run));
    const invalid = run.events.filter((event) => event.event === "package.invalid");
    const reasons = invalid.map((event) => String(event.cause)).join("\n");
    for (const pointer of [
      "/packages/0/file",
      "/packages/1/file",
      "/packages/2:",
      "/packages/3/os",
      "/packages/3/object",
      "versoin",
    ]) {
      assert.ok(reasons.includes(pointer), `${pointer} in\n${reasons}`);
    }
    assert.ok(invalid.every((event) => event.file === "packages.json"));
    assert.deepEqual(await site.rows(), []);
    assert.equal(await site.objects.lastSeq(), 0);
  });

  test("a file that is not there, a file twice, and no JSON", async () => {
    const site = await servers.site();
    await site.archive();
    await manifest(site, [{ file: "missing" }, { file: ARCHIVE }, { file: ARCHIVE }]);
    const run = await site.run();
    assert.equal(run.code, 65, explain(run));
    const reasons = run.events
      .filter((event) => event.event === "package.invalid")
      .map((event) => event.cause);
    assert.match(String(reasons[0]), /\/packages\/0\/file: there is no file missing/);
    assert.match(String(reasons[1]), /\/packages\/2\/file: .*twice/);
    site.put("packages.json", "{ packages: [] }");
    const broken = await site.run();
    assert.equal(broken.code, 65, explain(broken));
    assert.match(broken.report?.error?.message ?? "", /packages\.json/);
  });
});
