import assert from "node:assert/strict";
import { readFile, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { binaryHeader } from "../support/binaries.ts";
import { download } from "../support/install.ts";
import { explain, type Site, sha256, useServers } from "../support/site.ts";
import { unzip } from "../support/unzip.ts";

const servers = useServers();

/** A program with something behind its header that makes it this one and no other. */
const program = (os: "linux" | "windows", arch: "x86_64" | "arm64", more = "") =>
  Buffer.concat([binaryHeader(os, arch), Buffer.from(more)]);

const keys = async (site: Site) => (await site.objects.list()).map(({ name }) => name).sort();

async function refused(site: Site, args: string[] = [], env: Record<string, string> = {}) {
  const run = await site.run(args, env);
  assert.equal(run.code, 65, explain(run));
  assert.deepEqual([await keys(site), await site.rows()], [[], []], "nothing is written");
  return run.report?.error?.reason;
}

const INSTALLERS: [file: string, content: Buffer, key: string][] = [
  [
    "controller/linux/bklite-controller-installer",
    program("linux", "x86_64"),
    "installer/linux/x86_64/bklite-controller-installer",
  ],
  [
    "a/b/c/d/bklite-controller-installer",
    program("linux", "arm64"),
    "installer/linux/arm64/bklite-controller-installer",
  ],
  [
    "controller/windows/bklite-controller-installer.exe",
    program("windows", "x86_64"),
    "installer/windows/x86_64/bklite-controller-installer.exe",
  ],
  [
    "bklite-controller-bootstrap.exe",
    program("windows", "x86_64", "bootstrap"),
    "installer/windows/x86_64/bklite-controller-bootstrap.exe",
  ],
];

describe("installers", () => {
  test("at any depth, by name and header: an object each, no row, one platform each", async () => {
    const site = await servers.site({ state: "C" });
    for (const [file, content] of INSTALLERS) site.put(file, content);
    const plan = await site.ok(["plan"]);
    assert.deepEqual(await keys(site), [], "plan writes nothing");
    const run = await site.ok();
    assert.deepEqual(await keys(site), INSTALLERS.map(([, , key]) => key).sort());
    for (const [file, , key] of INSTALLERS)
      assert.equal((await site.objects.read(key)).sha256, await sha256(join(site.volume, file)));
    assert.deepEqual(await site.rows(), []);
    for (const report of [plan.report, run.report]) {
      assert.deepEqual(
        report?.platforms.map(({ os, arch, installer, bootstrap, missing }) => [
          os,
          arch,
          installer,
          bootstrap,
          missing,
        ]),
        [
          ["linux", "x86_64", true, null, ["controller"]],
          ["linux", "arm64", true, null, ["controller"]],
          ["windows", "x86_64", true, true, ["controller"]],
        ],
      );
    }
    const before = await site.state();
    await site.ok();
    await site.ok(["verify"]);
    assert.deepEqual(await site.state(), before);
  });

  test("the Windows installer under its former name is stored under today's", async () => {
    const site = await servers.site({ state: "C" });
    const path = site.put("collector-sidecar-installer.exe", program("windows", "x86_64"));
    await site.ok();
    const key = "installer/windows/x86_64/bklite-controller-installer.exe";
    assert.deepEqual(await keys(site), [key]);
    assert.equal((await site.objects.read(key)).sha256, await sha256(path));
  });

  test("a newer one takes the place of the last, whatever ON_CONFLICT says; verify sees that it is to be", async () => {
    const site = await servers.site({ state: "C" });
    site.put("bklite-controller-installer", program("linux", "x86_64", "one"));
    await site.ok();
    const path = site.put("bklite-controller-installer", program("linux", "x86_64", "two"));
    assert.equal((await site.run(["verify"])).code, 76);
    const run = await site.ok([], { ON_CONFLICT: "fail" });
    assert.deepEqual(
      run.report?.warnings.filter(({ reason }) => reason.startsWith("content.")),
      [],
    );
    const key = "installer/linux/x86_64/bklite-controller-installer";
    assert.equal((await site.objects.read(key)).sha256, await sha256(path));
    assert.deepEqual(await site.objects.unreachable(), []);
  });

  test("any name, by --type or packages.json; what contradicts its header is rejected", async () => {
    const site = await servers.site({ state: "C" });
    const path = site.put("setup-arm", program("linux", "arm64"));
    assert.equal(
      await refused(site, ["--file", path, "--type", "installer", "--arch", "amd64"]),
      "package.program",
    );
    site.put("readme", "text");
    assert.equal(
      await refused(site, ["--file", join(site.volume, "readme"), "--type", "installer"]),
      "installer.kind",
    );
    await site.ok(["--file", path, "--type", "installer"]);
    site.put("boot", program("windows", "x86_64"));
    const packages = [{ file: "boot", type: "installer", object: "bootstrap" }];
    site.put("packages.json", JSON.stringify({ packages }));
    await site.ok();
    assert.deepEqual(await keys(site), [
      "installer/linux/arm64/bklite-controller-installer",
      "installer/windows/x86_64/bklite-controller-bootstrap.exe",
    ]);
  });

  test("two for one platform, a page under its name, a program of another system: rejected", async () => {
    const [twice, page, other] = await Promise.all([1, 2, 3].map(() => servers.site({ state: "C" })));
    assert.ok(twice && page && other);
    twice.put("a/bklite-controller-installer", program("linux", "x86_64"));
    twice.put("b/bklite-controller-installer", program("linux", "x86_64", "other"));
    assert.equal(await refused(twice), "package.clash");
    page.put("bklite-controller-installer", "<!doctype html><html></html>");
    assert.equal(await refused(page), "installer.kind");
    other.put("bklite-controller-installer.exe", program("linux", "x86_64"));
    assert.equal(await refused(other), "package.program");
  });
});

describe("APM probes", () => {
  const FILES: Record<string, string> = {
    "opentelemetry-javaagent.jar": "apm/probe/java/opentelemetry-javaagent.jar",
    "opentelemetry-python-wheels.tar.gz": "apm/probe/python/opentelemetry-python-wheels.tar.gz",
    "opentelemetry-js-auto.tgz": "apm/probe/nodejs/opentelemetry-js-auto.tgz",
    "opentelemetry-go-sdk.zip": "apm/probe/go/opentelemetry-go-sdk.zip",
    "opentelemetry-dotnet-auto-linux-glibc-x64.zip":
      "apm/probe/dotnet/opentelemetry-dotnet-auto-linux-glibc-x64.zip",
  };

  test("each under its language's key, without a row or a platform", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    for (const file of Object.keys(FILES))
      await site.archive(`apm/${file}`, { format: /gz$/.test(file) ? "tar.gz" : "zip", seed: file });
    const run = await site.ok();
    const probes = run.report?.packages.filter(({ type }) => type === "apm-probe") ?? [];
    assert.deepEqual(
      probes.map(({ os, arch, object, version, stored }) => [os, arch, object, version, stored.key]),
      Object.values(FILES)
        .sort((a, b) => (a.split("/")[3] as string).localeCompare(b.split("/")[3] as string))
        .map((key) => [null, null, key.split("/")[2], "latest", key]),
    );
    for (const [file, key] of Object.entries(FILES))
      assert.equal((await site.objects.read(key)).sha256, await sha256(join(site.volume, "apm", file)));
    assert.equal((await site.rows()).length, 4, "the archive's own");
    const before = await site.state();
    await site.ok();
    await site.ok(["verify"]);
    assert.deepEqual(await site.state(), before);
  });

  test("one that is damaged, or none of the known ones, is rejected", async () => {
    const site = await servers.site({ state: "C" });
    const zip = await readFile(await site.archive("other.jar", { format: "zip" }));
    const file = join(site.volume, "other.jar");
    assert.equal(await refused(site, ["--file", file, "--type", "apm-probe"]), "probe.unknown");
    const jar = site.put("opentelemetry-javaagent.jar", zip.subarray(0, zip.length - 100));
    const old = new Date(Date.now() - 3_600_000);
    await utimes(jar, old, old);
    assert.equal(await refused(site, ["--file", jar]), "zip.truncated");
    site.put("opentelemetry-javaagent.jar", "<!doctype html><html>not found</html>");
    assert.equal(await refused(site, ["--file", jar]), "archive.kind.html");
  });
});

describe("the official bundle's layout", () => {
  const TREE = {
    "filebeat/filebeat": program("linux", "x86_64", "filebeat"),
    "filebeat/filebeat.yml": "filebeat.inputs: []\n",
    "filebeat/module/nginx/config.yml": "type: log\n",
    "ansible-executor/ansible-executor": program("linux", "x86_64", "ansible"),
    "ansible-executor/_internal/base.zip": "any",
  };

  test("VERSION, archives, installers, collectors as files and folders: one init, a complete matrix", async () => {
    const site = await servers.site({ state: "C" });
    site.put("controller/VERSION", "LINUX_SIDECAR_VERSION=1.0.7\nWINDOWS_SIDECAR_VERSION=1.0.8\n");
    await site.archive("controller/fusion-collectors-linux-amd64.zip");
    await site.archive("controller/fusion-collectors-windows-amd64.zip", { os: "windows" });
    for (const [file, content] of INSTALLERS.filter(([, , key]) => !key.includes("arm64")))
      site.put(file, content);
    site.put("collector/linux/telegraf", program("linux", "x86_64", "telegraf"));
    site.put("collector/linux/arm64/vector", program("linux", "arm64", "vector"));
    site.put("collector/windows/telegraf.exe", program("windows", "x86_64", "telegraf"));
    site.put("collector/linux/README.md", "words");
    site.put("collector/linux/nobody-knows", program("linux", "x86_64"));
    for (const [file, content] of Object.entries(TREE)) site.put(`collector/linux/${file}`, content);

    const run = await site.ok([], { REQUIRE: "linux/x86_64,windows/x86_64" });
    const rows = (await site.rows()).map((row) =>
      [row.type, row.os, row.cpu_architecture, row.object, row.version, row.name].join(" "),
    );
    assert.deepEqual(rows.sort(), [
      "collector linux arm64 Vector latest vector",
      "collector linux x86_64 Ansible-Executor latest ansible-executor.zip",
      "collector linux x86_64 Filebeat latest filebeat.zip",
      "collector linux x86_64 NATS-Executor 1.0.7 nats-executor",
      "collector linux x86_64 Telegraf latest telegraf",
      "collector linux x86_64 Vector latest vector",
      "collector windows x86_64 NATS-Executor 1.0.8 nats-executor.exe",
      "collector windows x86_64 Telegraf latest telegraf.exe",
      "collector windows x86_64 Vector 1.0.8 vector.exe",
      "controller linux x86_64 Controller 1.0.7 fusion-collectors-linux-amd64.zip",
      "controller windows x86_64 Controller 1.0.8 fusion-collectors-windows-amd64.zip",
    ]);
    const beats = await download(site, "linux/x86_64/Filebeat/latest/filebeat.zip");
    const unpacked = await unzip(beats);
    assert.deepEqual(
      [...unpacked]
        .filter(([name]) => !name.endsWith("/"))
        .map(([name, { mode, bytes }]) => [name, mode & 0o777, String(bytes)]),
      Object.entries(TREE)
        .filter(([name]) => name.startsWith("filebeat/"))
        .map(([name, content]) => [name, name === "filebeat/filebeat" ? 0o755 : 0o644, String(content)]),
    );
    const unknown = run.report?.warnings.filter(({ reason }) => reason === "collector.unknown");
    assert.deepEqual(
      unknown?.map(({ file }) => file),
      ["collector/linux/nobody-knows"],
    );
    const complete = run.report?.platforms.map(({ os, arch, complete: whole }) => [os, arch, whole]);
    assert.deepEqual(complete, [
      ["linux", "x86_64", true],
      ["linux", "arm64", false],
      ["windows", "x86_64", true],
    ]);

    const before = await site.state();
    await site.ok();
    await site.ok(["verify"]);
    assert.deepEqual(await site.state(), before);
    site.put("collector/linux/filebeat/filebeat.yml", "filebeat.inputs: [new]\n");
    await site.ok([], { ON_CONFLICT: "fail" });
    assert.notDeepEqual(await download(site, "linux/x86_64/Filebeat/latest/filebeat.zip"), beats);
  });

  test("a folder with something that no zip can hold is rejected, and so is a program of another platform", async () => {
    const [fifo, other] = await Promise.all([1, 2].map(() => servers.site({ state: "C" })));
    assert.ok(fifo && other);
    fifo.put("collector/linux/filebeat/filebeat", program("linux", "x86_64"));
    await symlink("nowhere", join(fifo.volume, "collector/linux/filebeat/link"));
    assert.equal(await refused(fifo), "collector.folder");
    other.put("collector/linux/arm64/telegraf", program("linux", "x86_64"));
    assert.equal(await refused(other), "package.program");
  });

  test("nothing but what BK-Lite knows no collector for is nothing usable", async () => {
    const site = await servers.site({ state: "C" });
    site.put("collector/linux/nobody-knows", program("linux", "x86_64"));
    for (const args of [[], ["scan"]]) {
      const run = await site.run(args);
      assert.equal(run.code, 66, explain(run));
      assert.match(run.report?.error?.message ?? "", /nobody-knows/);
    }
  });

  test("COLLECTORS says which; a named one may have a file of its own", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive(undefined, { collectors: ["vector"] });
    site.put("collector/linux/telegraf", program("linux", "x86_64"));
    site.put("collector/linux/vector", program("linux", "x86_64"));
    await site.ok([], { COLLECTORS: "Telegraf" });
    assert.deepEqual((await site.rows()).map((row) => row.object).sort(), ["Controller", "Telegraf"]);
  });
});
