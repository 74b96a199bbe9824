import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { styleText } from "node:util";
import { readOutput } from "../src/config/job-settings.ts";
import { formatBytes } from "../src/messages/define.ts";
import { age, buildArchive } from "./support/archives.ts";
import { binaryHeader } from "./support/binaries.ts";
import type { Db } from "./support/database.ts";
import { end, spawnGuarded, tempDir } from "./support/guard.ts";
import { startNats } from "./support/nats.ts";
import { type Objects, openObjects } from "./support/objects.ts";
import { startPostgres } from "./support/postgres.ts";
import { ENTRY, jobEnv, NODE_FLAGS } from "./support/run.ts";
import { rows } from "./support/tables.ts";

/**
 * npm run demo
 * Runs the program three times against a Postgres and a nats-server of its own, and checks from outside what
 * each run left. Each step fits a screen of 80 columns, in the language of the locale. Exits 1 if anything is
 * not as expected.
 */

const TEXT = {
  en: {
    start: "1. A folder as in the official bundle, an empty table, no bucket",
    servers: (postgres: string, nats: string) =>
      `Postgres ${postgres} and nats-server ${nats} run on 127.0.0.1 until the demo ends.`,
    first: "2. The first run uploads and registers",
    stored: (rows: number, objects: number) =>
      `Checked: ${rows} rows, ${objects} objects; a controller read back has its file's SHA-256.`,
    second: "3. The second run writes nothing",
    same: (sequence: number, rows: number) =>
      `Checked: the stream still ends at message ${sequence}; none of ${rows} rows changed (xmin).`,
    third: "4. An archive for linux/arm64 arrives, cut short by its download",
    untouched: "Checked: the table and the bucket are as they were.",
    end: (seconds: string) =>
      `All as expected, in ${seconds} s. The servers are stopped, their files removed.`,
    wrong: "not as expected",
    stopped: "stopped by",
  },
  zh: {
    start: "1. 官方部署包布局的目录，空的数据表，尚无存储桶",
    servers: (postgres: string, nats: string) =>
      `Postgres ${postgres} 与 nats-server ${nats} 在 127.0.0.1 上运行，demo 结束即停止。`,
    first: "2. 第一次运行：上传并登记",
    stored: (rows: number, objects: number) =>
      `已核对：${rows} 条记录，${objects} 个对象；读回的控制器探针包与文件的 SHA-256 一致。`,
    second: "3. 第二次运行：不写入任何内容",
    same: (sequence: number, rows: number) =>
      `已核对：流的最后一条消息仍为 ${sequence}，${rows} 条记录均未改动（xmin）。`,
    third: "4. 新到一个 linux/arm64 探针包，下载中断，文件不完整",
    untouched: "已核对：数据表与存储桶保持原样。",
    end: (seconds: string) => `全部符合预期，用时 ${seconds} 秒。服务端已停止，文件已清理。`,
    wrong: "不符合预期",
    stopped: "已停止：",
  },
} as const;
const { language } = readOutput(process.env);
const text = TEXT[language];

const ARCHIVES = [
  { file: "controller/fusion-collectors-linux-amd64.zip", os: "linux", arch: "x86_64" },
  { file: "controller/fusion-collectors-windows-amd64.zip", os: "windows", arch: "x86_64" },
] as const;
const LATE = { file: "controller/fusion-collectors-linux-arm64.zip", os: "linux", arch: "arm64" } as const;
const PROBE = "apm/opentelemetry-javaagent.jar";
const PROGRAMS = [
  { file: "controller/linux/bklite-controller-installer", os: "linux", arch: "x86_64" },
  { file: "controller/windows/bklite-controller-installer.exe", os: "windows", arch: "x86_64" },
  { file: "controller/windows/bklite-controller-bootstrap.exe", os: "windows", arch: "x86_64" },
  { file: "collector/linux/filebeat/filebeat", os: "linux", arch: "x86_64" },
] as const;
const TEXTS = {
  "controller/VERSION": "LINUX_SIDECAR_VERSION=1.2.0\nWINDOWS_SIDECAR_VERSION=1.2.0\n",
  "collector/linux/filebeat/filebeat.yml": "filebeat.inputs: []\n",
};
/**
 * Controllers and their collectors have VERSION's number; a collector in a folder of its own has `latest`.
 */
const EXPECTED = [
  ...["linux x86_64", "windows x86_64"].flatMap((platform) => [
    `controller ${platform} Controller 1.2.0`,
    `collector ${platform} Telegraf 1.2.0`,
  ]),
  "collector linux x86_64 Filebeat latest",
].sort();
/** Three installers and an APM probe have an object and no row. */
const OBJECTS = EXPECTED.length + 4;

/** What is to be undone, last first. */
const undo: (() => Promise<void> | void)[] = [];

function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

function heading(line: string): void {
  print(`\n${styleText("bold", line)}`);
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`${text.wrong}: ${what}`);
}

async function story(): Promise<void> {
  heading(text.start);
  const [postgres, nats] = await Promise.all([
    startPostgres().then((server) => {
      undo.push(() => server.stop());
      return server;
    }),
    startNats({ user: "admin", password: "only-for-the-demo" }).then((server) => {
      undo.push(() => server.stop());
      return server;
    }),
  ]);
  const db = await postgres.createDatabase({ state: "C", name: "bklite" });
  const objects = await openObjects(nats);
  undo.push(() => objects.close());
  const [server] = await db.query<{ server_version: string }>("SHOW server_version");
  print(text.servers(server?.server_version.split(" ")[0] ?? "", nats.version));

  const folder = tempDir("demo");
  undo.push(() => folder.remove());
  const volume = join(folder.path, "pkgs");
  for (const file of await layOut(volume)) {
    print(`  ${`pkgs/${file}`.padEnd(60)}${formatBytes((await stat(join(volume, file))).size).padStart(10)}`);
  }

  const env = { ...jobEnv({ db, nats, packages: "pkgs" }), REQUIRE: "linux/x86_64,windows/x86_64" };
  const job = (code: number) => runJob(env, folder.path, code);
  heading(text.first);
  await job(0);
  const first = await readState(db, objects);
  await checkStored(first, objects, await sha256Of(join(volume, ARCHIVES[0].file)));

  heading(text.second);
  await job(0);
  const second = await readState(db, objects);
  check(second.state === first.state, `\n${first.state}\n${second.state}`);
  print(text.same(second.sequence, second.rows.length));

  heading(text.third);
  await buildArchive(join(volume, LATE.file), { ...LATE, payloadBytes: 30_000_000 });
  await truncate(join(volume, LATE.file), 20_000_000);
  age(join(volume, LATE.file));
  await job(65);
  const third = await readState(db, objects);
  check(third.state === first.state, `\n${first.state}\n${third.state}`);
  print(text.untouched);
}

/** Writes the bundle's folder; returns its files in order. */
async function layOut(dir: string): Promise<string[]> {
  const write = async (file: string, content: string | Buffer) => {
    await mkdir(dirname(join(dir, file)), { recursive: true });
    await writeFile(join(dir, file), content);
  };
  for (const [file, content] of Object.entries(TEXTS)) await write(file, content);
  // each program's bytes are its own
  for (const { file, os, arch } of PROGRAMS)
    await write(file, Buffer.concat([binaryHeader(os, arch), Buffer.from(file)]));
  for (const { file, os, arch } of ARCHIVES)
    await buildArchive(join(dir, file), { os, arch, collectors: ["telegraf"], payloadBytes: 30_000_000 });
  await buildArchive(join(dir, PROBE), { format: "zip", top: "", collectors: [] });
  return [...Object.keys(TEXTS), PROBE, ...[...PROGRAMS, ...ARCHIVES].map(({ file }) => file)].sort();
}

/** Runs the program as `npm run build` leaves it, with its output on this screen; checks its exit code. */
async function runJob(env: Record<string, string>, cwd: string, expected: number): Promise<void> {
  const { PATH = "", HOME = "", TERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG, COLUMNS } = process.env;
  const screen = Object.entries({ TERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG, COLUMNS });
  print(styleText("dim", "$ bklite-package-init; echo $?"));
  const child = spawnGuarded(process.execPath, [...NODE_FLAGS, ENTRY], {
    env: {
      ...{ PATH, HOME, ...env, LOG_FORMAT: "pretty", LOG_LANG: language },
      ...Object.fromEntries(screen.filter(([, value]) => value !== undefined)),
    },
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
  });
  child.ref();
  undo.push(() => end(child, "SIGTERM"));
  const [code] = (await once(child, "exit")) as [number | null];
  print(`${code}`);
  check(code === expected, `exit ${code}, ${expected}`);
}

/** Reads rows and objects; `state` differs after any write. */
async function readState(db: Db, objects: Objects) {
  const found = await rows(db);
  const sequence = await objects.lastSeq();
  return { rows: found, sequence, state: [sequence, ...found.map((row) => row.xmin)].join(" ") };
}

async function checkStored(
  { rows: found }: Awaited<ReturnType<typeof readState>>,
  objects: Objects,
  sha256: string,
): Promise<void> {
  const identities = found.map(({ type, os, cpu_architecture, object, version }) =>
    [type, os, cpu_architecture, object, version].join(" "),
  );
  check(identities.sort().join("\n") === EXPECTED.join("\n"), identities.join("\n"));
  const list = await objects.list();
  check(list.length === OBJECTS, list.map(({ name }) => name).join("\n"));
  const orphans = await objects.unreachable();
  check(orphans.length === 0, orphans.join("\n"));
  const read = await objects.read("linux/x86_64/Controller/1.2.0/fusion-collectors-linux-amd64.zip");
  check(read.sha256 === sha256, `SHA-256 ${read.sha256}, ${sha256}`);
  print(text.stored(found.length, list.length));
}

async function sha256Of(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

/** Undoes everything, whatever fails on the way; then throws the first failure. */
async function cleanUp(): Promise<void> {
  const failures: unknown[] = [];
  for (let step = undo.pop(); step; step = undo.pop()) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Rejects at Ctrl-C or SIGTERM, so that the servers are stopped in order. */
function interrupted(): Promise<never> {
  return new Promise((_, reject) => {
    for (const [name, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      process.on(name, () => {
        process.exitCode = code;
        reject(new Error(`${text.stopped} ${name}`));
      });
    }
  });
}

// Anything but a proven end is a failure.
process.exitCode = 1;
const started = performance.now();
try {
  await Promise.race([story(), interrupted()]);
  await cleanUp();
  print(`\n${text.end(((performance.now() - started) / 1000).toFixed(1))}`);
  process.exitCode = 0;
} catch (error) {
  process.stderr.write(`\ndemo: ${(error as Error).message}\n`);
  await cleanUp().catch((failure: Error) => process.stderr.write(`demo: ${failure.message}\n`));
  // Whatever was just being started when it went wrong is not waited for; it ends with this process.
  process.exit();
}
