import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import type { ArchiveOptions } from "../support/archives.ts";
import { filesOf, install } from "../support/install.ts";
import type { JobReport, JobResult } from "../support/run.ts";
import { ARCHIVE, explain, type Site, sha256, useServers } from "../support/site.ts";
import { createCollectorTable, insertRow } from "../support/tables.ts";

const servers = useServers();
const STANDALONE = { COLLECTOR_PACKAGES: "standalone" };
const CONTENT: ArchiveOptions = {
  collectors: ["telegraf", "vector", "filebeat/filebeat"],
  entries: [
    { name: "bin/filebeat/filebeat.yml", content: "output: nats\n", mode: 0o600 },
    { name: "bin/filebeat/module/system/auth.yml", content: "deep\n" },
  ],
};
const KEYS = {
  Telegraf: "linux/Telegraf/1.0.0/telegraf",
  Vector: "linux/Vector/1.0.0/vector",
  Filebeat: "linux/Filebeat/1.0.0/filebeat.zip",
};

async function ok(run: Promise<JobResult>): Promise<JobResult> {
  const result = await run;
  assert.equal(result.code, 0, explain(result));
  assert.deepEqual(
    result.report?.packages
      .filter((p) => p.stored.sha256 === null || p.stored.bytes === null)
      .map((p) => p.stored.key),
    [],
    "every package's digest and size are in the report",
  );
  return result;
}

/** `object name` of every row. */
async function named(site: Site): Promise<string[]> {
  return (await site.rows()).map((row) => `${row.object} ${row.name}`).sort();
}

function actions(run: JobResult): Record<string, string> {
  return Object.fromEntries(run.report?.packages.map((p) => [p.object, p.action]) ?? []);
}

function sent(run: JobResult): string[] {
  return run.report?.packages.filter((p) => p.bytesUploaded > 0).map((p) => p.object) ?? [];
}

describe("COLLECTOR_PACKAGES=standalone", () => {
  for (const [name, state] of [
    [ARCHIVE, "B"],
    ["fusion-collectors-1.0.0.tar.gz", "C"],
  ] as const) {
    test(`${name}, table state ${state}: what a node gets is what is in the archive`, async () => {
      const site = await servers.site({ state });
      const path = await site.archive(name, { ...CONTENT, payloadBytes: 5_000_000 });
      const first = await ok(site.run([], STANDALONE));
      const key = (object: keyof typeof KEYS) =>
        state === "C" ? KEYS[object].replace("linux/", "linux/x86_64/") : KEYS[object];
      assert.deepEqual(await named(site), [
        `Controller ${name.replace(".tar.gz", ".zip")}`,
        "Filebeat filebeat.zip",
        "Telegraf telegraf",
        "Vector vector",
      ]);
      assert.deepEqual(
        first.report?.packages.map((p) => [p.source.file, p.type, p.object, p.stored.name, p.action]),
        [
          [name, "controller", "Controller", name.replace(".tar.gz", ".zip"), "uploaded"],
          [name, "collector", "Telegraf", "telegraf", "uploaded"],
          [name, "collector", "Vector", "vector", "uploaded"],
          [name, "collector", "Filebeat", "filebeat.zip", "uploaded"],
        ],
      );

      const inside = await filesOf(await readFile(path));
      for (const [object, below] of [
        ["Telegraf", "bin/telegraf"],
        ["Vector", "bin/vector"],
        ["Filebeat", "bin/filebeat/"],
      ] as const) {
        const { info, sha256: digest, bytes } = await site.objects.read(key(object));
        const entries: JobReport["packages"] =
          first.report?.packages.filter((p) => p.object === object) ?? [];
        assert.deepEqual(
          entries.map((p) => [p.stored.key, p.stored.sha256, p.stored.bytes, p.bytesUploaded]),
          [[key(object), digest, bytes, bytes]],
        );
        assert.equal(info.description, key(object).split("/").at(-1));
        const installed = await install(site, key(object));
        const expected = [...inside].filter(([file]) => file.startsWith(below));
        assert.deepEqual([...installed.keys()].sort(), expected.map(([file]) => file).sort());
        for (const [file, { bytes: content, mode }] of expected) {
          assert.ok(installed.get(file)?.bytes.equals(content), `${file} has the archive's bytes`);
          assert.equal(installed.get(file)?.mode, mode, file);
        }
      }

      const before = await site.state();
      const second = await ok(site.run([], STANDALONE));
      assert.deepEqual(await site.state(), before, "the second run writes nothing");
      assert.deepEqual(new Set(Object.values(actions(second))), new Set(["unchanged"]));
      assert.deepEqual(
        second.report?.packages.map((p) => [p.stored.key, p.stored.sha256, p.stored.bytes]),
        first.report?.packages.map((p) => [p.stored.key, p.stored.sha256, p.stored.bytes]),
      );
      await ok(site.run(["verify"], STANDALONE));
      await ok(site.run(["plan"], STANDALONE));
      assert.deepEqual(await site.state(), before);
    });
  }

  for (const name of [ARCHIVE, "fusion-collectors-linux-amd64.tar.gz"]) {
    test(`${name}: a program that is built with a folder of libraries beside it takes it along`, async () => {
      const site = await servers.site();
      const libraries = [
        { name: "bin/_internal/libpython3.so", content: "a library", mode: 0o755 },
        { name: "bin/_internal/ansible/modules/ping.py", content: "a module", mode: 0o644 },
      ];
      await site.archive(name, { collectors: ["ansible-executor", "telegraf"], entries: libraries });
      await ok(site.run([], STANDALONE));
      assert.deepEqual(await named(site), [
        "Ansible-Executor ansible-executor.zip",
        `Controller ${name.replace(".tar.gz", ".zip")}`,
        "Telegraf telegraf",
      ]);
      const installed = await install(site, "linux/Ansible-Executor/1.0.0/ansible-executor.zip");
      assert.deepEqual([...installed].map(([file, { mode }]) => `${file} ${mode.toString(8)}`).sort(), [
        "bin/_internal/ansible/modules/ping.py 100644",
        "bin/_internal/libpython3.so 100755",
        "bin/ansible-executor 100755",
      ]);
      const before = await site.state();
      await ok(site.run([], STANDALONE));
      assert.deepEqual(await site.state(), before);
    });
  }

  test("only those that COLLECTORS names", async () => {
    const site = await servers.site();
    await site.archive(ARCHIVE, CONTENT);
    await ok(site.run([], { ...STANDALONE, COLLECTORS: "filebeat" }));
    assert.deepEqual(await named(site), [`Controller ${ARCHIVE}`, "Filebeat filebeat.zip"]);
  });

  test("the platform's own definitions, in every shape of their table", async () => {
    for (const [state, packageName] of [
      ["A", false],
      ["B", true],
      ["C", true],
    ] as const) {
      const site = await servers.site({ state });
      await site.archive(ARCHIVE, CONTENT);
      const own = { node_operating_system: "linux", cpu_architecture: "x86_64" };
      const rows = [
        { ...own, name: "Shipper", executable_path: "/opt/fusion-collectors/bin/filebeat/filebeat" },
        { ...own, name: "Metrics", executable_path: "/opt/fusion-collectors/bin/telegraf" },
        { ...own, name: "Absent", executable_path: "/opt/fusion-collectors/bin/absent" },
        { ...own, name: "Elsewhere", executable_path: "/usr/bin/vector" },
        {
          ...own,
          name: "Other",
          node_operating_system: "windows",
          executable_path: "C:\\fusion-collectors\\bin\\vector",
        },
      ];
      await createCollectorTable(site.db, { state, packageName, rows });
      await ok(site.run([], STANDALONE));
      assert.deepEqual(await named(site), [
        `Controller ${ARCHIVE}`,
        "Metrics telegraf",
        "Shipper filebeat.zip",
      ]);
    }
  });

  test("from shared and back, and again: nothing is sent twice, and no row loses its object", async () => {
    const site = await servers.site();
    const path = await site.archive(ARCHIVE, CONTENT);
    await ok(site.run());
    assert.equal((await site.run(["verify"], STANDALONE)).code, 76);
    const there = await ok(site.run([], STANDALONE));
    assert.deepEqual(sent(there), ["Telegraf", "Vector", "Filebeat"]);
    assert.deepEqual(
      there.report?.rows.map((row) => row.action),
      ["unchanged", "updated", "updated", "updated"],
    );
    await ok(site.run(["verify"], STANDALONE));
    const own = await named(site);

    await ok(site.run());
    assert.deepEqual(await named(site), own, "a row with an object of its own stays as it is");
    assert.deepEqual(
      (await site.objects.list()).map((info) => info.name).sort(),
      [`linux/Controller/1.0.0/${ARCHIVE}`, ...Object.values(KEYS)].sort(),
      "what shared mode did not replace stays",
    );

    const again = await ok(site.run([], STANDALONE));
    assert.deepEqual(sent(again), []);
    assert.deepEqual(await named(site), own);
    const stored = await site.objects.read(`linux/Controller/1.0.0/${ARCHIVE}`);
    assert.equal(stored.sha256, await sha256(path));
    assert.deepEqual(await site.objects.unreachable(), []);
  });
});

describe("an archive that was built again", () => {
  test("replaces what has other bytes, and only that", async () => {
    const site = await servers.site();
    await site.archive(ARCHIVE, CONTENT);
    await ok(site.run([], STANDALONE));

    const entries = [...(CONTENT.entries ?? []), { name: "install.sh", content: "echo other\n" }];
    await site.archive(ARCHIVE, { ...CONTENT, entries });
    const installer = await ok(site.run([], STANDALONE));
    assert.deepEqual(sent(installer), ["Controller"]);
    assert.deepEqual(actions(installer), {
      Controller: "replaced",
      Telegraf: "unchanged",
      Vector: "unchanged",
      Filebeat: "unchanged",
    });
    const settled = await site.state();
    await ok(site.run([], STANDALONE));
    await ok(site.run(["verify"], STANDALONE));
    assert.deepEqual(await site.state(), settled);

    const more = [
      ...entries,
      { name: "bin/telegraf", content: "#!/bin/sh\nexec new\n", mode: 0o755 },
      { name: "bin/filebeat/module/system/auth.yml", content: "other\n" },
    ];
    await site.archive(ARCHIVE, { ...CONTENT, entries: more });
    const fail = await site.run([], { ...STANDALONE, ON_CONFLICT: "fail" });
    assert.equal(fail.code, 65, explain(fail));
    const keep = await ok(site.run([], { ...STANDALONE, ON_CONFLICT: "keep" }));
    assert.deepEqual(actions(keep), {
      Controller: "kept",
      Telegraf: "kept",
      Vector: "unchanged",
      Filebeat: "kept",
    });
    assert.deepEqual(await site.state(), settled);
    const replace = await ok(site.run([], STANDALONE));
    assert.deepEqual(sent(replace), ["Controller", "Telegraf", "Filebeat"]);
    const installed = await install(site, KEYS.Telegraf);
    assert.equal(installed.get("bin/telegraf")?.bytes.toString(), "#!/bin/sh\nexec new\n");
    const warning = replace.events.find(
      (event) => event.event === "package.replaced" && event.key === KEYS.Telegraf,
    );
    assert.match(String(warning?.sha256), /^[0-9a-f]{64}$/);
    assert.match(String(warning?.storedSha256), /^[0-9a-f]{64}$/);
    assert.notEqual(warning?.sha256, warning?.storedSha256);
    assert.deepEqual(await site.objects.unreachable(), []);
  });
});

describe("what is lost, and a user's package", () => {
  test("lost chunks, objects and rows come back", async () => {
    const site = await servers.site();
    await site.archive(ARCHIVE, CONTENT);
    const first = await ok(site.run([], STANDALONE));
    await site.objects.damage(KEYS.Telegraf);
    await site.objects.damage(KEYS.Filebeat, "first");
    await site.objects.remove(KEYS.Vector);
    await site.db.query("DELETE FROM node_mgmt_packageversion WHERE object = 'Vector'");
    assert.equal((await site.run(["verify"], STANDALONE)).code, 76);
    const mended = await ok(site.run([], STANDALONE));
    assert.deepEqual(actions(mended), {
      Controller: "unchanged",
      Telegraf: "repaired",
      Vector: "uploaded",
      Filebeat: "repaired",
    });
    for (const { key, sha256: digest } of first.report?.packages.map((p) => p.stored) ?? []) {
      assert.equal((await site.objects.read(key)).sha256, digest);
    }
    await ok(site.run(["verify"], STANDALONE));
  });

  test("a person's collector is never overwritten, and the same bytes are no conflict", async () => {
    const site = await servers.site();
    const path = await site.archive(ARCHIVE, CONTENT);
    const person = { type: "collector", object: "Telegraf", name: "telegraf", created_by: "admin" };
    await insertRow(site.db, person);
    await site.objects.putForeign(KEYS.Telegraf, Buffer.from("somebody's telegraf"));
    const refused = await site.run([], STANDALONE);
    assert.equal(refused.code, 65, explain(refused));
    assert.deepEqual(actions(refused), {
      Controller: "uploaded",
      Telegraf: "failed",
      Vector: "uploaded",
      Filebeat: "uploaded",
    });
    assert.equal(
      (await install(site, KEYS.Telegraf)).get("bin/telegraf")?.bytes.toString(),
      "somebody's telegraf",
    );

    const telegraf = (await filesOf(await readFile(path))).get("bin/telegraf")?.bytes;
    assert.ok(telegraf);
    await site.objects.putForeign(KEYS.Telegraf, telegraf);
    const before = await site.state();
    assert.deepEqual(
      new Set(Object.values(actions(await ok(site.run([], STANDALONE))))),
      new Set(["unchanged"]),
    );
    assert.deepEqual(await site.state(), before);
  });
});

describe("a damaged archive", () => {
  /** Damages the last bytes of a collector's data, so that its header is still read as a program's. */
  async function damaged(site: Site): Promise<void> {
    const path = await site.archive(ARCHIVE, CONTENT);
    const bytes = await readFile(path);
    const next = bytes.indexOf("fusion-collectors/bin/filebeat/filebeat");
    const at = next - 30 - 100;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
  }

  for (const check of ["full", "quick"]) {
    test(`ARCHIVE_CHECK=${check}: exit 65 once for the archive, and nothing of it is stored`, async () => {
      const site = await servers.site();
      await damaged(site);
      const run = await site.run([], { ...STANDALONE, ARCHIVE_CHECK: check });
      assert.equal(run.code, 65, explain(run));
      assert.equal(run.events.filter(({ event }) => event === "package.failed").length, 1);
      const failed = ["Controller", "Telegraf", "Vector", "Filebeat"].map((object) => [object, "failed"]);
      assert.deepEqual(actions(run), Object.fromEntries(failed));
      assert.match(run.report?.error?.message ?? "", /bin\/vector/);
      assert.deepEqual([await site.objects.list(), await site.objects.unreachable()], [[], []]);
      assert.deepEqual(await site.rows(), []);
    });
  }
});
