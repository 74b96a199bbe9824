import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { LANGUAGES, type Language } from "../../src/messages/define.ts";
import { cellWidth, loadCells } from "../../src/output/terminal.ts";
import { buildArchive } from "../support/archives.ts";
import { binaryHeader } from "../support/binaries.ts";
import type { Db } from "../support/database.ts";
import { tempDir } from "../support/guard.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type Objects, openObjects } from "../support/objects.ts";
import { rawZip } from "../support/raw-zip.ts";
import { jobEnv, runJob } from "../support/run.ts";
import { useServers } from "../support/site.ts";
import type { TableState } from "../support/tables.ts";
import { until } from "../support/wait.ts";

/**
 * Situations that an operator meets. Each is made for real, and what the screen shows of it is kept in
 * test/screens/, in both languages at 80 columns, for people to read. `UPDATE_SCREENS=1 npm run
 * test:integration -- screens` writes them again; otherwise they must say what is there.
 */
const SCREENS = join(import.meta.dirname, "../screens");
const UPDATE = process.env.UPDATE_SCREENS === "1";

const servers = useServers();
const COLUMNS = 80;
/** Lines in which an operator must find what is wrong, where, and what to do. */
const LAST = 10;
const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const TABLE = "node_mgmt_packageversion";
const REMEDY: Record<Language, string> = { en: "What to do: ", zh: "处理办法：" };
const HTML = "<!DOCTYPE html><html></html>";
const LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";

/** A folder with the volume in it and, if the situation needs them, a database and a bucket. */
interface Stage {
  /** The volume. */
  dir: string;
  write(file: string, content?: string | Buffer): void;
  archive(name?: string, options?: Parameters<typeof buildArchive>[1]): Promise<string>;
  run(args?: string[], env?: Record<string, string>): Promise<unknown>;
  db: Db;
  objects: Objects;
  bucket: string;
}

interface Situation {
  name: string;
  code: number;
  /** What is wrong, in the last lines of the screen in every language: a name, a file, a server. */
  says: RegExp;
  make?: (stage: Stage) => unknown;
  args?: string[];
  env?: Record<string, string> | ((stage: Stage) => Record<string, string>);
  /** The table's state, if the situation needs servers. */
  state?: TableState | "none";
  /** Lines that the screen has at most. */
  most?: number;
  /** Nothing has to be done. */
  isWell?: true;
}

let locked: NatsServer;
before(async () => {
  await loadCells();
  mkdirSync(SCREENS, { recursive: true });
  locked = await startNats({ user: "admin", password: "right" });
});
after(() => locked?.stop());

/** The archive's bytes with one of its content changed. */
function flip(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
  writeFileSync(path, bytes);
}

const age = (path: string) => utimesSync(path, new Date(2026, 0, 1), new Date(2026, 0, 1));

/** The official bundle's layout, for three platforms. */
async function bundle({ dir, write }: Stage, versions = ["1.2.0"]): Promise<void> {
  write(
    "controller/VERSION",
    `LINUX_SIDECAR_VERSION=${versions[0]}\nWINDOWS_SIDECAR_VERSION=${versions[0]}\n`,
  );
  for (const [os, arch, name] of [
    ["linux", "x86_64", "linux-amd64"],
    ["linux", "arm64", "linux-arm64"],
    ["windows", "x86_64", "windows-amd64"],
  ] as const) {
    await buildArchive(join(dir, `controller/fusion-collectors-${name}.zip`), {
      os,
      arch,
      payloadBytes: 300_000,
    });
    const exe = os === "windows" ? ".exe" : "";
    write(
      `controller/${os}/${arch}/bklite-controller-installer${exe}`,
      Buffer.concat([binaryHeader(os, arch), Buffer.from(name)]),
    );
  }
  write(
    "controller/windows/bklite-controller-bootstrap.exe",
    Buffer.concat([binaryHeader("windows", "x86_64"), Buffer.from("b")]),
  );
  write("collector/linux/kafka_exporter", Buffer.concat([binaryHeader("linux", "x86_64"), Buffer.from("k")]));
  write(
    "collector/linux/filebeat/filebeat",
    Buffer.concat([binaryHeader("linux", "x86_64"), Buffer.from("f")]),
  );
}

const SITUATIONS: Situation[] = [
  // the volume alone
  { name: "volume-missing", code: 66, says: /nowhere/, args: ["scan"], env: { PACKAGES_DIR: "./nowhere" } },
  { name: "volume-empty", code: 66, says: /pkgs[\s\S]*(?:is empty|空)/, args: ["scan"] },
  {
    name: "volume-other-files",
    code: 66,
    says: /readme\.txt/,
    args: ["scan"],
    make: ({ write }) => ["readme.txt", "photo.jpg"].map((file) => write(file, "x")),
  },
  {
    name: "volume-split-archive",
    code: 66,
    says: /cat |amd64\.zip/,
    args: ["scan"],
    make: ({ write }) => [".001", ".002"].map((part) => write(`${ARCHIVE}${part}`, "x")),
  },
  {
    name: "file-nowhere",
    code: 66,
    says: /telegraf-1\.zip[\s\S]*amd64\.zip/,
    args: ["scan", "--file", "telegraf-1.zip"],
    make: ({ archive }) => archive(),
  },
  {
    name: "archive-html",
    code: 65,
    says: /amd64\.zip[\s\S]*HTML/,
    args: ["scan"],
    make: ({ write }) => write(ARCHIVE, HTML),
  },
  {
    name: "archive-lfs-pointer",
    code: 65,
    says: /amd64\.zip[\s\S]*LFS/,
    args: ["scan"],
    make: ({ write }) => write(ARCHIVE, LFS),
  },
  {
    name: "archive-cut-short",
    code: 65,
    says: new RegExp(ARCHIVE),
    args: ["scan"],
    async make({ archive }) {
      const path = await archive();
      truncateSync(path, 100_000);
      age(path);
    },
  },
  {
    name: "archive-flipped-byte",
    code: 65,
    says: new RegExp(ARCHIVE),
    args: ["scan"],
    make: async ({ archive }) => flip(await archive()),
  },
  {
    name: "archive-five-bad",
    code: 65,
    says: /a\.zip[\s\S]*b\.zip[\s\S]*c\.zip/,
    args: ["scan"],
    make: ({ write }) =>
      ["a", "b", "c", "d", "e"].map((name) =>
        write(`fusion-collectors-${name}.zip`, name < "c" ? HTML : LFS),
      ),
  },
  {
    name: "archive-no-install-sh",
    code: 65,
    says: /install\.sh/,
    args: ["scan"],
    make: ({ archive }) => archive(ARCHIVE, { without: ["install.sh"] }),
  },
  {
    name: "archive-other-architecture",
    code: 65,
    says: /arm64/,
    args: ["scan"],
    make: ({ archive }) => archive("fusion-collectors-linux-arm64.zip", { arch: "x86_64" }),
  },
  {
    name: "archive-unreadable-version",
    code: 65,
    says: /1\.2\.3_rc1/,
    args: ["scan"],
    make: ({ archive }) => archive("fusion-collectors-linux-amd64-1.2.3_rc1.zip"),
  },
  {
    name: "archive-twice",
    code: 65,
    says: /amd64\.zip[\s\S]*amd64-1\.0\.0\.zip|amd64-1\.0\.0\.zip[\s\S]*amd64\.zip/,
    args: ["scan"],
    async make({ archive }) {
      await archive();
      await archive("fusion-collectors-linux-amd64-1.0.0.zip", { seed: "other" });
    },
  },
  {
    name: "archive-is-a-link",
    code: 65,
    says: new RegExp(ARCHIVE),
    args: ["scan"],
    make: ({ dir }) => symlinkSync(process.execPath, join(dir, ARCHIVE)),
  },
  {
    name: "checksum-mismatch",
    code: 65,
    says: new RegExp(ARCHIVE),
    args: ["scan"],
    async make({ archive, write }) {
      await archive();
      write(`${ARCHIVE}.sha256`, `${"0".repeat(64)}  ${ARCHIVE}\n`);
    },
  },
  {
    name: "manifest-broken",
    code: 65,
    says: /packages\.json/,
    args: ["scan"],
    make: ({ write }) => write("packages.json", '{"packages": [{"file": }]}'),
  },
  {
    name: "manifest-missing-file",
    code: 65,
    says: /other\.bin/,
    args: ["scan"],
    make: ({ write }) =>
      write(
        "packages.json",
        JSON.stringify({ packages: [{ file: "other.bin", type: "collector", object: "Own" }] }),
      ),
  },
  {
    name: "scan-well",
    code: 0,
    says: /scan/,
    args: ["scan"],
    make: (stage) => bundle(stage),
    isWell: true,
    most: 40,
  },
  {
    name: "scan-unknown-file-beside",
    code: 0,
    says: /telegraf\.zip/,
    args: ["scan"],
    async make({ archive, write }) {
      await archive();
      write("telegraf.zip", rawZip([{ name: "telegraf", data: "x" }]));
    },
  },
  // command line and settings
  { name: "usage-command", code: 64, says: /verfiy[\s\S]*verify/, args: ["verfiy"] },
  {
    name: "settings-several",
    code: 78,
    says: /WAIT_TIMEOUT[\s\S]*NATS_SERVERS|NATS_SERVERS[\s\S]*WAIT_TIMEOUT/,
    args: ["wait"],
    env: { WAIT_TIMEOUT: "5m", DB_HOST: "db" },
  },
  {
    name: "settings-engine",
    code: 78,
    says: /DB_ENGINE/,
    args: ["wait"],
    env: { DB_ENGINE: "mysql", DB_HOST: "db", NATS_SERVERS: "nats:4222" },
  },
  {
    name: "settings-report-file",
    code: 78,
    says: /REPORT_FILE/,
    args: ["scan"],
    env: { REPORT_FILE: "/nowhere/report.json" },
  },
  // servers that cannot be reached or do not let in
  {
    name: "wait-both-refused",
    code: 69,
    says: /Postgres[\s\S]*NATS|NATS[\s\S]*Postgres/,
    args: ["wait"],
    env: {
      DB_HOST: "127.0.0.1",
      DB_PORT: "1",
      DB_PASSWORD: "secret-of-the-test",
      NATS_SERVERS: "127.0.0.1:1",
      WAIT_TIMEOUT: "1",
    },
  },
  {
    name: "wait-postgres-refused",
    code: 69,
    says: /Postgres/,
    args: ["wait"],
    state: "C",
    env: { DB_PORT: "1", WAIT_TIMEOUT: "1" },
  },
  {
    name: "wait-name-unknown",
    code: 69,
    says: /no-such-host\.invalid/,
    args: ["wait"],
    state: "C",
    env: { NATS_SERVERS: "no-such-host.invalid:4222", WAIT_TIMEOUT: "1" },
  },
  {
    name: "wait-postgres-password",
    code: 77,
    says: /Postgres/,
    args: ["wait"],
    state: "C",
    env: { DB_PASSWORD: "wrong" },
  },
  {
    name: "wait-both-passwords",
    code: 77,
    says: /Postgres[\s\S]*NATS|NATS[\s\S]*Postgres/,
    args: ["wait"],
    state: "C",
    env: () => ({
      DB_PASSWORD: "wrong",
      NATS_SERVERS: locked.url,
      NATS_USER: "admin",
      NATS_PASSWORD: "wrong",
    }),
  },
  {
    name: "wait-table-missing",
    code: 69,
    says: new RegExp(TABLE),
    args: ["wait"],
    state: "none",
    env: { WAIT_TIMEOUT: "1" },
  },
  { name: "wait-well", code: 0, says: /wait/, args: ["wait"], state: "C", isWell: true, most: 6 },
  { name: "gate-closed", code: 76, says: /gate/, args: ["gate"], state: "C", env: { WAIT_TIMEOUT: "1" } },
  // what init, plan and verify find
  {
    name: "init-first",
    code: 0,
    says: /init/,
    state: "C",
    make: (stage) => bundle(stage),
    isWell: true,
    most: 40,
  },
  {
    name: "init-again",
    code: 0,
    says: /init/,
    state: "C",
    isWell: true,
    most: 12,
    async make(stage) {
      await bundle(stage);
      await stage.run();
    },
  },
  {
    name: "plan-first",
    code: 0,
    says: /plan/,
    args: ["plan"],
    state: "C",
    make: (stage) => bundle(stage),
    isWell: true,
    most: 40,
  },
  {
    name: "init-sixty",
    code: 0,
    says: /init/,
    state: "C",
    isWell: true,
    most: 90,
    async make({ archive, ...stage }) {
      await bundle({ archive, ...stage });
      for (let n = 0; n < 19; n += 1)
        for (const arch of ["amd64", "arm64"] as const)
          await archive(`fusion-collectors-linux-${arch}-2.${n}.0.zip`, {
            arch: arch === "amd64" ? "x86_64" : "arm64",
            payloadBytes: 0,
            seed: `${n}`,
          });
      for (let n = 0; n < 19; n += 1)
        await archive(`fusion-collectors-windows-amd64-2.${n}.0.zip`, {
          os: "windows",
          payloadBytes: 0,
          seed: `${n}`,
        });
    },
  },
  {
    name: "init-no-installer",
    code: 0,
    says: /linux\/x86_64[\s\S]*bklite-controller-installer/,
    state: "C",
    make: ({ archive }) => archive(),
  },
  {
    name: "init-required-platform",
    code: 76,
    says: /windows\/x86_64/,
    state: "C",
    env: { REQUIRE: "windows/x86_64" },
    make: ({ archive }) => archive(),
  },
  {
    name: "init-one-damaged",
    code: 65,
    says: /arm64\.zip/,
    state: "C",
    async make({ archive }) {
      await archive();
      flip(await archive("fusion-collectors-linux-arm64.zip", { arch: "arm64" }));
    },
  },
  {
    name: "init-other-content-of-a-user",
    code: 65,
    says: /admin/,
    state: "C",
    async make(stage) {
      await stage.archive();
      await stage.run();
      await stage.archive(ARCHIVE, { seed: "other" });
      await stage.db.query(`UPDATE ${TABLE} SET created_by = 'admin'`);
    },
  },
  {
    name: "init-on-conflict-fail",
    code: 65,
    says: /ON_CONFLICT/,
    state: "C",
    env: { ON_CONFLICT: "fail" },
    async make(stage) {
      await stage.archive();
      await stage.run();
      await stage.archive(ARCHIVE, { seed: "other" });
    },
  },
  {
    name: "init-bucket-full",
    code: 73,
    says: /max_bytes|max-bytes/,
    state: "C",
    async make({ archive, objects, bucket }) {
      await archive();
      const manager = await objects.connection.jetstreamManager();
      await manager.streams.add({
        ...{ name: `OBJ_${bucket}`, subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`] },
        ...{ allow_rollup_hdrs: true, max_bytes: 1000 },
      });
    },
  },
  {
    name: "init-column-unknown",
    code: 78,
    says: /ROW_DEFAULTS/,
    state: "C",
    async make({ archive, db }) {
      await archive();
      await db.query(`ALTER TABLE ${TABLE} ADD region varchar(10) NOT NULL`);
    },
  },
  {
    name: "init-lock-held",
    code: 75,
    says: /pg_terminate_backend/,
    state: "C",
    env: { WAIT_TIMEOUT: "2" },
    async make({ archive, db, bucket }) {
      await archive();
      // the key of the job's own lock, held by another session
      const key = createHash("sha256").update(`bklite-package-init/${bucket}`).digest().readBigInt64BE(0);
      // its session ends with the database
      db.query(`SELECT pg_advisory_lock(${key}), pg_sleep(300)`).catch(() => undefined);
      const held = `SELECT 1 FROM pg_locks JOIN pg_database ON oid = database
        WHERE locktype = 'advisory' AND granted AND datname = current_database()`;
      await until("the lock", async () => (await db.query(held)).length > 0);
    },
  },
  {
    name: "init-run-timeout",
    code: 75,
    says: /RUN_TIMEOUT/,
    env: {
      RUN_TIMEOUT: "1",
      DB_HOST: "127.0.0.1",
      DB_PORT: "1",
      DB_PASSWORD: "secret-of-the-test",
      NATS_SERVERS: "127.0.0.1:1",
    },
    make: ({ archive }) => archive(),
  },
  {
    name: "verify-nothing-there",
    code: 76,
    says: /verify[\s\S]*3[26]/,
    args: ["verify"],
    state: "C",
    make: (stage) => bundle(stage),
  },
  {
    name: "verify-one-damaged",
    code: 76,
    says: new RegExp(ARCHIVE),
    args: ["verify"],
    state: "C",
    async make(stage) {
      await stage.archive();
      await stage.run();
      await stage.objects.damage(`linux/x86_64/Controller/1.0.0/${ARCHIVE}`);
    },
  },
  {
    name: "verify-row-not-ready",
    code: 76,
    says: /uploading/,
    args: ["verify"],
    state: "E",
    async make(stage) {
      await stage.archive();
      await stage.run();
      await stage.db.query(
        `UPDATE ${TABLE} SET status = 'uploading', created_by = 'admin' WHERE type = 'controller'`,
      );
    },
  },
];

/** Terminals on which a well run takes no more lines. */
const VARIANTS: Record<string, string>[] = [
  { COLUMNS: "60" },
  { COLUMNS: "40", LOG_LANG: "zh" },
  { COLUMNS: "40", LANG: "zh_CN.UTF-8" },
  { COLUMNS: "80", TERM: "dumb", LANG: "C" },
  { COLUMNS: "60", LANG: "zh_CN.GBK" },
];

/** Makes a situation in a folder and, if it needs them, a database and a bucket of its own. */
async function setUp({ state }: Situation, number: number) {
  const folder = tempDir("screens");
  const dir = join(folder.path, "pkgs");
  mkdirSync(dir);
  const name = `screens_${String(number).padStart(2, "0")}`;
  const db = state && (await servers.postgres.createDatabase({ state, name }));
  const objects = state && (await openObjects(servers.nats, name));
  const env: Record<string, string> = {
    PACKAGES_DIR: "./pkgs",
    WAIT_TIMEOUT: "20",
    ...(db && jobEnv({ db, nats: servers.nats }, { NATS_NAMESPACE: name })),
  };
  const run = (args: string[] = [], more = {}) =>
    runJob({ args, env: { ...env, ...more }, cwd: folder.path });
  const stage = {
    dir,
    bucket: name,
    db,
    objects,
    write(file: string, content: string | Buffer = "") {
      mkdirSync(dirname(join(dir, file)), { recursive: true });
      writeFileSync(join(dir, file), content);
    },
    async archive(file = ARCHIVE, options = {}) {
      await buildArchive(join(dir, file), { payloadBytes: 300_000, ...options });
      return join(dir, file);
    },
    run,
  } as Stage;
  return {
    stage,
    run,
    async [Symbol.asyncDispose]() {
      await objects?.connection.request(`$JS.API.STREAM.DELETE.OBJ_${name}`);
      await objects?.close();
      if (db) await servers.postgres.admin.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
      folder.remove();
    },
  };
}

/** The screen as it is kept: what differs from run to run is the same everywhere. */
function kept(stdout: string): string {
  return (
    stdout
      .replaceAll(/\/\S*bklite-screens-\w+/g, "/here")
      .replaceAll(/127\.0\.0\.1:\d{5}/g, "127.0.0.1:12345")
      .replaceAll(/(Postgres|NATS) \d+(\.\d+)+/g, (all, server: string) => `${server} 1.2`.padEnd(all.length))
      .replaceAll(/^\d\d:\d\d:\d\d [+-]\d\d(:\d\d)?/gm, "12:00:00 +00")
      .replaceAll(/[(（]\d+(\.\d)? (s|秒)[)）]/g, "(1 $2)")
      .replaceAll(/\b[0-9a-f]{12}…/g, "0123456789ab…")
      // both servers are reached at the same time
      .replace(/^(. NATS .*\n)(. Postgres .*\n)/mu, "$2$1")
  );
}

/** Words and numbers of a screen without the time lines and line breaks, which a busy machine changes. */
function words(screen: string): string {
  const lines = screen.split("\n").filter((line) => !/^(?:\d\d:\d\d:\d\d| {13})/.test(line));
  return lines
    .join(" ")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\d+(?:\.\d+)?/g, "N");
}

describe("the screen of", () => {
  SITUATIONS.forEach((situation, number) => {
    const { name, code, says, make, args = [], most, isWell } = situation;
    test(name, async () => {
      await using place = await setUp(situation, number);
      await make?.(place.stage);
      const own = typeof situation.env === "function" ? situation.env(place.stage) : situation.env;
      for (const language of LANGUAGES) {
        const how = { LOG_FORMAT: "pretty", LOG_LANG: language, COLUMNS: String(COLUMNS) };
        const { code: exit, stdout, stderr } = await place.run(args, { ...own, ...how });
        // a command line that says nothing is answered on standard error
        const screen = kept(stdout || stderr);
        const lines = screen.trimEnd().split("\n");
        const shown = `${language}:\n${screen}`;
        assert.equal(exit, code, shown);
        for (const line of lines) assert.ok(cellWidth(line) <= COLUMNS, line);
        const end = lines.slice(-LAST).join("\n");
        assert.match(end, says, shown);
        if (!isWell) assert.ok(end.includes(REMEDY[language]), shown);
        if (most !== undefined) assert.ok(lines.length <= most, `${lines.length} lines: ${shown}`);
        const file = join(SCREENS, `${name}.${language}.txt`);
        if (UPDATE) writeFileSync(file, screen);
        else
          assert.equal(
            words(screen),
            words(readFileSync(file, "utf8")),
            `UPDATE_SCREENS=1 keeps this: ${shown}`,
          );
        // the second language has the same to do
        if (name === "init-first") await place.stage.db.query(`DELETE FROM ${TABLE}`);
      }
      for (const variant of name === "init-again" || name === "plan-first" ? VARIANTS : []) {
        const { stdout } = await place.run(args, { LOG_FORMAT: "pretty", ...variant });
        const lines = stdout.trimEnd().split("\n");
        assert.ok(lines.length <= (most ?? 0), stdout);
        for (const line of lines) assert.ok(cellWidth(line) <= Number(variant.COLUMNS), line);
        if (variant.LANG && variant.LANG !== "zh_CN.UTF-8") assert.doesNotMatch(stdout, /[✔✘…→]/u);
      }
    });
  });
});
