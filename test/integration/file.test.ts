import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { age, buildArchive } from "../support/archives.ts";
import { binaryHeader } from "../support/binaries.ts";
import { download, install } from "../support/install.ts";
import { rawZip } from "../support/raw-zip.ts";
import { type JobResult, runJob } from "../support/run.ts";
import { ARCHIVE, explain, type Site, sha256, useServers } from "../support/site.ts";

const servers = useServers();

/** Runs the job in the volume's folder, as the guide does. */
function runThere(site: Site, args: string[], env: Record<string, string> = {}): Promise<JobResult> {
  return runJob({ args, env: { ...site.env, ...env }, cwd: site.volume });
}

async function ok(run: Promise<JobResult>): Promise<JobResult> {
  const result = await run;
  assert.equal(result.code, 0, explain(result));
  return result;
}

async function guideRows(site: Site): Promise<string[]> {
  return (await site.rows()).map((row) =>
    [row.type, row.os, row.cpu_architecture, row.object, row.version, row.name]
      .filter((word) => word !== undefined)
      .join(" "),
  );
}

/** Nothing was written; returns what the report says. */
async function refused(site: Site, run: JobResult, code: number) {
  assert.equal(run.code, code, explain(run));
  assert.deepEqual(await site.rows(), []);
  assert.equal(await site.objects.lastSeq(), 0);
  return run.report?.error ?? assert.fail("no error in the report");
}

describe("the guide's three examples, options as printed there", () => {
  test("--auto: all archives of the volume", async () => {
    const site = await servers.site();
    await site.archive();
    await ok(runThere(site, ["--auto"]));
    assert.deepEqual(await guideRows(site), [
      `controller linux Controller 1.0.0 ${ARCHIVE}`,
      `collector linux Telegraf 1.0.0 ${ARCHIVE}`,
      `collector linux Vector 1.0.0 ${ARCHIVE}`,
      `collector linux NATS-Executor 1.0.0 ${ARCHIVE}`,
    ]);
  });

  test("--file and --version: that archive alone, with its collectors' rows", async () => {
    const site = await servers.site();
    const path = await site.archive();
    await site.archive("fusion-collectors-3.0.0.zip");
    const args = ["--file", ARCHIVE, "--version", "2.0.0"];
    const run = await ok(runThere(site, args));
    assert.deepEqual(await guideRows(site), [
      `controller linux Controller 2.0.0 ${ARCHIVE}`,
      `collector linux Telegraf 2.0.0 ${ARCHIVE}`,
      `collector linux Vector 2.0.0 ${ARCHIVE}`,
      `collector linux NATS-Executor 2.0.0 ${ARCHIVE}`,
    ]);
    const key = `linux/Controller/2.0.0/${ARCHIVE}`;
    assert.equal((await site.objects.read(key)).sha256, await sha256(path));
    assert.deepEqual(
      run.report?.packages.map((p) => [p.source.file, p.stored.key]),
      [[ARCHIVE, key]],
    );
    const before = await site.state();
    await ok(runThere(site, args));
    await ok(runThere(site, ["verify", ...args]));
    assert.deepEqual(await site.state(), before);
  });

  test("--type collector: a collector's own file, which installs", async () => {
    const site = await servers.site();
    const program = { name: "telegraf", data: "#!/bin/sh\n", mode: 0o100755 };
    const bytes = rawZip([program]);
    await writeFile(join(site.volume, "telegraf-collector.zip"), bytes);
    const args = ["--file", "telegraf-collector.zip", "--object", "Telegraf"];
    args.push("--type", "collector", "--version", "1.0.0");
    const run = await ok(runThere(site, args, { COLLECTORS: "Vector" }));
    assert.deepEqual(await guideRows(site), ["collector linux Telegraf 1.0.0 telegraf-collector.zip"]);
    const key = "linux/Telegraf/1.0.0/telegraf-collector.zip";
    assert.deepEqual(
      run.report?.packages.map((p) => [p.source.file, p.type, p.stored.key, p.stored.bytes, p.action]),
      [["telegraf-collector.zip", "collector", key, bytes.length, "uploaded"]],
    );
    assert.equal((await site.objects.read(key)).info.description, "telegraf-collector.zip");
    const installed = await install(site, key);
    assert.deepEqual(
      [...installed].map(([file, { mode, bytes: content }]) => [file, mode, content.toString()]),
      [["bin/telegraf", 0o100755, "#!/bin/sh\n"]],
    );
    const before = await site.state();
    const second = await ok(runThere(site, args));
    assert.equal(second.report?.packages[0]?.action, "unchanged");
    await ok(runThere(site, ["verify", ...args]));
    await ok(runThere(site, ["plan", ...args]));
    assert.deepEqual(await site.state(), before);
  });
});

describe("a collector's own file", () => {
  test("any content; os and architecture from its name, the version from PACKAGE_VERSION", async () => {
    const site = await servers.site({ state: "C" });
    const name = "my_exporter-9.9.9-windows-arm64.exe";
    await writeFile(join(site.volume, name), "a script, say");
    const args = ["--file", join(site.volume, name), "--type", "collector", "--object", "Mine"];
    await site.ok(args);
    await site.ok(args, { PACKAGE_VERSION: "4.0.0" });
    await site.ok([...args, "--os", "linux", "--arch", "amd64", "--version", "latest"]);
    assert.deepEqual(await guideRows(site), [
      `collector windows arm64 Mine 1.0.0 ${name}`,
      `collector windows arm64 Mine 4.0.0 ${name}`,
      `collector linux x86_64 Mine latest ${name}`,
    ]);
    assert.equal(String(await download(site, `linux/x86_64/Mine/latest/${name}`)), "a script, say");
  });

  test("a program's header says the platform where nothing else does; what it contradicts is rejected", async () => {
    const site = await servers.site({ state: "C" });
    await writeFile(join(site.volume, "mine"), binaryHeader("windows", "arm64"));
    const args = ["--file", join(site.volume, "mine"), "--type", "collector", "--object", "Mine"];
    const run = await site.run([...args, "--os", "linux"]);
    assert.equal((await refused(site, run, 65)).reason, "package.program");
    await site.ok(args);
    assert.deepEqual(await guideRows(site), ["collector windows arm64 Mine 1.0.0 mine"]);
  });

  test("a program that was cut off is rejected", async () => {
    const site = await servers.site();
    const program = await readFile(process.execPath);
    await writeFile(join(site.volume, "mine"), program.subarray(0, program.length - 1000));
    const old = new Date(Date.now() - 3_600_000);
    await utimes(join(site.volume, "mine"), old, old);
    const args = ["--file", join(site.volume, "mine"), "--type", "collector", "--object", "Mine"];
    assert.equal((await refused(site, await site.run(args), 65)).reason, "program.truncated");
  });

  test("a name that says two things is rejected, until an option says which", async () => {
    const site = await servers.site();
    await writeFile(join(site.volume, "windows-to-linux"), "anything");
    const args = ["--file", "windows-to-linux", "--type", "collector", "--object", "Mine"];
    assert.match((await refused(site, await runThere(site, args), 65)).message, /windows and linux/);
    await ok(runThere(site, [...args, "--os", "windows"]));
    assert.deepEqual(await guideRows(site), ["collector windows Mine 1.0.0 windows-to-linux"]);
  });

  test("its checksum file counts", async () => {
    const site = await servers.site();
    const args = ["--file", "mine", "--type", "collector", "--object", "Mine"];
    await writeFile(join(site.volume, "mine"), "what came");
    await writeFile(join(site.volume, "mine.sha256"), `${"0".repeat(64)}  mine\n`);
    assert.match((await refused(site, await runThere(site, args), 65)).message, /mine\.sha256/);
    await writeFile(join(site.volume, "mine.sha256"), `${await sha256(join(site.volume, "mine"))}  mine\n`);
    await ok(runThere(site, args));
  });
});

describe("a controller's archive under any name", () => {
  test("its first bytes say what it is, its name what it says, its VERSION the rest", async () => {
    const site = await servers.site({ state: "C" });
    await buildArchive(join(site.volume, "a.zip"), { version: "1.5.0", os: "windows" });
    await copyFile(join(site.volume, "a.zip"), join(site.volume, "probes-windows.bin"));
    await buildArchive(join(site.volume, "b.tar.gz"), { version: "1.6.0", arch: "arm64" });
    await copyFile(join(site.volume, "b.tar.gz"), join(site.volume, "probes_arm64_v7.8.9"));
    await ok(runThere(site, ["--file", "probes-windows.bin"], { COLLECTOR_PACKAGES: "shared" }));
    await ok(runThere(site, ["--file", "./probes_arm64_v7.8.9"]));
    assert.deepEqual(await guideRows(site), [
      "controller windows x86_64 Controller 1.5.0 probes-windows.bin",
      "collector windows x86_64 Telegraf 1.5.0 probes-windows.bin",
      "collector windows x86_64 Vector 1.5.0 probes-windows.bin",
      "collector windows x86_64 NATS-Executor 1.5.0 probes-windows.bin",
      "controller linux arm64 Controller 7.8.9 probes_arm64_v7.8.9.zip",
      "collector linux arm64 Telegraf 7.8.9 telegraf",
      "collector linux arm64 Vector 7.8.9 vector",
      "collector linux arm64 NATS-Executor 7.8.9 nats-executor",
    ]);
  });

  test("is checked as always", async () => {
    const site = await servers.site();
    const damaged = join(site.volume, "probes.zip");
    await buildArchive(damaged);
    await truncate(damaged, (await readFile(damaged)).length - 10);
    age(damaged);
    assert.match(
      (await refused(site, await runThere(site, ["--file", "probes.zip"]), 65)).message,
      /cut short/,
    );
    await writeFile(join(site.volume, "notes.txt"), "just text that nobody has packed");
    const { message, hint } = await refused(site, await runThere(site, ["--file", "notes.txt"]), 65);
    assert.match(message, /notes\.txt is neither a zip nor a gzip file/);
    assert.match(hint, /--type collector/);
    await buildArchive(join(site.volume, "c.zip"));
    const wrong = await runThere(site, ["--file", "c.zip", "--arch", "arm64"]);
    assert.match((await refused(site, wrong, 65)).message, /arm64.*x86_64/);
    const named = await runThere(site, ["--file", "c.zip", "--object", "Telegraf"]);
    assert.match((await refused(site, named, 65)).hint, /--type collector/);
  });
});

describe("no such input", () => {
  test("missing, or no regular file: 66, whatever ALLOW_EMPTY says; empty: 65", async () => {
    const site = await servers.site();
    await mkdir(join(site.volume, "folder"));
    await writeFile(join(site.volume, "empty"), "");
    age(join(site.volume, "empty"));
    const collector = ["--type", "collector", "--object", "Mine"];
    for (const [file, code, reason] of [
      ["missing.zip", 66, /missing\.zip: the file does not exist/],
      ["folder", 66, /folder is not a regular file/],
      ["empty", 65, /empty is empty/],
    ] as const) {
      for (const more of [[], collector]) {
        const run = await runThere(site, ["--file", file, ...more], { ALLOW_EMPTY: "true" });
        assert.match((await refused(site, run, code)).message, reason);
      }
    }
    assert.equal((await runThere(site, ["wait", "--file", "missing.zip"])).code, 0);
  });
});
