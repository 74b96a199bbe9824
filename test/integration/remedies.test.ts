import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { age, buildArchive } from "../support/archives.ts";
import type { JobResult } from "../support/run.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";

// Each test brings a failure about, does what its remedy says (the command is taken out of the message), and
// runs again.

const servers = useServers();
const TABLE = "node_mgmt_packageversion";

async function fails(
  site: Site,
  code: number,
  reason: string,
  env: Record<string, string> = {},
): Promise<string> {
  const run = await site.run([], env);
  assert.equal(run.code, code, explain(run));
  assert.equal(run.report?.error?.reason, reason, explain(run));
  return run.report?.error?.hint ?? "";
}

async function succeeds(site: Site, env: Record<string, string> = {}): Promise<JobResult> {
  const run = await site.ok([], env);
  return run;
}

/** Runs the command that follows the remedy's words, as an operator pastes it, in the volume's folder. */
function paste(site: Site, remedy: string, words: string): void {
  const at = remedy.indexOf(words);
  assert.notEqual(at, -1, remedy);
  const command = remedy.slice(at + words.length).split(/; then|; or | \(/)[0] ?? "";
  execFileSync("sh", ["-euc", command], { cwd: site.volume, stdio: ["ignore", "ignore", "inherit"] });
  for (const file of readdirSync(site.volume)) age(join(site.volume, file));
}

/** Returns the match of the only group in a remedy. */
function named(remedy: string, pattern: RegExp): string {
  const [, name] = pattern.exec(remedy) ?? [];
  assert.ok(name, remedy);
  return name;
}

/** Writes a file of the volume that has been complete for a while. */
const put = (site: Site, file: string, content: string | Buffer) => age(site.put(file, content));

async function tarGz(site: Site): Promise<Buffer> {
  const path = join(site.volume, "made.tar.gz");
  await buildArchive(path, { format: "tar.gz", payloadBytes: 100_000 });
  const bytes = readFileSync(path);
  rmSync(path);
  return bytes;
}

describe("a file is repaired by the remedy's command", { concurrency: 2 }, () => {
  test("another format than the name says: mv", async () => {
    const site = await servers.site();
    put(site, "fusion-collectors linux's.zip", await tarGz(site));
    paste(site, await fails(site, 65, "archive.kind.wrong"), "rename it: ");
    assert.deepEqual(readdirSync(site.volume).includes("fusion-collectors linux's.tar.gz"), true);
    await succeeds(site);
  });

  test("a plain tar: gzip", async () => {
    const site = await servers.site();
    put(site, "fusion-collectors-windows-2.0.0.tar.gz", gunzipSync(await tarGz(site)));
    paste(site, await fails(site, 65, "archive.kind.tar", { COLLECTORS: "none" }), "under its name: ");
    // The name, and so the platform, is what it was: the archive is one for Linux.
    await fails(site, 65, "package.program");
    renameSync(
      join(site.volume, "fusion-collectors-windows-2.0.0.tar.gz"),
      join(site.volume, "fusion-collectors-2.0.0.tar.gz"),
    );
    await succeeds(site);
  });

  test("compressed twice: gunzip", async () => {
    const site = await servers.site();
    put(site, "fusion-collectors.tar.gz", gzipSync(await tarGz(site)));
    paste(site, await fails(site, 65, "gzip.content"), "outer gzip: ");
    await succeeds(site);
  });

  test("zipped once more: unzip", async () => {
    const site = await servers.site();
    await site.archive();
    execFileSync("zip", ["-q", "artifact.zip", ARCHIVE], { cwd: site.volume });
    rmSync(join(site.volume, ARCHIVE));
    renameSync(join(site.volume, "artifact.zip"), join(site.volume, "fusion-collectors-artifact.zip"));
    age(join(site.volume, "fusion-collectors-artifact.zip"));
    paste(site, await fails(site, 65, "package.nested"), "inner archive: ");
    await succeeds(site);
  });

  test("parts of split: cat", async () => {
    const site = await servers.site();
    const path = await site.archive();
    const bytes = readFileSync(path);
    rmSync(path);
    put(site, `${ARCHIVE}.001`, bytes.subarray(0, 200_000));
    put(site, `${ARCHIVE}.002`, bytes.subarray(200_000));
    paste(site, await fails(site, 66, "volume.empty"), "split archive: ");
    const { report } = await succeeds(site);
    assert.equal(report?.packages[0]?.stored.sha256, createHash("sha256").update(bytes).digest("hex"));
  });

  test("parts of zip: the remedy of the problem, and the remedy of the warning", async () => {
    for (const by of ["problem", "warning"]) {
      const site = await servers.site();
      await site.archive();
      execFileSync("zip", ["-q", "-s", "100k", "-r", ARCHIVE, "--out", "split.zip"], { cwd: site.volume });
      for (const file of readdirSync(site.volume).filter((name) => name.startsWith("split.")))
        renameSync(
          join(site.volume, file),
          join(site.volume, file.replace("split", "fusion-collectors-linux-amd64")),
        );
      for (const file of readdirSync(site.volume)) age(join(site.volume, file));
      const run = await site.run();
      assert.equal(run.report?.error?.reason, "zip.split", explain(run));
      const warning = run.report?.warnings.find(({ reason }) => reason === "volume.near.split");
      paste(
        site,
        (by === "problem" ? run.report?.error?.hint : warning?.hint) ?? "",
        by === "problem" ? "one folder: " : "parts: ",
      );
      for (const file of readdirSync(site.volume)) if (/\.z\d\d$/.test(file)) rmSync(join(site.volume, file));
      await succeeds(site);
    }
  });

  test("an archive of another platform: the name that is given", async () => {
    const site = await servers.site({ state: "C" });
    const path = await site.archive("fusion-collectors-linux-amd64-1.2.3.zip", { arch: "arm64" });
    const name = named(await fails(site, 65, "package.program"), /as in (\S+\.zip)/);
    assert.equal(name, "fusion-collectors-linux-arm64-1.2.3.zip");
    renameSync(path, join(site.volume, name));
    await succeeds(site);
    assert.deepEqual([...new Set((await site.rows()).map((row) => row.cpu_architecture))], ["arm64"]);
  });

  test("a name that is almost a package's: the name that is given", async () => {
    const site = await servers.site();
    const path = await site.archive("fusion_collectors-linux-amd64.zip");
    const run = await site.run();
    const warning = run.report?.warnings.find(({ reason }) => reason === "volume.near.name");
    renameSync(path, join(site.volume, named(warning?.hint ?? "", /rename it to (\S+)/)));
    await succeeds(site);
  });

  test("a list of checksums that cannot be read: sha256sum", async () => {
    const site = await servers.site();
    await site.archive();
    put(site, "SHA256SUMS", "no digest\n");
    paste(site, await fails(site, 65, "checksum.line"), "NAME.sha256, or ");
    await succeeds(site);
    assert.match(readFileSync(join(site.volume, "SHA256SUMS"), "utf8"), /^[0-9a-f]{64} /);
  });

  test("cut short: the file is copied again", async () => {
    const site = await servers.site();
    const path = await site.archive();
    const whole = readFileSync(path);
    truncateSync(path, whole.length - 1000);
    age(path);
    assert.match(await fails(site, 65, "zip.truncated"), /^copy the file again/);
    put(site, ARCHIVE, whole);
    await succeeds(site);
  });
});

describe("a server is put right by the remedy's command", { concurrency: 2 }, () => {
  test("a bucket that is too small: the limit that is named is enough, and no larger than it has to be", async () => {
    const site = await servers.site();
    await site.archive();
    const manager = await site.objects.connection.jetstreamManager();
    const subjects = [`$O.${site.bucket}.C.>`, `$O.${site.bucket}.M.>`];
    const stream = `OBJ_${site.bucket}`;
    await manager.streams.add({ name: stream, subjects, allow_rollup_hdrs: true, max_bytes: 100_000 });
    const remedy = await fails(site, 73, "store.full.bucket");
    const mib = Number(named(remedy, new RegExp(`nats stream edit ${stream} --max-bytes=(\\d+)MiB`)));
    assert.ok(mib <= 2, remedy);
    await manager.streams.update(stream, { max_bytes: mib * 1024 ** 2 });
    await succeeds(site);
  });

  test("privileges: the GRANTs, until none is missing", async () => {
    const site = await servers.site();
    await site.archive();
    const role = `remedy_${process.pid}`;
    await site.db.query(`CREATE ROLE ${role} LOGIN PASSWORD 'planted-remedy'`);
    await site.db.query(`REVOKE ALL ON SCHEMA public FROM PUBLIC`);
    const env = { DB_USER: role, DB_PASSWORD: "planted-remedy" };
    try {
      for (let round = 0; ; round++) {
        const run = await site.run([], env);
        if (run.code === 0) break;
        assert.ok(run.code === 77 && round < 4, explain(run));
        for (const grant of named(run.report?.error?.hint ?? "", /(GRANT .*)/).split("; "))
          await site.db.query(grant);
      }
    } finally {
      await site.db.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  test("an id sequence that lags behind: setval", async () => {
    const site = await servers.site();
    await site.archive();
    await succeeds(site);
    await site.db.query(`ALTER TABLE ${TABLE} ALTER COLUMN id RESTART WITH 1`);
    await site.archive("fusion-collectors-linux-amd64-2.0.0.zip", { seed: "other" });
    const remedy = await fails(site, 78, "row.sequence.behind");
    await site.db.query(named(remedy, /(SELECT setval\(.*\))$/));
    await succeeds(site);
  });
});

describe("other content under one version", () => {
  test("a version for this file alone: no other archive is registered again", async () => {
    const site = await servers.site({ state: "C" });
    const windows = "fusion-collectors-windows-amd64.zip";
    await site.archive(windows, { os: "windows" });
    await site.archive();
    await succeeds(site);
    const before = (await site.rows()).filter(({ os }) => os === "windows");
    const path = await site.archive(ARCHIVE, { seed: "other" });
    const remedy = await fails(site, 65, "conflict.content", { ON_CONFLICT: "fail" });
    assert.doesNotMatch(remedy, /PACKAGE_VERSION/);
    renameSync(path, join(site.volume, named(remedy, /\((fusion-collectors\S+\.zip)\)/)));
    await succeeds(site, { ON_CONFLICT: "fail" });
    const after = await site.rows();
    assert.deepEqual(
      after.filter(({ os }) => os === "windows"),
      before,
    );
    assert.ok(after.some(({ version, object }) => version === "1.2.4" && object === "Controller"));
    assert.ok(existsSync(join(site.volume, windows)));
  });

  test("ON_CONFLICT=keep and replace, as they are written there", async () => {
    for (const setting of ["keep", "replace"]) {
      const site = await servers.site();
      await site.archive();
      await succeeds(site);
      await site.archive(ARCHIVE, { seed: "other" });
      const remedy = await fails(site, 65, "conflict.content", { ON_CONFLICT: "fail" });
      const { report } = await succeeds(site, {
        ON_CONFLICT: named(remedy, new RegExp(`ON_CONFLICT=(${setting})`)),
      });
      assert.equal(report?.packages[0]?.action, setting === "keep" ? "kept" : "replaced");
    }
  });
});
