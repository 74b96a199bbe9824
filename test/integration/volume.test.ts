import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, open, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { age } from "../support/archives.ts";
import { type RawEntry, rawZip } from "../support/raw-zip.ts";
import type { JobReport, JobResult } from "../support/run.ts";
import { ARCHIVE, explain, type Site, sha256, useServers } from "../support/site.ts";

const servers = useServers();
const KEY = `linux/Controller/1.0.0/${ARCHIVE}`;
const SIDECAR: RawEntry = { name: "fusion-collectors/collector-sidecar", data: "#!/bin/sh\n" };

/** Nothing was written, and the report names each file with its code. */
async function assertRefused(
  site: Site,
  run: JobResult,
  code: number,
  files: Record<string, RegExp>,
): Promise<void> {
  assert.equal(await site.objects.lastSeq(), 0);
  await assertNothing(site, run, code, files);
}

/**
 * Nothing is served or registered, and no chunk is left: what is damaged inside is found while it is being
 * stored.
 */
async function assertNothing(
  site: Site,
  run: JobResult,
  code: number,
  files: Record<string, RegExp>,
): Promise<void> {
  assert.equal(run.code, code, explain(run));
  assert.deepEqual([await site.rows(), await site.objects.list()], [[], []]);
  assert.deepEqual(await site.objects.unreachable(), []);
  const failed = run.report?.packages.filter((p) => p.action === "failed") ?? [];
  assert.deepEqual(failed.map((p) => p.source.file).sort(), Object.keys(files).sort());
  for (const { source, error } of failed) {
    const { file } = source;
    assert.match(error?.message ?? "", files[file] as RegExp);
    assert.ok(error?.hint, `${file} has no remedy`);
  }
  assert.ok(run.report?.error?.hint);
}

function exitsWith(run: JobResult, code: number): void {
  assert.equal(run.code, code, explain(run));
}

/** Damages a file that has been complete for a while: the job does not wait for more of it. */
async function flipByte(path: string, at: number): Promise<void> {
  await using file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ 1;
  await file.write(byte, 0, 1, at);
  age(path);
}

describe("no input", () => {
  test("a volume that does not exist: 66", async () => {
    const site = await servers.site();
    const run = await site.run([], { PACKAGES_DIR: join(site.volume, "nowhere") });
    assert.equal(run.code, 66, explain(run));
    assert.match(run.report?.error?.message ?? "", /nowhere/);
  });

  test("no archive: 66, or success with ALLOW_EMPTY", async () => {
    const site = await servers.site();
    await writeFile(join(site.volume, "notes.txt"), "not ours");
    await writeFile(join(site.volume, ".fusion-collectors-hidden.zip"), "");
    await writeFile(join(site.volume, "fusion-collectors.zip.part"), "");
    await mkdir(join(site.volume, "a/b/c/d/e"), { recursive: true });
    await writeFile(join(site.volume, "a/b/c/d/e/fusion-collectors.zip"), "too deep");
    const run = await site.run();
    assert.equal(run.code, 66, explain(run));
    await site.ok([], { ALLOW_EMPTY: "true" });
  });
});

describe("bad archives: 65, all of them in one run, before anything is written", () => {
  test("each kind by name and reason", async () => {
    const site = await servers.site({ state: "C" });
    const put = (name: string, entries: RawEntry[]) => writeFile(join(site.volume, name), rawZip(entries));
    const versions = [...Array(12).keys()].map((i) => `fusion-collectors-2.0.${i}.zip`);
    const name = (i: number) => versions[i] as string;
    await site.archive("fusion-collectors-good-9.0.0.zip");
    await truncate(await site.archive(name(0)), 1000);
    await writeFile(join(site.volume, name(1)), "");
    await put(name(2), [
      SIDECAR,
      { name: "fusion-collectors/x", data: "x".repeat(13), size: 1, flags: 0x801 },
    ]);
    await put(name(3), [SIDECAR, { name: "/etc/passwd", data: "x" }]);
    await put(name(4), [SIDECAR, { name: "fusion-collectors/../../x", data: "x" }]);
    await put(name(5), [SIDECAR, { name: "fusion-collectors\\bin\\x", data: "x" }]);
    await put(name(6), [SIDECAR, { name: "fusion-collectors/fifo", mode: 0o010644 }]);
    await put(name(7), [{ name: "readme.txt", data: "x" }]);
    await put(name(8), []);
    await site.archive(name(9), { arch: "arm64" });
    await site.archive(name(10), { os: "windows", collectors: ["telegraf.exe"] });
    const tar = await site.archive("fusion-collectors-2.0.11.tar.gz");
    await flipByte(tar, 150_000);
    for (const each of versions.slice(0, 9)) age(join(site.volume, each));
    const run = await site.run();
    await assertRefused(site, run, 65, {
      [name(0)]: /truncated|cut|damaged|end of central directory|directory/i,
      [name(1)]: /empty|0 bytes/i,
      [name(2)]: /encrypted/i,
      [name(3)]: /absolute/i,
      [name(4)]: /\.\./,
      [name(5)]: /backslash/i,
      [name(6)]: /FIFO|device/i,
      [name(7)]: /collector-sidecar/,
      [name(8)]: /empty|no entries/i,
      [name(9)]: /arm64|x86_64/,
      [name(10)]: /linux|windows|PE|ELF/,
      "fusion-collectors-2.0.11.tar.gz": /damaged|CRC|incorrect data check|gzip/i,
    });
    const logged = run.events.filter((event) => event.event === "package.invalid").map((event) => event.file);
    assert.deepEqual(
      logged.sort(),
      run.report?.packages
        .filter((p) => p.action === "failed")
        .map((p) => p.source.file)
        .sort(),
    );
  });

  test("two archives for one package: both are named", async () => {
    const site = await servers.site();
    const path = await site.archive("one/fusion-collectors-linux-amd64.zip");
    await mkdir(join(site.volume, "two"));
    await copyFile(path, join(site.volume, "two", "fusion-collectors-1.0.0.zip"));
    await assertRefused(site, await site.run(), 65, {
      "one/fusion-collectors-linux-amd64.zip": /two\/fusion-collectors-1.0.0.zip/,
      "two/fusion-collectors-1.0.0.zip": /one\/fusion-collectors-linux-amd64.zip/,
    });
  });

  test("two architectures where the table has no such column", async () => {
    for (const state of ["B", "C"] as const) {
      const site = await servers.site({ state });
      await site.archive();
      await site.archive("fusion-collectors-linux-arm64.zip", { arch: "arm64" });
      const run = await site.run();
      if (state === "C") assert.equal(run.code, 0, explain(run));
      else
        await assertRefused(site, run, 65, {
          [ARCHIVE]: /arm64/,
          "fusion-collectors-linux-arm64.zip": /amd64|x86_64/,
        });
    }
  });

  test("a flipped byte: found by the full check, and by a checksum file", async () => {
    const site = await servers.site();
    const path = await site.archive();
    const digest = await sha256(path);
    await flipByte(path, 150_000);
    await assertNothing(site, await site.run(), 65, { [ARCHIVE]: /CRC/ });
    await writeFile(join(site.volume, "SHA256SUMS"), `${digest}  ${ARCHIVE}\n`);
    age(join(site.volume, "SHA256SUMS"));
    await assertNothing(site, await site.run([], { ARCHIVE_CHECK: "quick" }), 65, {
      [ARCHIVE]: /SHA256SUMS|SHA-256/,
    });
    await writeFile(join(site.volume, "SHA256SUMS"), "");
    await site.ok([], { ARCHIVE_CHECK: "quick" });
  });

  test("each is sent while it is checked: two that are damaged are both named, and the sound one alone is published", async () => {
    const site = await servers.site();
    const bytes = 24_000_000;
    exitsWith(await site.archive().then(() => site.run()), 0);
    const rows = await site.rows();
    const whole = await site.archive(ARCHIVE, { payloadBytes: bytes, seed: "whole" });
    const files = ["fusion-collectors-windows-amd64.zip", "fusion-collectors-linux-2.0.0.zip"];
    for (const file of files) {
      const os = file.includes("windows") ? "windows" : "linux";
      await flipByte(await site.archive(file, { os, payloadBytes: bytes }), bytes - 1000);
    }
    const run = await site.run();
    exitsWith(run, 65);
    const failed = run.report?.packages
      .filter((p) => p.error?.reason === "zip.crc")
      .map((p) => p.source.file);
    assert.deepEqual(failed?.sort(), files.toSorted());
    assert.deepEqual(await site.rows(), rows);
    assert.equal((await site.objects.list()).length, 1);
    assert.equal((await site.objects.read(KEY)).sha256, await sha256(whole));
    assert.deepEqual(await site.objects.unreachable(), []);
  });

  test("an unchanged package is not checked again: its stored bytes are what was checked", async () => {
    const site = await servers.site();
    const path = await site.archive();
    await flipByte(path, 150_000);
    assert.equal((await site.run([], { ARCHIVE_CHECK: "quick" })).code, 0);
    const run = await site.run();
    assert.deepEqual([run.code, run.report?.packages[0]?.action], [0, "unchanged"], explain(run));
  });
});

test("a good checksum file and a symbolic link are fine", async () => {
  const site = await servers.site();
  const path = await site.archive("data/real.zip");
  await symlink("data/real.zip", join(site.volume, ARCHIVE));
  await writeFile(join(site.volume, `${ARCHIVE}.sha256`), `${await sha256(path)}\n`);
  await site.ok();
});

test("usage and configuration: 64 and 78, with all problems together", async () => {
  const site = await servers.site();
  const usage = await site.run(["--force"]);
  assert.equal(usage.code, 64);
  assert.match(usage.stderr, /usage: +bklite-package-init/);
  const config = await site.run([], { DB_PORT: "x", ON_CONFLICT: "y", NATS_SERVERS: "" });
  assert.equal(config.code, 78, explain(config));
  assert.match(
    config.report?.error?.message ?? "",
    /ON_CONFLICT.*DB_PORT.*NATS_SERVERS|DB_PORT.*NATS_SERVERS|NATS_SERVERS/,
  );
  for (const name of ["DB_PORT", "ON_CONFLICT", "NATS_SERVERS"])
    assert.match(config.report?.error?.message ?? "", new RegExp(name));
});

test("--json: the report alone on standard output, the log on standard error", async () => {
  const site = await servers.site();
  await site.archive();
  const run = await site.ok(["--json"], { REPORT_FILE: "" });
  const report = JSON.parse(run.stdout);
  assert.deepEqual([report.schema, report.command, report.outcome, report.exitCode], [3, "init", "ok", 0]);
  assert.ok(run.stderr.includes('"run.done"'));
});

test("REPORT_FILE in .html is a page that holds the JSON report of the other path", async () => {
  const site = await servers.site({ state: "C" });
  const path = await site.archive();
  const [json, html] = ["report.json", "report.HTML"].map((name) => join(site.volume, name)) as [
    string,
    string,
  ];
  await site.ok([], { REPORT_FILE: `${json}, ${html}` });
  const [report, page] = [readFileSync(json, "utf8"), readFileSync(html, "utf8")];
  assert.equal(page.split('id="report">\n')[1]?.split("</script>")[0], report);
  assert.ok(page.replaceAll("<wbr>", "").includes(await sha256(json)));
  const { packages, servers: reached, program } = JSON.parse(report) as JobReport;
  const [controller] = packages.filter(({ type }) => type === "controller");
  assert.deepEqual(
    [controller?.source.sha256, controller?.stored.sha256],
    [await sha256(path), await sha256(path)],
  );
  const { nats, postgres } = reached;
  assert.deepEqual(
    [postgres?.database, postgres?.port, postgres?.tableState, nats?.bucket, program.revision],
    [site.db.name, site.db.port, "C", site.bucket, null],
  );
  const nowhere = join(site.volume, "no-folder", "page.html");
  const refused = await site.run([], { REPORT_FILE: `${json},${nowhere}` });
  assert.equal(refused.code, 78, explain(refused));
  assert.deepEqual(readdirSync(site.volume).sort(), [ARCHIVE, "report.HTML", "report.json"]);
});
