import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { spawnGuarded, type TempDir, tempDir } from "../support/guard.ts";
import { ENTRY, NODE_FLAGS } from "../support/run.ts";
import { explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();
let folder: TempDir;
const mounts: string[] = [];
let count = 0;
before(() => {
  folder = tempDir("outputs");
});
after(() => {
  for (const path of mounts) execFileSync("umount", [path]);
  folder.remove();
});

/** Runs the job with a standard output of its own; `close`: its reader goes away. */
async function run(site: Site, args: string[], stdout: number | "close") {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawnGuarded(process.execPath, [...NODE_FLAGS, ENTRY, ...args], {
    env: { PATH, HOME, ...site.env },
    stdio: ["ignore", stdout === "close" ? "pipe" : stdout, "pipe"],
  });
  child.ref();
  if (stdout === "close") child.stdout?.destroy();
  const said = child.stderr ? text(child.stderr) : "";
  const [code] = await once(child, "exit");
  return { code: code as number | null, stderr: await said };
}

function mount(...args: string[]): boolean {
  try {
    execFileSync("mount", args, { stdio: "ignore" });
  } catch {
    return false;
  }
  mounts.unshift(args.at(-1) ?? "");
  return true;
}

function place(): string {
  const path = join(folder.path, `place${++count}`);
  mkdirSync(path);
  return path;
}

describe("a standard output that accepts nothing", { concurrency: 2 }, () => {
  for (const how of ["full", "closed"] as const) {
    const open = () => (how === "full" ? openSync("/dev/full", "w") : "close");

    test(`${how}: costs the log, and the work is done`, async () => {
      const site = await servers.site();
      await site.archive();
      const stdout = open();
      const { code, stderr } = await run(site, [], stdout);
      if (stdout !== "close") closeSync(stdout);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal((await site.rows()).length, 4);
      assert.equal(JSON.parse(readFileSync(site.env.REPORT_FILE ?? "", "utf8")).exitCode, 0);
    });

    test(`${how}, with --json: the work is done, and the end is 74`, async () => {
      const id: ReasonId = "output.unwritable";
      const site = await servers.site();
      await site.archive();
      const stdout = open();
      const { code, stderr } = await run(site, ["--json"], stdout);
      if (stdout !== "close") closeSync(stdout);
      assert.equal(code, 74, stderr);
      const last = JSON.parse(stderr.trim().split("\n").at(-1) ?? "");
      assert.deepEqual([last.event, last.reason, last.code], ["run.failed", id, 74]);
      assert.equal((await site.rows()).length, 4);
      const report = JSON.parse(readFileSync(site.env.REPORT_FILE ?? "", "utf8"));
      assert.deepEqual([report.exitCode, report.error.reason], [74, id]);
    });
  }
});

describe("REPORT_FILE", () => {
  for (const full of ["from the beginning", "from the first line on"]) {
    test(`on a disk that is full ${full}: the work is done, nothing is left behind`, async (t) => {
      const disk = place();
      if (!mount("-t", "tmpfs", "-o", "size=4k", "tmpfs", disk))
        return t.diagnostic("this user may not mount a tmpfs");
      const site = await servers.site();
      await site.archive();
      if (full === "from the beginning") writeFileSync(join(disk, "other"), "x".repeat(4096));
      const running = site.start([], { REPORT_FILE: join(disk, "report.json") });
      await running.waitForEvent("run.started");
      writeFileSync(join(disk, "other"), "x".repeat(4096));
      const result = await running.done;
      assert.equal(result.code, 0, explain(result));
      assert.equal((await site.rows()).length, 4);
      assert.deepEqual(readdirSync(disk), ["other"]);
      const said = result.events.find(({ event }) => event === "report.failed");
      assert.match(String(said?.msg), /report\.json \(ENOSPC\)/, explain(result));
      assert.equal(result.events.at(-1)?.event, "run.done");
    });
  }

  test("on a read-only disk: 78 before any work, and it is said once", async (t) => {
    const disk = place();
    if (!mount("-t", "tmpfs", "-o", "ro", "tmpfs", disk))
      return t.diagnostic("this user may not mount a tmpfs");
    const site = await servers.site();
    await site.archive();
    const other = join(place(), "other.json");
    const result = await site.run([], { REPORT_FILE: `${other}, ${join(disk, "report.json")}` });
    assert.equal(result.code, 78, explain(result));
    assert.deepEqual(await site.rows(), []);
    assert.equal(result.stdout.match(/EROFS/g)?.length, 1, explain(result));
    assert.equal(JSON.parse(readFileSync(other, "utf8")).error.reason, "config.report");
  });

  test("may be several, a link, and a file that is mounted by itself", async (t) => {
    const site = await servers.site();
    const here = place();
    const [plain, target, link, alone] = ["plain", "target", "link", "alone"].map((name) => join(here, name));
    for (const path of [target, alone]) writeFileSync(path ?? "", "x".repeat(100_000));
    symlinkSync("target", link ?? "");
    if (!mount("--bind", alone ?? "", alone ?? "")) t.diagnostic("this user may not mount a file");
    const { code } = await site.run(["wait"], { REPORT_FILE: `${plain},${link},${alone}` });
    assert.equal(code, 0);
    const texts = [plain, target, link, alone].map((path) => readFileSync(path ?? "", "utf8"));
    assert.equal(JSON.parse(texts[0] ?? "").outcome, "ok");
    assert.equal(new Set(texts).size, 1);
    assert.ok(lstatSync(link ?? "").isSymbolicLink());
    assert.deepEqual(readdirSync(here).sort(), ["alone", "link", "plain", "target"]);
  });

  test("may be a stream that is open already: the log before it stays", async () => {
    const site = await servers.site();
    const path = join(place(), "log");
    const fd = openSync(path, "w");
    await run({ ...site, env: { ...site.env, REPORT_FILE: "/dev/stdout" } }, ["wait"], fd);
    closeSync(fd);
    const lines = readFileSync(path, "utf8");
    assert.match(lines, /^\{"level".*"run\.started"/);
    assert.match(lines, /"outcome": "ok"/);
  });
});
