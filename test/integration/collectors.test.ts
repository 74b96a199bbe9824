import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { installCollector } from "../support/agent.ts";
import { age } from "../support/archives.ts";
import { binaryHeader } from "../support/binaries.ts";
import { rawZip } from "../support/raw-zip.ts";
import { explain, type Site, useServers } from "../support/site.ts";
import { type CollectorRow, createCollectorTable, insertRow, type TableState } from "../support/tables.ts";

const servers = useServers();
const LINUX = "/opt/fusion-collectors/bin/";
const WINDOWS = "C:\\fusion-collectors\\bin\\";
const STANDALONE = { COLLECTOR_PACKAGES: "standalone" };
/**
 * States of the table, and what the official layout is run with there; `unknown`: a column that the job does
 * not know.
 */
const STATES: [
  state: TableState,
  options: { arm64: boolean; env?: Record<string, string>; unknown?: string },
][] = [
  ["A", { arm64: false, env: STANDALONE }],
  ["B", { arm64: false, env: STANDALONE }],
  ["C", { arm64: true }],
  ["D", { arm64: true }],
  ["E", { arm64: true }],
  [
    "E",
    {
      arm64: true,
      unknown: '"Release channel" varchar(10)',
      env: { ROW_DEFAULTS: "Release channel=stable" },
    },
  ],
];
const BEATS = ["Auditbeat", "Filebeat", "Packetbeat"];

/** The platform's definitions of 2026-09 (BK-Lite facts), for one os and architecture. */
function definitions(os: "linux" | "windows", arch = "x86_64"): CollectorRow[] {
  const path = (name: string) => (os === "linux" ? LINUX + name : `${WINDOWS}${name.replace("/", "\\")}.exe`);
  const one = (name: string, executable_path: string, package_name = name.toLowerCase()): CollectorRow => ({
    name,
    node_operating_system: os,
    cpu_architecture: arch,
    executable_path,
    package_name,
  });
  const both = [
    one("Telegraf", path("telegraf")),
    one("Vector", path("vector")),
    one("NATS-Executor", path("nats-executor")),
    one("OTel-Collector", path("bklite-otelcol")),
    one("APM-OTEL", path("bklite-otelcol")),
  ];
  if (os === "windows") return [...both, one("Winlogbeat", path("winlogbeat/winlogbeat"))];
  return [
    ...both,
    one("Ansible-Executor", path("ansible-executor")),
    ...BEATS.map((name) => one(name, path(`${name.toLowerCase()}/${name.toLowerCase()}`))),
    one("JVM-JMX", "/usr/bin/java", "jmx_jvm"),
    one("Snmptrapd", "/usr/sbin/snmptrapd", "snmptrapd"),
    one("Kafka-Exporter", path("kafka_exporter")),
  ];
}

const program = (name: string, os: "linux" | "windows" = "linux", arch: "x86_64" | "arm64" = "x86_64") =>
  Buffer.concat([binaryHeader(os, arch), Buffer.from(name)]);

/** Whether what a row stands for starts on a node, by the definition of exactly its name. */
async function starts(site: Site, object: string, os = "linux", arch = "x86_64"): Promise<boolean> {
  const columns = "name, node_operating_system, executable_path, package_name";
  const [definition] = await site.db.query<{ executable_path: string; package_name: string }>(
    `SELECT ${columns} FROM node_mgmt_collector WHERE name = $1 AND node_operating_system = $2`,
    [object, os],
  );
  assert.ok(definition, object);
  const row = (await site.rows()).find(
    (one) => one.object === object && one.os === os && (one.cpu_architecture ?? arch) === arch,
  );
  assert.ok(row, `${os}/${arch} ${object} has a row`);
  const at = row.cpu_architecture === undefined ? os : `${os}/${arch}`;
  const node = await installCollector(site, `${at}/${object}/${row.version}/${row.name}`);
  try {
    return await node.starts(definition);
  } finally {
    node.remove();
  }
}

async function defined(state: TableState, rows: readonly CollectorRow[]): Promise<Site> {
  const site = await servers.site({ state });
  await createCollectorTable(site.db, { state, packageName: true, rows });
  return site;
}

const PROBES: [file: string, language: string][] = [
  ["opentelemetry-javaagent.jar", "java"],
  ["opentelemetry-python-wheels.tar.gz", "python"],
  ["opentelemetry-js-auto.tgz", "nodejs"],
  ["opentelemetry-go-sdk.zip", "go"],
  ["opentelemetry-dotnet-auto-linux-glibc-x64.zip", "dotnet"],
];

/** The official layout: flat files, folders, zips, a program with its libraries beside it, probes. */
async function official(site: Site, arm64: boolean): Promise<void> {
  site.put("controller/VERSION", "LINUX_SIDECAR_VERSION=1.0.7\nWINDOWS_SIDECAR_VERSION=1.0.8\n");
  await site.archive("controller/fusion-collectors-linux-amd64.zip");
  await site.archive("controller/fusion-collectors-windows-amd64.zip", { os: "windows" });
  for (const name of ["telegraf", "vector", "nats-executor", "kafka_exporter", "bklite-otelcol", "auditbeat"])
    site.put(`collector/linux/${name}`, program(name));
  site.put("collector/linux/ansible-executor", program("ansible"));
  site.put("collector/linux/_internal/base_library.zip", "any");
  site.put("collector/linux/_internal/lib/libpython.so", program("so"));
  site.put("collector/linux/jmx_jvm.jar", "PK any");
  site.put("collector/linux/snmptrapd", program("snmptrapd"));
  site.put("collector/linux/filebeat/filebeat", program("filebeat"));
  site.put("collector/linux/filebeat/module/nginx.yml", "a: b\n");
  site.put(
    "collector/linux/packetbeat.zip",
    rawZip([
      { name: "packetbeat-8.19.0-linux-x86_64/packetbeat", data: program("packetbeat"), mode: 0o100755 },
      { name: "packetbeat-8.19.0-linux-x86_64/packetbeat.yml", data: "a: b\n", mode: 0o100644 },
    ]),
  );
  for (const name of ["telegraf", "nats-executor", "bklite-otelcol", "winlogbeat"])
    site.put(`collector/windows/${name}.exe`, program(name, "windows"));
  for (const [file] of PROBES)
    await site.archive(`apm/${file}`, { format: /gz$/.test(file) ? "tar.gz" : "zip", seed: file });
  if (!arm64) return;
  await site.archive("controller/fusion-collectors-linux-arm64.zip", {
    arch: "arm64",
    version: "1.0.2",
    collectors: ["telegraf", "filebeat", "ansible-executor", "metricbeat"],
    entries: [{ name: "bin/_internal/libpython.so", content: "a library", mode: 0o755 }],
  });
}

describe("the official layout: every collector starts on a node", () => {
  for (const [state, { arm64, unknown, env = {} }] of STATES) {
    test(`table state ${state}${unknown ? " with an unknown column" : ""}`, async () => {
      const rows = [
        ...definitions("linux"),
        ...(arm64 ? definitions("linux", "arm64") : []),
        ...definitions("windows"),
      ];
      const site = await defined(state, rows);
      if (unknown) await site.db.query(`ALTER TABLE node_mgmt_packageversion ADD ${unknown} NOT NULL`);
      await official(site, arm64);
      const run = await site.ok([], {
        ...env,
        REQUIRE: PROBES.map(([, language]) => `apm/${language}`).join("，"),
      });
      const linux = definitions("linux").map(({ name }) => name);
      for (const name of linux) assert.ok(await starts(site, name), name);
      for (const { name } of definitions("windows")) assert.ok(await starts(site, name, "windows"), name);
      if (arm64)
        for (const name of ["Telegraf", "Filebeat", "Ansible-Executor"])
          assert.ok(await starts(site, name, "linux", "arm64"), `arm64 ${name}`);
      const platform = (os: string, arch: string) =>
        run.report?.platforms.find((one) => one.os === os && (one.arch ?? arch) === arch)?.collectors;
      assert.deepEqual(
        platform("linux", "x86_64"),
        { installable: linux.toSorted(), listed: [] },
        explain(run),
      );
      assert.deepEqual(platform("windows", "x86_64")?.listed, []);
      assert.deepEqual(
        run.report?.probes.map(({ name, stored }) => [name, stored]),
        PROBES.map(([name]) => [name, "whole"]),
      );
      const warned = run.report?.warnings
        .map(({ reason }) => reason)
        .filter((id) => /^collector|collectors/.test(id));
      assert.deepEqual(warned, []);

      const before = await site.state();
      const second = await site.ok([], env);
      assert.deepEqual(await site.state(), before, explain(second));
      // they work with an unknown column without any setting
      for (const command of ["verify", "plan", "gate"])
        await site.ok([command], { ...env, ROW_DEFAULTS: "" });
      assert.deepEqual(await site.state(), before);
      for (const { status = "ready", sha256 = "0".repeat(64) } of await site.rows())
        assert.match(`${status} ${sha256}`, /^ready [0-9a-f]{64}$/);
    });
  }

  test("libraries beside a program come along, and change with it", async () => {
    const site = await defined("C", definitions("linux"));
    site.put("collector/linux/ansible-executor", program("ansible"));
    site.put("collector/linux/_internal/lib/a.py", "one");
    await site.ok();
    const key = "linux/x86_64/Ansible-Executor/latest/ansible-executor.zip";
    const node = await installCollector(site, key);
    assert.ok(await node.has("bin/_internal/lib/a.py"));
    assert.ok(!(await node.has("bin/_internal/_internal")));
    node.remove();
    site.put("collector/linux/_internal/lib/b.py", "two");
    await site.ok();
    const again = await installCollector(site, key);
    assert.ok(await again.has("bin/_internal/lib/b.py"));
    again.remove();
  });
});

describe("a collector is stored in the shape that its definition starts", () => {
  const shipper = (executable_path: string, package_name = "filebeat"): CollectorRow[] => [
    {
      name: "Shipper",
      node_operating_system: "linux",
      cpu_architecture: "x86_64",
      executable_path,
      package_name,
    },
  ];
  const entry = (name: string, mode = 0o100755) => ({ name, data: program("filebeat"), mode });
  const FLAT = `${LINUX}filebeat`;
  const FOLDER = `${LINUX}filebeat/filebeat`;
  const SHAPES: [what: string, path: string, files: Record<string, string | Buffer>, name: string][] = [
    ["a file, started in a folder", FOLDER, { "collector/linux/filebeat": program("f") }, "filebeat.zip"],
    [
      "a file, started in a folder of another name",
      `${LINUX}shipper/bin/filebeat`,
      { "collector/linux/filebeat": program("f") },
      "shipper.zip",
    ],
    [
      "a folder, started in one of another name",
      `${LINUX}shipper/filebeat`,
      { "collector/linux/filebeat/filebeat": program("f"), "collector/linux/filebeat/a.yml": "a" },
      "shipper.zip",
    ],
    ["a folder, started as a file", FLAT, { "collector/linux/filebeat/filebeat": program("f") }, "filebeat"],
    [
      "a folder with libraries, started in bin/",
      FLAT,
      { "collector/linux/filebeat/filebeat": program("f"), "collector/linux/filebeat/_internal/a.so": "a" },
      "filebeat.zip",
    ],
    [
      "a zip that is flat",
      FOLDER,
      { "collector/linux/filebeat.zip": rawZip([entry("filebeat")]) },
      "filebeat.zip",
    ],
    [
      "a zip with its folder, started as a file",
      FLAT,
      { "collector/linux/filebeat.zip": rawZip([entry("filebeat-8/bin/filebeat")]) },
      "filebeat",
    ],
    [
      "a zip in which nothing may run",
      FOLDER,
      { "collector/linux/filebeat.zip": rawZip([entry("filebeat/filebeat", 0o100644)]) },
      "filebeat.zip",
    ],
    [
      "a declared file of another name",
      FLAT,
      {
        "filebeat-8.19": program("f"),
        "packages.json": JSON.stringify({
          packages: [{ file: "filebeat-8.19", type: "collector", object: "Shipper", version: "8.19.0" }],
        }),
      },
      "filebeat",
    ],
  ];
  for (const [what, path, files, name] of SHAPES) {
    test(what, async () => {
      const site = await defined("C", shipper(path));
      for (const [file, content] of Object.entries(files)) site.put(file, content);
      const run = await site.ok();
      assert.deepEqual(
        (await site.rows()).map((row) => row.name),
        [name],
      );
      assert.ok(await starts(site, "Shipper"));
      assert.deepEqual(run.report?.platforms[0]?.collectors, { installable: ["Shipper"], listed: [] });
      const before = await site.state();
      await site.ok();
      await site.ok(["verify"]);
      assert.deepEqual(await site.state(), before);
    });
  }

  for (const format of ["zip", "tar.gz"] as const) {
    test(`cut from a ${format}: a file in its folder, a folder as a file, one that may not run`, async () => {
      const rows = [
        ...shipper(FOLDER),
        { ...shipper(`${LINUX}telegraf`, "telegraf")[0], name: "Metrics" } as CollectorRow,
        { ...shipper(`${LINUX}other/vector`, "vector")[0], name: "Pipeline" } as CollectorRow,
      ];
      const site = await defined("C", rows);
      await site.archive(`fusion-collectors-linux-amd64.${format}`, {
        collectors: ["filebeat", "telegraf/telegraf"],
        entries: [{ name: "bin/other/vector", content: program("vector"), mode: 0o644 }],
      });
      const run = await site.ok();
      for (const name of ["Shipper", "Metrics", "Pipeline"]) assert.ok(await starts(site, name), name);
      assert.deepEqual(run.report?.platforms[0]?.collectors.listed, []);
      const before = await site.state();
      await site.ok();
      assert.deepEqual(await site.state(), before);
    });
  }

  test("the program in a zip is judged as a loose one, wherever it lies", async () => {
    const zip = (path: string, data: Buffer) => rawZip([{ name: path, data, mode: 0o100755 }]);
    const run = async (files: Record<string, string | Buffer>) => {
      const site = await servers.site({ state: "C" });
      for (const [file, content] of Object.entries(files)) {
        site.put(file, content);
        age(join(site.volume, file));
      }
      const { report } = await site.run();
      return report?.error?.reason ?? report?.rows.map(({ arch, object }) => `${arch} ${object}`);
    };
    const cut = program("p");
    cut.writeBigUInt64LE(10_000n, 96); // of the segment that its header announces
    const DEEP = "packetbeat-8/usr/bin/packetbeat";
    const loose = "collector/linux/packetbeat.zip";
    assert.deepEqual(await run({ [loose]: zip(DEEP, program("p", "linux", "arm64")) }), ["arm64 Packetbeat"]);
    assert.equal(await run({ [loose]: zip(DEEP, program("p", "windows")) }), "package.program");
    assert.equal(await run({ [loose]: zip(DEEP, cut) }), "program.truncated");
    const packages = [{ file: "fb.zip", type: "collector", object: "Filebeat", version: "8.19.0" }];
    const declared = {
      "fb.zip": zip("filebeat-8/filebeat", program("f", "linux", "arm64")),
      "packages.json": JSON.stringify({ packages }),
    };
    assert.deepEqual(await run(declared), ["arm64 Filebeat"]);
  });

  test("one that cannot be where it is started is stored, warned of, and not counted", async () => {
    const outside = shipper("/opt/fusion-collectors/agents/filebeat");
    const site = await defined("C", [...outside, ...shipper(FLAT).map((one) => ({ ...one, name: "Empty" }))]);
    site.put("filebeat", program("f"));
    site.put("nothing.zip", rawZip([{ name: "readme", data: "words", mode: 0o100644 }]));
    const packages = [
      { file: "filebeat", type: "collector", object: "Shipper" },
      { file: "nothing.zip", type: "collector", object: "Empty" },
    ];
    site.put("packages.json", JSON.stringify({ packages }));
    for (const command of ["init", "verify"]) {
      const run = await site.ok([command]);
      assert.deepEqual(run.report?.platforms[0]?.collectors, {
        installable: [],
        listed: ["Empty", "Shipper"],
      });
      const warned = run.report?.warnings.filter(({ reason }) => reason === "collector.unstartable");
      assert.deepEqual(warned?.map(({ file }) => file).sort(), ["filebeat", "nothing.zip"]);
    }
    assert.equal((await site.rows()).length, 2);
  });

  test("a row of an earlier run whose name starts nothing gets the name that does", async () => {
    const site = await defined("C", definitions("linux").slice(0, 1));
    site.put("telegraf-1.30", program("telegraf"));
    const packages = [{ file: "telegraf-1.30", type: "collector", object: "Metrics", version: "1.30.0" }];
    site.put("packages.json", JSON.stringify({ packages }));
    await site.ok();
    assert.deepEqual(
      (await site.rows()).map(({ name }) => name),
      ["telegraf-1.30"],
    );
    await site.db.query(
      `INSERT INTO node_mgmt_collector (id, name, node_operating_system, executable_path, cpu_architecture, package_name)
       VALUES ('m', 'Metrics', 'linux', '${LINUX}telegraf', 'x86_64', 'telegraf')`,
    );
    assert.equal((await site.run(["verify"])).code, 76);
    await site.ok([], { ON_CONFLICT: "fail" });
    assert.deepEqual(
      (await site.rows()).map(({ name }) => name),
      ["telegraf"],
    );
    assert.ok(await starts(site, "Metrics"));
    assert.deepEqual(
      (await site.objects.list()).map(({ name }) => name),
      ["linux/x86_64/Metrics/1.30.0/telegraf"],
    );
    assert.deepEqual(await site.objects.unreachable(), []);
    const before = await site.state();
    await site.ok();
    assert.deepEqual(await site.state(), before);
  });

  test("an old table without package_name: the built-in list says what Java starts", async () => {
    const site = await servers.site({ state: "A" });
    await createCollectorTable(site.db, {
      state: "A",
      packageName: false,
      rows: definitions("linux").filter(({ name }) => name === "JVM-JMX"),
    });
    site.put("collector/linux/jmx_jvm.jar", "PK any");
    const run = await site.ok();
    assert.deepEqual(run.report?.platforms[0]?.collectors, { installable: ["JVM-JMX"], listed: [] });
  });

  test("paths are spelled in many ways, and a collector may be defined for a platform that nobody has", async () => {
    const row = (name: string, executable_path: string, more: Partial<CollectorRow> = {}): CollectorRow => {
      const os = executable_path.startsWith("/") ? "linux" : "windows";
      return { name, node_operating_system: os, executable_path, package_name: "", ...more };
    };
    const site = await defined("E", [
      row("Telegraf", "C:\\Fusion-Collectors\\bin\\Telegraf.exe"),
      row("Filebeat", "c:\\\\fusion-collectors\\\\bin\\\\filebeat\\\\FileBeat.exe"),
      row("Vector", "C:/fusion-collectors/bin/vector.exe"),
      row("Telegraf", "/opt//fusion-collectors/bin//telegraf"),
      row("Deep", `${LINUX}deep/usr/bin/deep`),
      row("Vector", `${LINUX}vector`, { cpu_architecture: "riscv64" }),
    ]);
    for (const name of ["telegraf.exe", "filebeat.exe", "vector.exe"])
      site.put(`collector/windows/${name}`, program(name, "windows"));
    site.put("collector/linux/telegraf", program("telegraf"));
    site.put("collector/linux/vector", program("vector"));
    await site.archive("fusion-collectors-linux-amd64.zip", { collectors: ["deep/usr/bin/deep", "vector"] });
    await site.ok();
    for (const name of ["Telegraf", "Filebeat", "Vector"])
      assert.ok(await starts(site, name, "windows"), name);
    for (const name of ["Telegraf", "Deep"]) assert.ok(await starts(site, name), name);
    const linux = (await site.rows()).filter(({ os }) => os === "linux").map(({ object }) => object);
    assert.deepEqual(linux.sort(), ["Controller", "Deep", "Telegraf"]);
    const before = await site.state();
    await site.ok();
    assert.deepEqual(await site.state(), before);
  });

  test("a path that leads out of bin/ is never used", async () => {
    const site = await defined("C", shipper(`${LINUX}../../../etc/filebeat`));
    site.put("filebeat", program("f"));
    const packages = [{ file: "filebeat", type: "collector", object: "Shipper" }];
    site.put("packages.json", JSON.stringify({ packages }));
    const run = await site.ok();
    assert.deepEqual(run.report?.platforms[0]?.collectors.installable, []);
    assert.deepEqual(
      (await site.objects.list()).map(({ name }) => name),
      ["linux/x86_64/Shipper/1.0.0/filebeat"],
    );
  });
});

describe("what others stored is judged by its row's name", () => {
  test("a flat name where a folder is started, a controller that is no zip, an object that nobody defines", async () => {
    const site = await defined("C", definitions("linux"));
    const stored: [type: string, object: string, name: string][] = [
      ["controller", "Controller", "fusion-collectors.tar.gz"],
      ["collector", "Filebeat", "filebeat"],
      ["collector", "Auditbeat", "auditbeat.zip"],
      ["collector", "Nats-Executor", "nats-executor"],
      ["collector", "Telegraf", "telegraf"],
      ["collector", "JVM-JMX", "jmx_jvm.jar"],
      ["collector", "Vector", "vector-0.40"],
    ];
    for (const [type, object, name] of stored) {
      await insertRow(site.db, { type, object, name, version: "1.0.0", created_by: "admin" });
      await site.objects.putForeign(`linux/x86_64/${object}/1.0.0/${name}`, Buffer.from(name));
    }
    const run = await site.ok(["verify"], { ALLOW_EMPTY: "true" });
    const [platform] = run.report?.platforms ?? [];
    assert.deepEqual(platform?.controller, [], explain(run));
    assert.deepEqual(platform?.collectors, {
      installable: ["Auditbeat", "JVM-JMX", "Telegraf"],
      listed: ["Filebeat", "Nats-Executor", "Vector"],
    });
    const named = (reason: string) =>
      run.report?.warnings
        .filter((one) => one.reason === reason)
        .map(({ message }) => message.split(": ")[1]);
    assert.deepEqual(named("platform.collectors.unknown"), ["Nats-Executor"]);
    assert.deepEqual(named("platform.collectors.unstartable"), ["Filebeat, Vector"]);
    const required = await site.run(["verify"], { ALLOW_EMPTY: "true", REQUIRE: "linux/x86_64" });
    assert.equal(required.code, 76, explain(required));
    const gate = await site.run(["gate"], { WAIT_TIMEOUT: "1" });
    assert.equal(gate.code, 76, explain(gate));
  });
});

describe("one version of a collector on every architecture", () => {
  const versions = async (site: Site) =>
    (await site.rows())
      .filter(({ type }) => type === "collector")
      .map((row) => `${row.cpu_architecture} ${row.object} ${row.version}`)
      .sort();
  const loose = (site: Site) => site.put("collector/linux/telegraf", program("telegraf"));

  test("what is cut for another architecture is latest where one has a file of its own; the others keep theirs", async () => {
    const site = await servers.site({ state: "C" });
    await loose(site);
    await site.archive("fusion-collectors-linux-amd64-1.0.3.zip", { collectors: ["telegraf", "vector"] });
    await site.archive("fusion-collectors-linux-arm64-1.0.2.zip", {
      arch: "arm64",
      collectors: ["telegraf", "vector"],
    });
    await site.ok();
    assert.deepEqual(await versions(site), [
      "arm64 Telegraf latest",
      "arm64 Vector 1.0.2",
      "x86_64 Telegraf latest",
      "x86_64 Vector 1.0.3",
    ]);
  });

  test("of two archives the newest by number counts, whatever their order", async () => {
    const site = await servers.site({ state: "C" });
    await loose(site);
    for (const version of ["1.0.9", "1.0.10", "1.0.10-rc1"])
      await site.archive(`fusion-collectors-linux-arm64-${version}.zip`, {
        arch: "arm64",
        collectors: ["telegraf"],
        seed: version,
      });
    const run = await site.ok();
    assert.deepEqual(await versions(site), ["arm64 Telegraf latest", "x86_64 Telegraf latest"]);
    const cut = run.report?.packages.find(({ arch, object }) => arch === "arm64" && object === "Telegraf");
    assert.equal(cut?.source.file, "fusion-collectors-linux-arm64-1.0.10.zip");
    const before = await site.state();
    await site.ok();
    assert.deepEqual(await site.state(), before);
  });
});

describe("REQUIRE", () => {
  test("an APM probe that is not stored whole is exit 76, and named", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    await site.archive("apm/opentelemetry-go-sdk.zip");
    const REQUIRE = "apm/go、apm/java";
    const run = await site.run([], { REQUIRE });
    assert.equal(run.code, 76, explain(run));
    assert.match(run.report?.error?.message ?? "", /apm\/java \(no probe\)/);
    assert.doesNotMatch(run.report?.error?.message ?? "", /apm\/go/);
    await site.ok(["verify"], { REQUIRE: "APM/go" });
    await site.objects.damage("apm/probe/go/opentelemetry-go-sdk.zip");
    const status = await site.run(["verify"], { REQUIRE: "apm/go" });
    assert.equal(status.code, 76, explain(status));
    assert.deepEqual(
      status.report?.probes.filter(({ stored }) => stored !== "missing"),
      [{ name: "opentelemetry-go-sdk.zip", key: "apm/probe/go/opentelemetry-go-sdk.zip", stored: "damaged" }],
    );
    await site.ok(["gate"], { REQUIRE: "linux/amd64；apm/java;region/2" });
  });
});
