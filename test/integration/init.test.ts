import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, test } from "node:test";
import { ARCHIVE, explain, type Site, sha256, useServers } from "../support/site.ts";
import { createCollectorTable, insertRow, migrateToStateC } from "../support/tables.ts";

const servers = useServers();
const KEY = `linux/Controller/1.0.0/${ARCHIVE}`;

/** The guide's table: type, os, object, version, name. */
async function guideRows(site: Site): Promise<string[]> {
  return (await site.rows()).map((row) => [row.type, row.os, row.object, row.version, row.name].join(" "));
}

const GUIDE = [
  `controller linux Controller 1.0.0 ${ARCHIVE}`,
  `collector linux Telegraf 1.0.0 ${ARCHIVE}`,
  `collector linux Vector 1.0.0 ${ARCHIVE}`,
  `collector linux NATS-Executor 1.0.0 ${ARCHIVE}`,
];

async function assertStored(site: Site, key: string, path: string): Promise<void> {
  const stored = await site.objects.read(key);
  assert.deepEqual([stored.bytes, stored.sha256], [statSync(path).size, await sha256(path)]);
}

describe("the first run and the second", () => {
  for (const state of ["A", "B", "C"] as const) {
    test(`table state ${state}: exactly the guide's rows and object, then nothing`, async () => {
      const site = await servers.site({ state });
      const shared = { COLLECTOR_PACKAGES: state === "C" ? "shared" : "auto" };
      const path = await site.archive();
      const first = await site.ok([], shared);
      assert.deepEqual((await guideRows(site)).sort(), [...GUIDE].sort());
      const key = state === "C" ? `linux/x86_64/Controller/1.0.0/${ARCHIVE}` : KEY;
      await assertStored(site, key, path);
      assert.deepEqual(
        (await site.objects.list()).map((info) => [info.name, info.description]),
        [[key, ARCHIVE]],
      );
      for (const row of await site.rows()) {
        assert.deepEqual([row.created_by, row.updated_by, row.description], ["system", "system", ""]);
        if (state !== "A")
          assert.deepEqual([row.domain, row.updated_by_domain], ["domain.com", "domain.com"]);
        if (state === "C") assert.equal(row.cpu_architecture, "x86_64");
      }
      assert.deepEqual(
        first.report?.packages.map((p) => [p.source.file, p.stored.key, p.action, p.bytesUploaded, p.arch]),
        [[ARCHIVE, key, "uploaded", statSync(path).size, state === "C" ? "x86_64" : null]],
      );
      assert.deepEqual(
        first.report?.rows.map((row) => row.action),
        Array(4).fill("inserted"),
      );
      assert.equal(first.report?.packages[0]?.stored.sha256, await sha256(path));

      const before = await site.state();
      const second = await site.ok([], shared);
      assert.deepEqual(await site.state(), before);
      assert.deepEqual(
        second.report?.packages.map((p) => [p.action, p.bytesUploaded]),
        [["unchanged", 0]],
      );
      assert.deepEqual(
        second.report?.rows.map((row) => row.action),
        Array(4).fill("unchanged"),
      );
    });
  }

  test("a bigserial id, as an older Django made it", async () => {
    const site = await servers.site({ state: "B", serial: true });
    await site.archive();
    await site.ok();
    assert.equal((await site.rows()).length, 4);
  });

  test("tar.gz, sub-folders, both systems, and versions by their precedence", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive("controller/fusion-collectors-2.1.0.tar.gz", { version: "9.9.9" });
    await site.archive("fusion-collectors-windows-amd64.zip", {
      os: "windows",
      collectors: ["telegraf.exe"],
      version: 'LINUX_SIDECAR_VERSION="1.0.1"\nWINDOWS_SIDECAR_VERSION="1.0.2"\n',
    });
    await site.archive("a/b/c/fusion-collectors_linux_arm64.tgz", { arch: "arm64" });
    await site.ok();
    const controllers = (await site.rows()).filter((row) => row.type === "controller");
    assert.deepEqual(controllers.map((row) => [row.os, row.cpu_architecture, row.version, row.name]).sort(), [
      ["linux", "arm64", "1.0.0", "fusion-collectors_linux_arm64.zip"],
      ["linux", "x86_64", "2.1.0", "fusion-collectors-2.1.0.zip"],
      ["windows", "x86_64", "1.0.2", "fusion-collectors-windows-amd64.zip"],
    ]);
    const pinned = await site.run(["plan", "--version", "7.0.0"], { PACKAGE_VERSION: "3.0.0" });
    assert.deepEqual(
      [...new Set(pinned.report?.packages.map((p) => p.version))],
      ["7.0.0"],
      "the command line wins",
    );
  });
});

describe("what is lost comes back", () => {
  test("rows, objects, chunks", async () => {
    const site = await servers.site();
    const path = await site.archive();
    assert.equal((await site.run()).code, 0);

    await site.db.query("DELETE FROM node_mgmt_packageversion WHERE object <> 'Vector'");
    const rowsLost = await site.ok();
    assert.deepEqual(
      rowsLost.report?.packages.map((p) => p.action),
      ["unchanged"],
    );
    assert.deepEqual((await guideRows(site)).sort(), [...GUIDE].sort());

    await site.objects.remove(KEY);
    const objectLost = await site.run();
    assert.deepEqual(
      [objectLost.code, objectLost.report?.packages[0]?.action],
      [0, "uploaded"],
      explain(objectLost),
    );
    await assertStored(site, KEY, path);

    for (const which of ["all", "first"] as const) {
      await site.objects.damage(KEY, which);
      const verify = await site.run(["verify"]);
      assert.equal(verify.code, 76, explain(verify));
      const repaired = await site.run();
      assert.deepEqual(
        [repaired.code, repaired.report?.packages[0]?.action],
        [0, "repaired"],
        explain(repaired),
      );
      await assertStored(site, KEY, path);
      assert.deepEqual(await site.objects.unreachable(), []);
    }
  });
});

describe("other bytes under the same version", () => {
  async function changed(more: Parameters<typeof servers.site>[0] = { state: "B" }) {
    const site = await servers.site(more);
    const old = await site.archive();
    const oldDigest = await sha256(old);
    assert.equal((await site.run()).code, 0);
    const path = await site.archive(ARCHIVE, { seed: "rebuilt" });
    return { site, path, oldDigest };
  }

  test("replace: new bytes, old chunks gone, rows untouched, both digests in the warning", async () => {
    const { site, path, oldDigest } = await changed();
    const before = await site.rows();
    const run = await site.ok();
    await assertStored(site, KEY, path);
    assert.deepEqual(await site.objects.unreachable(), []);
    assert.equal((await site.objects.chunkSubjects()).size, 1);
    assert.deepEqual(await site.rows(), before);
    const warning = run.events.find((event) => event.event === "package.replaced");
    assert.deepEqual(
      [warning?.level, warning?.storedSha256, warning?.sha256],
      ["warn", oldDigest, await sha256(path)],
    );
  });

  test("keep: nothing is written, and verify agrees", async () => {
    const { site } = await changed();
    const before = await site.state();
    const run = await site.run([], { ON_CONFLICT: "keep" });
    assert.deepEqual([run.code, run.report?.packages[0]?.action], [0, "kept"], explain(run));
    assert.deepEqual(await site.state(), before);
    assert.equal((await site.run(["verify"], { ON_CONFLICT: "keep" })).code, 0);
    assert.equal((await site.run(["verify"])).code, 76);
  });

  test("fail: exit 65, nothing is written", async () => {
    const { site } = await changed();
    const before = await site.state();
    const run = await site.run([], { ON_CONFLICT: "fail" });
    assert.equal(run.code, 65, explain(run));
    assert.deepEqual(await site.state(), before);
    assert.match(run.report?.error?.message ?? "", new RegExp(ARCHIVE));
    assert.deepEqual(
      run.report?.packages.map((p) => [p.action, p.error?.code]),
      [["failed", 65]],
    );
  });

  test("a person's row is never overwritten", async () => {
    const { site } = await changed();
    await site.db.query(
      "UPDATE node_mgmt_packageversion SET created_by = 'alice' WHERE object = 'Controller'",
    );
    const before = await site.state();
    for (const policy of ["replace", "fail"]) {
      const run = await site.run([], { ON_CONFLICT: policy });
      assert.equal(run.code, 65, explain(run));
      assert.match(run.report?.error?.message ?? "", /alice/);
      assert.deepEqual(await site.state(), before);
    }
    await site.ok([], { ON_CONFLICT: "keep" });
    assert.deepEqual(await site.state(), before);
  });

  test("a person's row without an object keeps its name, and the object goes under it", async () => {
    const site = await servers.site();
    const path = await site.archive();
    await insertRow(site.db, { created_by: "alice", name: "by-hand.zip" });
    await site.ok();
    await assertStored(site, "linux/Controller/1.0.0/by-hand.zip", path);
    const row = (await site.rows()).find((r) => r.object === "Controller");
    assert.deepEqual([row?.name, row?.created_by], ["by-hand.zip", "alice"]);
  });

  test("latest is replaced whatever ON_CONFLICT says", async () => {
    const site = await servers.site();
    await site.archive();
    const env = { PACKAGE_VERSION: "latest", ON_CONFLICT: "fail" };
    assert.equal((await site.run([], env)).code, 0);
    const path = await site.archive(ARCHIVE, { seed: "moved" });
    const run = await site.run([], env);
    assert.deepEqual([run.code, run.report?.packages[0]?.action], [0, "replaced"], explain(run));
    await assertStored(site, `linux/Controller/latest/${ARCHIVE}`, path);
  });

  test("a file with another name takes row and key along, and the old object goes", async () => {
    const { site } = await changed();
    const { rm } = await import("node:fs/promises");
    await rm(`${site.volume}/${ARCHIVE}`);
    const path = await site.archive("fusion-collectors-1.0.0.zip", { seed: "renamed" });
    const run = await site.ok();
    const key = "linux/Controller/1.0.0/fusion-collectors-1.0.0.zip";
    await assertStored(site, key, path);
    assert.deepEqual(
      (await site.objects.list()).map((info) => info.name),
      [key],
    );
    assert.deepEqual(
      [...new Set((await site.rows()).map((row) => row.name))],
      ["fusion-collectors-1.0.0.zip"],
    );
    assert.deepEqual(
      run.report?.rows.map((row) => row.action),
      Array(4).fill("updated"),
    );
    assert.deepEqual(await site.objects.unreachable(), []);
  });

  test("after the migration to state C the old key serves on until the bytes change", async () => {
    const { site, path } = await changed();
    assert.equal((await site.run()).code, 0);
    await migrateToStateC(site.db);
    const before = await site.state();
    assert.equal((await site.run([], { COLLECTOR_PACKAGES: "shared" })).code, 0);
    assert.deepEqual(await site.state(), before);
    await assertStored(site, KEY, path);

    const next = await site.archive(ARCHIVE, { seed: "third" });
    await site.ok([], { COLLECTOR_PACKAGES: "shared" });
    const key = `linux/x86_64/Controller/1.0.0/${ARCHIVE}`;
    await assertStored(site, key, next);
    assert.deepEqual(
      (await site.objects.list()).map((info) => info.name),
      [key],
      "nothing is served by the old key",
    );
  });
});

describe("collectors", () => {
  const objectsOf = async (site: Site) =>
    (await site.rows())
      .filter((row) => row.type === "collector")
      .map((row) => row.object)
      .sort();

  test("none, named, and named but not there", async () => {
    const site = await servers.site();
    await site.archive();
    assert.equal((await site.run([], { COLLECTORS: "none" })).code, 0);
    assert.deepEqual(await objectsOf(site), []);
    assert.equal((await site.run([], { COLLECTORS: "Vector" })).code, 0);
    assert.deepEqual(await objectsOf(site), ["Vector"]);
    const before = await site.state();
    const run = await site.run([], { COLLECTORS: "Vector,Filebeat" });
    assert.equal(run.code, 65, explain(run));
    assert.match(run.report?.error?.message ?? "", /Filebeat/);
    assert.deepEqual(await site.state(), before);
  });

  test("a folder with its executable is a collector too", async () => {
    const site = await servers.site();
    await site.archive(ARCHIVE, { collectors: ["filebeat/filebeat", "metricbeat"] });
    assert.equal((await site.run()).code, 0);
    assert.deepEqual(await objectsOf(site), ["Filebeat", "Metricbeat"]);
  });

  for (const state of ["A", "C"] as const) {
    test(`the platform's own definitions decide what they are called (state ${state})`, async () => {
      const site = await servers.site({ state });
      const arch = state === "C" ? { cpu_architecture: "x86_64" } : {};
      const linux = { node_operating_system: "linux", ...arch };
      await createCollectorTable(site.db, {
        state,
        rows: [
          { name: "Telegraf-Next", executable_path: "/opt/fusion-collectors/bin/telegraf", ...linux },
          { name: "Filebeat", executable_path: "/opt/fusion-collectors/bin/filebeat/filebeat", ...linux },
          {
            name: "Telegraf",
            executable_path: "C:\\fusion-collectors\\bin\\telegraf.exe",
            node_operating_system: "windows",
            ...arch,
          },
        ],
      });
      await site.archive();
      await site.ok();
      assert.deepEqual(await objectsOf(site), ["Telegraf-Next"]);
    });
  }
});

describe("plan, verify and wait write nothing", () => {
  test("on an empty site", async () => {
    const site = await servers.site();
    await site.archive();
    const plan = await site.ok(["plan"]);
    assert.deepEqual(
      plan.report?.packages.map((p) => [p.action, p.stored.key, p.bytesUploaded]),
      [["uploaded", KEY, 0]],
    );
    assert.deepEqual(
      plan.report?.rows.map((row) => row.action),
      Array(4).fill("inserted"),
    );
    const verify = await site.run(["verify"]);
    assert.equal(verify.code, 76, explain(verify));
    assert.deepEqual(
      verify.report?.packages.map((p) => [p.action, p.error?.code]),
      [["failed", 76]],
    );
    assert.equal((await site.run(["wait"])).code, 0);
    await assert.rejects(site.objects.streamInfo(), "no bucket was made");
    assert.deepEqual(await site.rows(), []);
  });

  test("plan says no to what init would reject", async () => {
    const site = await servers.site();
    await site.archive();
    assert.equal((await site.run()).code, 0);
    await site.archive(ARCHIVE, { seed: "other" });
    const plan = await site.run(["plan"], { ON_CONFLICT: "fail" });
    assert.equal(plan.code, 65, explain(plan));
  });

  test("several packages that fail are counted in the last line, in both languages", async () => {
    const site = await servers.site({ state: "C" });
    const versions = ["1.0.1", "1.0.2", "1.0.3"];
    const write = async (seed: string) => {
      for (const version of versions)
        await site.archive(`fusion-collectors-${version}.zip`, { seed, collectors: [] });
    };
    await write("first");
    assert.equal((await site.run()).code, 0);
    await write("second");
    for (const [lang, words] of [
      ["en", /fusion-collectors-1\.0\.1\.zip: .*\(and 2 more, see the log\)/],
      ["zh", /fusion-collectors-1\.0\.1\.zip：.*（另有 2 个问题，见日志）/],
    ] as const) {
      for (const command of ["init", "plan"]) {
        const run = await site.run([command], { ON_CONFLICT: "fail", LOG_LANG: lang });
        assert.equal(run.code, 65, explain(run));
        assert.match(run.report?.error?.message ?? "", words);
        assert.match(String(run.events.at(-1)?.msg), words);
        assert.equal(run.report?.packages.filter(({ error }) => error).length, 3);
      }
    }
  });

  test("verify --wait holds a gate until the job has run", async () => {
    const site = await servers.site();
    await site.archive();
    const gate = site.start(["verify", "--wait"], { REPORT_FILE: "" });
    await gate.waitForEvent("package.found");
    assert.equal((await site.run()).code, 0);
    const result = await gate.done;
    assert.equal(result.code, 0, explain(result));
  });

  test("verify --wait gives up with 76", async () => {
    const site = await servers.site();
    await site.archive();
    assert.equal((await site.run(["verify", "--wait"], { WAIT_TIMEOUT: "3" })).code, 76);
  });
});

describe("orphans of other clients", () => {
  test("are counted, and left alone while they are young", async () => {
    const site = await servers.site();
    await site.archive();
    assert.equal((await site.run()).code, 0);
    const js = site.objects.connection.jetstream();
    for (const size of [1000, 1000, 10])
      await js.publish(`$O.${site.bucket}.C.SOMEBODYSNUID`, new Uint8Array(size));
    for (const purge of ["false", "true"]) {
      const run = await site.ok([], { PURGE_ORPHANS: purge });
      assert.deepEqual(run.report?.orphans, { objects: 1, bytes: 2010 });
      assert.equal((await site.objects.unreachable()).length, 1);
    }
  });
});
