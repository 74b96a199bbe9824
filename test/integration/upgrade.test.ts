import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { shellBlocks } from "../e2e/docs.ts";
import { binaryHeader } from "../support/binaries.ts";
import { rebuild } from "../support/rebuild.ts";
import { ENTRY, type JobReport, NODE_FLAGS } from "../support/run.ts";
import { type Site, useServers } from "../support/site.ts";
import { createCollectorTable, insertRow } from "../support/tables.ts";

const servers = useServers();
const page = shellBlocks("upgrade.md");

/** Takes Docker's place for the page's commands: the job itself, with the settings of `.env`. */
const DOCKER = `#!/bin/sh
set -a
[ ! -f .env ] || . ./.env
set +a
case "$*" in
  "compose up -d") exec ${process.execPath} ${NODE_FLAGS.join(" ")} ${ENTRY} ;;
  "compose run --rm package-init "*) shift 4; exec ${process.execPath} ${NODE_FLAGS.join(" ")} ${ENTRY} "$@" ;;
esac
exit 1
`;

/**
 * Runs all blocks under a heading of the page, each as it is printed, and returns the last command's report.
 */
async function runPage(site: Site, heading: string): Promise<JobReport> {
  const blocks = page.get(heading) ?? [];
  assert.ok(blocks.length > 0, `no block under "${heading}"`);
  for (const block of blocks) await runShell(site, block);
  return JSON.parse(await readFile(site.env.REPORT_FILE ?? "", "utf8"));
}

async function runShell(site: Site, script: string): Promise<void> {
  const env = { ...site.env, PACKAGES_DIR: pkgs(site, ""), PATH: `${site.volume}/bin:${process.env.PATH}` };
  const child = spawn("sh", ["-e", "-c", script], {
    cwd: site.volume,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, error, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  assert.equal(code, 0, `${script}\n${out.slice(-4000)}\n${error}`);
}

const pkgs = (site: Site, file: string) => join(site.volume, "pkgs", file);

/** Puts a version's archive into ./pkgs, as its vendor built it. */
async function put(site: Site, version: string): Promise<string> {
  const file = `fusion-collectors-linux-amd64-${version}.zip`;
  return site.archive(`pkgs/${file}`, { seed: version });
}

/**
 * What BK-Lite's page offers: the versions of each object whose row is there and whose object can be read.
 */
async function offered(site: Site): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const row of await site.rows()) {
    await site.objects.read(`linux/x86_64/${row.object}/${row.version}/${row.name}`);
    found[row.object] = [...(found[row.object] ?? []), row.version].sort();
  }
  return found;
}

test("docs/upgrade.md: each command as it is printed, and what BK-Lite's page offers after it", async () => {
  const site = await servers.site({ state: "C" });
  await mkdir(join(site.volume, "bin"));
  await writeFile(join(site.volume, "bin/docker"), DOCKER);
  await chmod(join(site.volume, "bin/docker"), 0o755);
  const programs = ["Telegraf", "Vector", "NATS-Executor"];
  await createCollectorTable(site.db, {
    state: "C",
    rows: programs.map((name) => ({
      name,
      node_operating_system: "linux",
      executable_path: `/opt/fusion-collectors/bin/${name.toLowerCase()}`,
    })),
  });

  // The bootstrap's folder, rows and objects.
  const controller = await site.archive("pkgs/controller/fusion-collectors-linux-amd64.zip");
  await writeFile(pkgs(site, "controller/VERSION"), 'LINUX_SIDECAR_VERSION="1.0.0"\n');
  const program = Buffer.concat([binaryHeader("linux", "x86_64"), Buffer.alloc(5000, "x")]);
  await mkdir(pkgs(site, "collector/linux"), { recursive: true });
  await writeFile(pkgs(site, "collector/linux/telegraf"), program);
  const bootstrap = [
    { object: "Controller", version: "1.0.0", name: "fusion-collectors-linux-amd64.zip" },
    { object: "Telegraf", version: "latest", name: "telegraf" },
    { object: "Nats-Executor", version: "latest", name: "nats-executor" },
  ];
  for (const row of bootstrap) {
    const bytes = row.object === "Controller" ? await readFile(controller) : program;
    await insertRow(site.db, { ...row, type: row.object === "Controller" ? "controller" : "collector" });
    await site.objects.putForeign(`linux/x86_64/${row.object}/${row.version}/${row.name}`, bytes, row.name);
  }
  const rows = await site.rows();
  const infos = (await site.objects.list()).map(({ name, nuid }) => [name, nuid]);

  await runPage(site, "Take over what is there");
  assert.deepEqual((await site.rows()).slice(0, rows.length), rows, "rows of the bootstrap are not written");
  const now = new Map((await site.objects.list()).map(({ name, nuid }) => [name, nuid]));
  for (const [name, nuid] of infos) assert.equal(now.get(name ?? ""), nuid, `${name} is stored again`);
  const first = await offered(site);
  assert.deepEqual(first.Controller, ["1.0.0"]);
  assert.deepEqual(first.Telegraf, ["latest"]);
  assert.deepEqual(Object.keys(first).sort(), [
    "Controller",
    "NATS-Executor",
    "Nats-Executor",
    "Telegraf",
    "Vector",
  ]);

  const second = await put(site, "2.0.0");
  await runPage(site, "A new version beside the old one");
  assert.deepEqual((await offered(site)).Controller, ["1.0.0", "2.0.0"]);
  assert.deepEqual((await offered(site)).Vector, ["1.0.0", "2.0.0"]);

  const before = await site.state();
  const bytes = await readFile(second);
  await rebuild(second);
  assert.notDeepEqual(await readFile(second), bytes);
  const same = await runPage(site, "The same version, built again");
  assert.deepEqual([...new Set(same.packages.map(({ action }) => action))], ["unchanged"]);
  await runShell(site, "docker compose up -d");
  assert.deepEqual(await site.state(), before, "an archive that was only packed again changes nothing");

  await rm(second);
  const back = await runPage(site, "Go back to the version before");
  assert.ok(back.removed.every(({ done }) => done));
  assert.deepEqual(await offered(site), first);

  await rm(pkgs(site, "controller"), { recursive: true });
  for (const version of ["2.0.0", "3.0.0"]) {
    const path = await put(site, version);
    await runShell(site, "docker compose up -d");
    await rm(path);
  }
  await runPage(site, "Remove old versions");
  const kept = await offered(site);
  assert.deepEqual(kept.Controller, ["2.0.0", "3.0.0"]);
  assert.deepEqual(kept.Vector, ["2.0.0", "3.0.0"]);
  assert.deepEqual([kept.Telegraf, kept["Nats-Executor"]], [["latest"], ["latest"]]);

  for (const version of ["4.0.0", "5.0.0"]) await put(site, version);
  await runPage(site, "After each run");
  assert.deepEqual((await offered(site)).Controller, ["3.0.0", "4.0.0", "5.0.0"]);
  assert.deepEqual(await site.objects.unreachable(), []);
});
