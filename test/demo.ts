import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { styleText } from "node:util";
import { buildArchive } from "./support/archives.ts";
import type { Db } from "./support/database.ts";
import { end, spawnGuarded, tempDir } from "./support/guard.ts";
import { startNats } from "./support/nats.ts";
import { type Objects, openObjects } from "./support/objects.ts";
import { startPostgres } from "./support/postgres.ts";
import { psqlTable } from "./support/psql.ts";
import { ENTRY, jobEnv, NODE_FLAGS } from "./support/run.ts";
import { type PackageRow, rows } from "./support/tables.ts";

const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const KEY = `linux/Controller/1.0.0/${ARCHIVE}`;
/** The guide's rows: the controller, then each collector in its archive. */
const EXPECTED = [
  ["controller", "Controller"],
  ["collector", "Telegraf"],
  ["collector", "Vector"],
  ["collector", "NATS-Executor"],
].map(([type, object]) => `${type} linux ${object} 1.0.0 ${ARCHIVE}`);

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
  const db = await postgres.createDatabase({ state: "B", name: "bklite" });
  const objects = await openObjects(nats);
  undo.push(() => objects.close());
  say(`Postgres listens on port ${postgres.port}; table node_mgmt_packageversion is there, and empty.`);
  say(`nats-server ${nats.version} listens on port ${nats.port}; its JetStream holds no bucket.`);

  heading(`A volume with one archive: ${ARCHIVE}`);
  const volume = tempDir("demo");
  undo.push(() => volume.remove());
  const archive = join(volume.path, ARCHIVE);
  await buildArchive(archive, { version: "1.0.0\n", payloadBytes: 6_000_000 });
  const file = { bytes: (await stat(archive)).size, sha256: await sha256Of(archive) };
  say(`${file.bytes} bytes, with collector-sidecar, telegraf, vector and nats-executor inside.`);

  const env = jobEnv({ db, nats, packages: volume.path });
  heading("The first run: wait, read the archive, upload, register, verify");
  await job(env);
  const first = await look(db, objects);

  heading("The second run: everything is in place");
  await job(env);
  const second = await look(db, objects);

  heading("What Postgres has");
  say(psqlTable(["id", "type", "os", "object", "version", "name"], second.rows));
  const identities = second.rows.map((row) =>
    [row.type, row.os, row.object, row.version, row.name].join(" "),
  );
  must(identities.join("\n") === EXPECTED.join("\n"), `the rows are the guide's:\n${EXPECTED.join("\n")}`);

  heading("What an independent Object Store client reads");
  await showObject(objects, file);

  heading("What the second run changed");
  must(second.lastSeq === first.lastSeq, `the stream's last sequence: ${first.lastSeq}, ${second.lastSeq}`);
  must(xmins(second.rows) === xmins(first.rows), `xmin: ${xmins(first.rows)}, then ${xmins(second.rows)}`);
  say(`Nothing: the stream's last sequence is still ${second.lastSeq}, and every row's xmin is what it was.`);
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
  must(list.map((info) => info.name).join() === KEY, `the only object is ${KEY}`);
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
