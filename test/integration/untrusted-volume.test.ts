import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { copyFile, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { setInterval as every } from "node:timers/promises";
import { binaryHeader } from "../support/binaries.ts";
import { tempDir } from "../support/guard.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();
const PROGRAM = binaryHeader("linux", "x86_64");
const SECRET = "correct-horse-battery-staple";

/** A path on the volume of which the last part is bytes. */
function bytePath(site: Site, folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${join(site.volume, folder)}/`), name]);
}

describe("a link that leads out of the volume is exit 65, and nothing of what it leads to is shown", () => {
  const LINKS: [link: string, content: string | Buffer, args?: string[]][] = [
    [`${ARCHIVE}.sha256`, SECRET],
    ["SHA256SUMS", SECRET],
    ["VERSION", `LINUX_SIDECAR_VERSION=9.${SECRET}`],
    ["packages.json", SECRET],
    ["packages.json", `{"${SECRET}": 1}`],
    ["collector/linux/x86_64/telegraf", Buffer.concat([PROGRAM, Buffer.from(SECRET)])],
    ["collector/linux/filebeat/filebeat", Buffer.concat([PROGRAM, Buffer.from(SECRET)])],
    ["fusion-collectors-2.0.0.zip", SECRET],
  ];
  for (const [link, content] of LINKS) {
    test(`${link} to ${typeof content === "string" ? content.slice(0, 12) : "a program"}`, async () => {
      const site = await servers.site({ state: "C" });
      const outside = tempDir("outside");
      try {
        await site.archive(ARCHIVE);
        const secret = join(outside.path, "secret");
        await writeFile(secret, content);
        await mkdir(dirname(join(site.volume, link)), { recursive: true });
        await symlink(secret, join(site.volume, link));
        const run = await site.run();
        assert.equal(run.code, 65, explain(run));
        assert.equal(run.report?.error?.reason, "file.link", explain(run));
        assert.match(run.report?.error?.message ?? "", new RegExp(link.split("/").at(-1) ?? ""));
        assert.ok(!`${run.stdout}${run.stderr}${JSON.stringify(run.report)}`.includes(SECRET));
        assert.equal(await site.objects.lastSeq(), 0);
      } finally {
        outside.remove();
      }
    });
  }

  test("what --file names may be one, what lies beside it may not; a link that is not read is left alone", async () => {
    const site = await servers.site({ state: "C" });
    const outside = tempDir("outside");
    try {
      const archive = await site.archive(ARCHIVE);
      const elsewhere = join(outside.path, "x.zip");
      await copyFile(archive, elsewhere);
      await symlink(elsewhere, join(site.volume, "fusion-collectors-3.0.0.zip"));
      await symlink(elsewhere, join(site.volume, "notes.txt"));
      await mkdir(join(site.volume, "collector/linux"), { recursive: true });
      await symlink(elsewhere, join(site.volume, "collector/linux/README"));
      const args = ["--file", "fusion-collectors-3.0.0.zip"];
      await site.ok(args);
      await symlink(elsewhere, join(site.volume, "fusion-collectors-3.0.0.zip.sha256"));
      const beside = await site.run(args);
      assert.deepEqual([beside.code, beside.report?.error?.reason], [65, "file.link"], explain(beside));
      rmSync(join(site.volume, "fusion-collectors-3.0.0.zip"));
      rmSync(join(site.volume, "fusion-collectors-3.0.0.zip.sha256"));
      await site.ok();
    } finally {
      outside.remove();
    }
  });
});

test("no message quotes a file: words in a checksum file, packages.json and VERSION", async () => {
  const site = await servers.site({ state: "C" });
  await site.archive(ARCHIVE);
  for (const [file, content] of [
    [`${ARCHIVE}.sha256`, `${SECRET}\n`],
    [`${ARCHIVE}.sha256`, `${"0".repeat(64)}  ${SECRET}\n`],
    ["SHA256SUMS", `${ARCHIVE} ${SECRET}\n`],
    ["packages.json", SECRET],
    ["packages.json", `{"packages": [{"file": "${ARCHIVE}", "version": "${SECRET} 1"}]}`],
    ["packages.json", `{"packages": [{"file": "${ARCHIVE}", "${SECRET}": 1}]}`],
    ["VERSION", `VERSION=1,0 ${SECRET}\n`],
  ] as const) {
    site.put(file, content);
    const run = await site.run(["scan"], { WAIT_TIMEOUT: "1" });
    assert.equal(run.code, 65, explain(run));
    assert.ok(
      !`${run.stdout}${run.stderr}${JSON.stringify(run.report)}`.includes(SECRET),
      `${file}: ${content}`,
    );
    rmSync(join(site.volume, file));
  }
});

describe("waiting has an end", { concurrency: 2 }, () => {
  async function whileRunning(site: Site, ms: number, change: (turn: number) => void) {
    const stop = new AbortController();
    const changes = (async () => {
      let turn = 0;
      for await (const _ of every(ms, undefined, { signal: stop.signal })) change(turn++);
    })().catch(() => {});
    const run = await site.run([], { WAIT_TIMEOUT: "16" });
    stop.abort();
    await changes;
    return run;
  }
  const touch = (path: string) => utimesSync(path, new Date(), new Date());
  const MOVING: [what: string, file: string, change: (site: Site, turn: number) => void][] = [
    ["an archive that is touched all the time", ARCHIVE, (site) => touch(join(site.volume, ARCHIVE))],
    [
      "one that is replaced by rename",
      ARCHIVE,
      (site) => {
        copyFileSync(join(site.volume, ".copy"), join(site.volume, ".next"));
        renameSync(join(site.volume, ".next"), join(site.volume, ARCHIVE));
      },
    ],
    [
      "packages.json in a folder that a link flips to another",
      "packages.json",
      (site, turn) => {
        const next = join(site.volume, ".next");
        mkdirSync(join(site.volume, `.data${turn}`));
        copyFileSync(join(site.volume, ".manifest"), join(site.volume, `.data${turn}/packages.json`));
        symlinkSync(`.data${turn}`, next);
        renameSync(next, join(site.volume, ".data"));
      },
    ],
  ];
  for (const [what, file, change] of MOVING) {
    test(`${what}: exit 74, with a line that names it`, async () => {
      const site = await servers.site({ state: "C" });
      await copyFile(await site.archive(ARCHIVE), join(site.volume, ".copy"));
      if (file === "packages.json") {
        site.put(".manifest", `{"packages": []}`);
        site.put(".data-first/packages.json", `{"packages": []}`);
        await symlink(".data-first", join(site.volume, ".data"));
        await symlink(".data/packages.json", join(site.volume, "packages.json"));
      }
      const run = await whileRunning(site, 400, (turn) => change(site, turn));
      assert.equal(run.code, 74, explain(run));
      assert.equal(run.report?.error?.reason, "file.growing", explain(run));
      assert.ok(run.report?.error?.message.includes(file), explain(run));
      assert.ok(run.events.some((one) => one.event === "scan.growing" && one.file === file));
      assert.deepEqual(await site.rows(), []);
    });
  }

  test("a log file beside it, in a collector's place and in a folder that is no collector's, does not count", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive(ARCHIVE);
    const logs = ["copy.log", "collector/linux/agent.log", "collector/linux/mine/agent.log"];
    for (const log of logs) site.put(log, "x\n");
    const run = await whileRunning(site, 50, (turn) => {
      for (const log of logs) copyFileSync(join(site.volume, ARCHIVE), join(site.volume, log));
      if (turn > 1000) throw new Error("never ends");
    });
    assert.equal(run.code, 0, explain(run));
  });
});

describe("names are bytes", () => {
  const GBK = { copy: "b8b1b1be", folder: "b1b8b7dd", text: "cbb5c3f7" };
  const hex = (text: string) => Buffer.from(text, "hex");
  const NAMES: [what: string, bytes: Buffer][] = [
    ["GBK", hex(GBK.folder)],
    ["Shift-JIS", Buffer.from([0x83, 0x6f, 0x83, 0x62, 0x83, 0x4e])],
    ["no text", Buffer.from([0xff, 0xfe, 0x80, 0x0a])],
  ];
  for (const [what, bytes] of NAMES) {
    test(`${what}: a folder and files that are no package stop nothing`, async () => {
      const site = await servers.site({ state: "C" });
      await site.archive(ARCHIVE);
      site.put("collector/linux/filebeat/filebeat", PROGRAM);
      for (const folder of ["", "collector/linux", "collector/linux/filebeat"]) {
        await mkdir(bytePath(site, folder, bytes));
        await writeFile(bytePath(site, folder, Buffer.concat([bytes, Buffer.from(".txt")])), "x");
      }
      await site.ok();
      const again = await site.run();
      assert.ok(
        again.report?.packages.every(({ action }) => action === "unchanged"),
        explain(again),
      );
    });
  }

  test("a package is stored under a name in UTF-8, with a warning that has its bytes", async () => {
    const site = await servers.site({ state: "C" });
    const archive = await site.archive("archive.zip");
    const name = Buffer.concat([
      Buffer.from("fusion-collectors-linux-amd64-2.0.0 - "),
      hex(GBK.copy),
      Buffer.from(".zip"),
    ]);
    await rename(archive, bytePath(site, "", name));
    const run = await site.ok();
    const stored = "fusion-collectors-linux-amd64-2.0.0 - 副本.zip";
    const row = (await site.rows()).find(({ object }) => object === "Controller");
    assert.deepEqual([row?.version, row?.name], ["2.0.0", stored]);
    const warning = run.report?.warnings.find(({ reason }) => reason === "name.bytes");
    assert.match(warning?.message ?? "", /2\.0\.0 - \\xb8\\xb1\\xb1\\xbe\.zip/);
    assert.deepEqual(run.report?.packages.filter((one) => one.stored.name === stored).length, 1);
  });
});

test("closed system folders and unfinished downloads beside a good archive: exit 0 without a word", async () => {
  const site = await servers.site({ state: "C" });
  const archive = await site.archive(ARCHIVE);
  for (const folder of ["$RECYCLE.BIN", "System Volume Information", "@eaDir", "#snapshot"]) {
    site.put(`${folder}/2026-01-01/x`, "x");
    await copyFile(archive, join(site.volume, folder, "2026-01-01", "fusion-collectors-1.0.0.zip"));
    chmodSync(join(site.volume, folder), 0);
  }
  for (const end of [".baiduyun.p.downloading", ":Zone.Identifier", ".xltd"])
    site.put(`${ARCHIVE}${end}`, "");
  const run = await site.ok();
  assert.deepEqual(
    run.report?.warnings.filter(({ file }) => file !== undefined),
    [],
    explain(run),
  );
});

test("a split archive alone: exit 66 with the command that joins it; an empty folder and other files are said", async () => {
  const site = await servers.site({ state: "C" });
  const env = { REPORT_FILE: "" };
  const empty = await site.run(["scan"], env);
  assert.equal(empty.code, 66, explain(empty));
  assert.match(empty.stdout, /which is empty/);
  site.put("README.md", "");
  site.put("VERSION", "1.0.0\n");
  const others = await site.run(["scan"], env);
  assert.match(others.stdout, /holds 2 other files: README\.md, VERSION/);
  for (const part of ["001", "002"]) site.put(`${ARCHIVE}.${part}`, "x");
  const split = await site.run(["scan"], env);
  assert.equal(split.code, 66, explain(split));
  assert.ok(
    split.stdout.includes(
      `join the parts of the split archive: cat ${ARCHIVE}.001 ${ARCHIVE}.002 > ${ARCHIVE}`,
    ),
  );
});
