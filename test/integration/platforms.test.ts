import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();

const platforms = (site: Site, args: string[] = [], env: Record<string, string> = {}) =>
  site.run(args, env).then((run) => ({ run, platforms: run.report?.platforms ?? [] }));

describe("what can be installed", () => {
  test("an archive alone is stored and registered, but without the installer nothing can be installed: said, and exit 76 where it is required", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    for (const command of ["plan", "init", "verify"]) {
      const { run, platforms: found } = await platforms(site, [command]);
      assert.equal(run.code, 0, explain(run));
      assert.deepEqual(
        found,
        [
          {
            os: "linux",
            arch: "x86_64",
            controller: ["1.0.0"],
            installer: false,
            bootstrap: null,
            collectors: { installable: ["NATS-Executor", "Telegraf", "Vector"], listed: [] },
            complete: false,
            missing: ["installer"],
          },
        ],
        command,
      );
      assert.ok(
        run.report?.warnings.some(({ reason }) => reason === "platform.installer.missing"),
        command,
      );
      const required = await platforms(site, [command], { REQUIRE: "linux/amd64" });
      assert.equal(required.run.code, 76, explain(required.run));
      assert.equal(required.run.report?.error?.reason, "platform.incomplete");
    }
    assert.equal((await site.rows()).length, 4);
  });

  test("a platform that is required and has nothing at all is named", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    const { run, platforms: found } = await platforms(site, [], { REQUIRE: "windows/x86_64" });
    assert.equal(run.code, 76, explain(run));
    assert.match(run.report?.error?.message ?? "", /windows\/x86_64/);
    assert.deepEqual(
      found.map(({ os, missing }) => [os, missing]),
      [
        ["linux", ["installer"]],
        ["windows", ["controller", "installer", "Windows bootstrap"]],
      ],
    );
  });

  test("before state C no installer is missed, and the guide's rows are no fault", async () => {
    const site = await servers.site({ state: "B" });
    await site.archive();
    const { run, platforms: found } = await platforms(site, [], { REQUIRE: "linux/x86_64" });
    assert.equal(run.code, 0, explain(run));
    assert.deepEqual(
      found.map(({ os, arch, installer, complete, collectors }) => [
        os,
        arch,
        installer,
        complete,
        collectors,
      ]),
      [["linux", null, null, true, { installable: [], listed: ["NATS-Executor", "Telegraf", "Vector"] }]],
    );
    assert.deepEqual(run.report?.warnings, []);
  });

  test("collectors that are only listed are said to be so on today's BK-Lite, and become whole", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    const shared = await platforms(site, [], { COLLECTOR_PACKAGES: "shared" });
    assert.equal(shared.run.code, 0, explain(shared.run));
    assert.deepEqual(shared.platforms[0]?.collectors.listed, ["NATS-Executor", "Telegraf", "Vector"]);
    assert.ok(shared.run.report?.warnings.some(({ reason }) => reason === "platform.collectors.listed"));
    const whole = await platforms(site);
    assert.equal(whole.run.code, 0, explain(whole.run));
    assert.deepEqual(whole.platforms[0]?.collectors, {
      installable: ["NATS-Executor", "Telegraf", "Vector"],
      listed: [],
    });
    assert.equal((await site.rows()).length, 4);
  });
});
