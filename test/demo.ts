import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { styleText } from "node:util";
import { buildArchive } from "./support/archives.ts";
import { binaryHeader } from "./support/binaries.ts";
import type { Db } from "./support/database.ts";
import { end, spawnGuarded, tempDir } from "./support/guard.ts";
import { startNats } from "./support/nats.ts";
import { type Objects, openObjects } from "./support/objects.ts";
import { startPostgres } from "./support/postgres.ts";
import { psqlTable } from "./support/psql.ts";
import { ENTRY, jobEnv, NODE_FLAGS } from "./support/run.ts";
import { type PackageRow, rows } from "./support/tables.ts";

/**
 * The official bundle's folder: archives, installers and collectors as BK-Lite's own bootstrap lays them out.
 */
const ARCHIVES = [
  { file: "controller/fusion-collectors-linux-amd64.zip", os: "linux", arch: "x86_64" },
  { file: "controller/fusion-collectors-linux-arm64.zip", os: "linux", arch: "arm64" },
  { file: "controller/fusion-collectors-windows-amd64.zip", os: "windows", arch: "x86_64" },
] as const;
const PROGRAMS = [
  { file: "controller/linux/amd64/bklite-controller-installer", os: "linux", arch: "x86_64" },
  { file: "controller/linux/arm64/bklite-controller-installer", os: "linux", arch: "arm64" },
  { file: "controller/windows/bklite-controller-installer.exe", os: "windows", arch: "x86_64" },
  { file: "controller/windows/bklite-controller-bootstrap.exe", os: "windows", arch: "x86_64" },
  { file: "collector/linux/kafka_exporter", os: "linux", arch: "x86_64" },
  { file: "collector/linux/filebeat/filebeat", os: "linux", arch: "x86_64" },
] as const;
const SETTINGS = { file: "collector/linux/filebeat/filebeat.yml", text: "filebeat.inputs: []\n" };
const KEY = "linux/x86_64/Controller/1.2.0/fusion-collectors-linux-amd64.zip";
/**
 * Controllers at VERSION's number, the archives' collectors with them, those that lie by themselves at
 * `latest`.
 */
const EXPECTED = [
  ...["linux x86_64", "linux arm64", "windows x86_64"].flatMap((platform) => [
    `controller ${platform} Controller 1.2.0`,
    ...["NATS-Executor", "Telegraf", "Vector"].map((object) => `collector ${platform} ${object} 1.2.0`),
  ]),
  "collector linux x86_64 Filebeat latest",
  "collector linux x86_64 Kafka-Exporter latest",
].sort();

/** What is to be undone, last first. */
const undo: (() => Promise<void> | void)[] = [];

function say(text = ""): void {
  process.stdout.write(`${text}\n`);
}

function heading(text: string): void {
  say(`\n${styleText("bold", `== ${text}`)}`);
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not as it must be: ${what}`);
}

async function story(): Promise<void> {
  heading("A Postgres and a NATS server for this demo, both on 127.0.0.1");
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
  say(`Postgres listens on port ${postgres.port}; table node_mgmt_packageversion is there, and empty.`);
  say(`nats-server ${nats.version} listens on port ${nats.port}; its JetStream holds no bucket.`);

  heading("A volume as the official bundle lays it out");
  const volume = tempDir("demo");
  undo.push(() => volume.remove());
  const files = await layOut(volume.path);
  for (const file of files) say(file);
  const archive = join(volume.path, ARCHIVES[0].file);
  const file = { bytes: (await stat(archive)).size, sha256: await sha256Of(archive) };

  const env = {
    ...jobEnv({ db, nats, packages: volume.path }),
    REQUIRE: "linux/x86_64,linux/arm64,windows/x86_64",
  };
  heading(
    "The first run: wait, read the volume, upload, register, verify; every platform is required to be complete",
  );
  await job(env);
  const first = await look(db, objects);

  heading("The second run: everything is in place");
  await job(env);
  const second = await look(db, objects);

  heading("What Postgres has");
  say(psqlTable(["id", "type", "os", "cpu_architecture", "object", "version", "name"], second.rows));
  const identities = second.rows.map((row) =>
    [row.type, row.os, row.cpu_architecture, row.object, row.version].join(" "),
  );
  must(identities.sort().join("\n") === EXPECTED.join("\n"), `the rows are:\n${EXPECTED.join("\n")}`);

  heading("What an independent Object Store client reads");
  await showObject(objects, file);

  heading("What the second run changed");
  must(second.lastSeq === first.lastSeq, `the stream's last sequence: ${first.lastSeq}, ${second.lastSeq}`);
  must(xmins(second.rows) === xmins(first.rows), `xmin: ${xmins(first.rows)}, then ${xmins(second.rows)}`);
  say(`Nothing: the stream's last sequence is still ${second.lastSeq}, and every row's xmin is what it was.`);
}

/** Writes the bundle's folder; returns its files, as `find` lists them. */
async function layOut(dir: string): Promise<string[]> {
  const write = async (file: string, content: string | Buffer) => {
    await mkdir(dirname(join(dir, file)), { recursive: true });
    await writeFile(join(dir, file), content);
    return file;
  };
  const files = [
    await write("controller/VERSION", "LINUX_SIDECAR_VERSION=1.2.0\nWINDOWS_SIDECAR_VERSION=1.2.0\n"),
    await write(SETTINGS.file, SETTINGS.text),
  ];
  for (const { file, os, arch } of PROGRAMS) {
    // no two of them are the same bytes
    files.push(await write(file, Buffer.concat([binaryHeader(os, arch), Buffer.from(file)])));
  }
  for (const { file, os, arch } of ARCHIVES) {
    await buildArchive(join(dir, file), { os, arch, payloadBytes: 3_000_000 });
    files.push(file);
  }
  return files.sort();
}

/** The entry point itself, its output shown as it comes; anything but exit 0 is an error. */
async function job(env: Record<string, string>): Promise<void> {
  const { PATH = "", HOME = "", TERM, NO_COLOR } = process.env;
  const child = spawnGuarded(process.execPath, [...NODE_FLAGS, ENTRY], {
    env: { PATH, HOME, ...(TERM && { TERM }), ...(NO_COLOR && { NO_COLOR }), ...env, LOG_FORMAT: "pretty" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  child.ref();
  undo.push(() => end(child, "SIGTERM"));
  const [code] = (await once(child, "exit")) as [number | null];
  must(code === 0, `the job's exit code: ${code}`);
}

async function look(db: Db, objects: Objects): Promise<{ rows: PackageRow[]; lastSeq: number }> {
  return { rows: await rows(db), lastSeq: await objects.lastSeq() };
}

function xmins(found: readonly PackageRow[]): string {
  return found.map((row) => row.xmin).join(" ");
}

async function showObject(objects: Objects, file: { bytes: number; sha256: string }): Promise<void> {
  const list = await objects.list();
  say(
    list
      .map((info) => `  ${info.name}`)
      .sort()
      .join("\n"),
  );
  must(list.length === EXPECTED.length + 4, "an object for each row, and four installers");
  const read = await objects.read(KEY);
  const digest = `SHA-256=${base64url(file.sha256)}`;
  say(`bucket   ${read.info.bucket}`);
  say(`object   ${read.info.name}`);
  say(`size     ${read.bytes} bytes read in ${read.info.chunks} chunks; the file has ${file.bytes}`);
  say(`digest   ${read.info.digest}`);
  say(`sha256   ${read.sha256} of the bytes read`);
  say(`         ${file.sha256} of the file`);
  must(read.bytes === file.bytes && read.info.size === file.bytes, "the object has the file's size");
  must(read.sha256 === file.sha256, "the bytes read are the file's");
  must(read.info.digest === digest, `the object's digest is the file's, ${digest}`);
  must((await objects.unreachable()).length === 0, "every chunk belongs to the object");
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest("hex");
}

/** Padded, as the Object Store writes digests (ADR-20). */
function base64url(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64").replaceAll("+", "-").replaceAll("/", "_");
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
        reject(new Error(`stopped by ${name}`));
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
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  say(`\nAll as it must be, in ${seconds} s. Both servers are stopped and nothing is left behind.`);
  process.exitCode = 0;
} catch (error) {
  process.stderr.write(`\ndemo: ${(error as Error).message}\n`);
  await cleanUp().catch((failure: Error) => process.stderr.write(`demo: ${failure.message}\n`));
  // Whatever was just being started when it went wrong is not waited for; it ends with this process.
  process.exit();
}
