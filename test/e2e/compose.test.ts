import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { VARIABLES } from "../../src/config/env.ts";
import { buildArchive } from "../support/archives.ts";
import { binaryHeader } from "../support/binaries.ts";
import { packageTable } from "../support/tables.ts";
import { cutShort, docker, findComposes, type Result, root, run } from "./docker.ts";
import { DocsShell, shellBlocks } from "./docs.ts";
import { Stack } from "./stack.ts";

const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const composes = await findComposes();
const page = shellBlocks("compose.md");
/** A block of the page, as printed. */
function block(heading: string, index = 0): string {
  const found = page.get(heading)?.[index];
  assert.ok(found, `docs/compose.md has no block ${index} under "${heading}"`);
  return found;
}

/**
 * What Compose says, by the reason that the page's last table gives: a cell holds the words of v2, then those
 * of 1.29.
 */
function wordsFor(reason: string): string[] {
  const lines = readFileSync(join(root, "docs/compose.md"), "utf8").split("\n");
  const [, cell = ""] = lines.find((line) => line.startsWith("|") && line.includes(reason))?.split("|") ?? [];
  const words = [...cell.matchAll(/`([^`]+)`/g)].map(([, one = ""]) => one);
  assert.ok(words.length > 0, `docs/compose.md has no row with "${reason}"`);
  return words;
}
function assertSays({ code, stdout, stderr }: Result, reason: string): void {
  assert.notEqual(code, 0);
  const text = `${stdout}${stderr}`.toLowerCase();
  assert.ok(
    wordsFor(reason).some((words) => text.includes(words.toLowerCase())),
    text,
  );
}

for (const { command: compose, version } of composes) {
  describe(`docs/compose.md with Compose ${version}`, () => {
    let stack: Stack;
    let shell: DocsShell;
    before(() => {
      stack = new Stack(compose);
      shell = new DocsShell(stack.folder, compose, { STACK: stack.folder });
    });
    after(() => stack?.remove());

    const inStack = (text: string): Promise<Result> => shell.run(text, stack.folder);
    const up = () => inStack(block("Run"));
    const isRunning = async (service: string) => (await stack.container(service))?.State.Running ?? false;
    /** Sets a line of .env, or takes it away. */
    function setLine(name: string, value?: string): void {
      const file = join(stack.folder, ".env");
      const others = readFileSync(file, "utf8").replace(new RegExp(`^${name}=.*\\n`, "gm"), "");
      writeFileSync(file, value === undefined ? others : `${others}${name}='${value}'\n`);
    }
    /** The host's folder behind a path of the job's container. */
    async function mountedAt(path: string): Promise<string> {
      const { Mounts } = await stack.container("package-init");
      return Mounts.find(({ Destination }: { Destination: string }) => Destination === path)?.Source;
    }
    async function succeed(result: Promise<Result>): Promise<string> {
      const { code, stdout, stderr } = await result;
      assert.equal(code, 0, `${stdout}${stderr}`);
      return stdout;
    }

    test("set up: image, file, one line in .env, archives that user 65532 can read", async () => {
      await succeed(shell.run(block("Set up"), root));
      await succeed(inStack(block("Set up", 1)));
      await buildArchive(join(stack.packages, ARCHIVE), { payloadBytes: 5_000_000 });
      await succeed(inStack(block("Set up", 2)));
    });

    test("goes over a file with any version line", async () => {
      const file = join(stack.folder, "docker-compose.yaml");
      const text = readFileSync(file, "utf8");
      for (const line of ['version: "3"\n', 'version: "3.8"\n', ""]) {
        writeFileSync(file, `${line}${text}`);
        await succeed(stack.composeWithInit(["config"]));
      }
    });

    test("hands on every variable from .env or the shell", async () => {
      const env = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, `given-${name}`]));
      const rendered = parse(await succeed(stack.composeWithInit(["config"], env)));
      const { environment } = rendered.services["package-init"];
      for (const [name, value] of Object.entries(env)) assert.equal(environment[name], value);
    });

    test("a mistyped path is an error and makes no folder", async () => {
      const missing = join(stack.folder, "no-such-folder");
      for (const name of ["PACKAGES_PATH", "NATS_CERTS_PATH"]) {
        const args = ["run", "--rm", "package-init", "--help"];
        const { code, stderr } = await stack.composeWithInit(args, { [name]: missing });
        assert.notEqual(code, 0);
        assert.match(stderr, /no-such-folder/);
        assert.equal(existsSync(missing), false);
      }
    });

    test("pull passes it over; for 1.29, which does not, the page names the other services", async () => {
      if (!version.startsWith("1."))
        return void (await succeed(stack.composeWithInit(["pull", "package-init"])));
      const [, printed] =
        /`docker-compose pull \$\((.*?)\)`/.exec(readFileSync(`${root}/docs/compose.md`, "utf8")) ?? [];
      const services = await succeed(
        inStack(printed?.replace("docker-compose", "docker compose") ?? "false"),
      );
      assert.deepEqual(services.trim().split("\n").sort(), ["nats", "postgres", "server", "web"]);
    });

    test("PACKAGE_INIT_PULL accepts what the page says", async () => {
      for (const value of ["never", "if_not_present", "always"]) {
        await succeed(stack.composeWithInit(["config"], { PACKAGE_INIT_PULL: value }));
      }
    });

    test("the log is for people, unless .env says otherwise", async () => {
      const scan = ["run", "--rm", "package-init", "scan"];
      assert.doesNotMatch(await succeed(stack.composeWithInit(scan)), /^\{/m);
      const json = await succeed(stack.composeWithInit(scan, { LOG_FORMAT: "json" }));
      for (const line of json.trim().split("\n")) assert.equal(typeof JSON.parse(line).event, "string");
    });

    test("the gate stays shut while the job fails, at every `up`, and the log names the archive", async () => {
      cutShort(join(stack.packages, ARCHIVE));
      for (let round = 0; round < 2; round++) {
        assertSays(await up(), "the job failed");
        assert.equal((await stack.container("package-init")).State.ExitCode, 65);
        assert.equal(await isRunning("web"), false);
      }
      assert.match(await succeed(inStack(block("Run", 1))), new RegExp(ARCHIVE));
    });

    test("the gate opens after success", async () => {
      await buildArchive(join(stack.packages, ARCHIVE), { payloadBytes: 5_000_000 });
      await succeed(up());
      const { State: job } = await stack.container("package-init");
      assert.deepEqual([job.Status, job.ExitCode], ["exited", 0]);
      const { State: web } = await stack.container("web");
      assert.equal(web.Running, true);
      assert.ok(Date.parse(web.StartedAt) >= Date.parse(job.FinishedAt));
      assert.equal((await stack.state()).rows.length, 4);
    });

    test("up once more changes nothing", async () => {
      const state = await stack.state();
      const web = await stack.container("web");
      const job = await stack.container("package-init");
      await succeed(up());
      assert.deepEqual(await stack.state(), state);
      const { Id, State } = await stack.container("web");
      assert.deepEqual([Id, State.StartedAt], [web.Id, web.State.StartedAt]);
      const again = await stack.container("package-init");
      assert.equal(again.State.ExitCode, 0);
      assert.notEqual(again.State.StartedAt, job.State.StartedAt);
    });

    test("an upgrade with a bad archive ends at plan, and web stays up; with a good one it goes on", async () => {
      const path = join(stack.packages, "fusion-collectors-linux-amd64-2.0.0.zip");
      await buildArchive(path, { seed: "new" });
      cutShort(path);
      const web = await stack.container("web");
      const state = await stack.state();
      const bad = await inStack(block("Upgrade"));
      assert.equal(bad.code, 65, bad.stderr);
      assert.deepEqual(await stack.state(), state);
      const still = await stack.container("web");
      assert.deepEqual([still.Id, still.State.Running], [web.Id, true]);
      await buildArchive(path, { seed: "new" });
      await succeed(inStack(block("Upgrade")));
      assert.equal((await stack.state()).rows.length, 8);
      assert.equal(await isRunning("web"), true);
    });

    test("`up` with a bad archive exits non-zero, and a `web` that is running keeps running", async () => {
      const path = join(stack.packages, "fusion-collectors-linux-amd64-2.1.0.zip");
      await buildArchive(path);
      cutShort(path);
      const web = await stack.container("web");
      assertSays(await up(), "the job failed");
      const still = await stack.container("web");
      assert.deepEqual([still.Id, still.State.StartedAt], [web.Id, web.State.StartedAt]);
      assert.equal(still.State.Running, true);
      rmSync(path);
      await succeed(up());
    });

    test("a changed path takes effect at the next `up`, and a mistyped one starts nothing", async () => {
      const next = join(stack.folder, "next bundle");
      await buildArchive(join(next, "fusion-collectors-linux-amd64-3.0.0.zip"), { seed: "next" });
      const certs = join(stack.folder, "other certs");
      cpSync(join(stack.folder, "conf/certs"), certs, { recursive: true });
      for (const [name, target, folder] of [
        ["PACKAGES_PATH", "/packages", next],
        ["NATS_CERTS_PATH", "/etc/nats/certs", certs],
      ] as const) {
        const before = await stack.container("package-init");
        setLine(name, join(stack.folder, "mistyped"));
        assertSays(await up(), "the folder that it names is not there");
        assert.equal(existsSync(join(stack.folder, "mistyped")), false);
        const old = await stack.container("package-init");
        assert.deepEqual([old.Id, old.State.StartedAt], [before.Id, before.State.StartedAt]);
        setLine(name, folder);
        await succeed(up());
        assert.equal(await mountedAt(target), folder);
      }
      assert.deepEqual(
        await stack.sql("SELECT type FROM node_mgmt_packageversion WHERE version = '3.0.0' ORDER BY type"),
        ["collector", "collector", "collector", "controller"],
      );
      assert.equal(await isRunning("web"), true);
    });

    test("a changed path to a bad archive: `plan` ends it before `up`; what `up` does with `web`", async (t) => {
      const bad = join(stack.folder, "bad");
      const archive = join(bad, "fusion-collectors-linux-amd64-4.0.0.zip");
      await buildArchive(archive);
      cutShort(archive);
      const web = await stack.container("web");
      setLine("PACKAGES_PATH", bad);
      assert.equal((await inStack(block("Upgrade"))).code, 65);
      assert.equal((await stack.container("web")).State.StartedAt, web.State.StartedAt);
      assertSays(await up(), "the job failed");
      const kept = (await stack.container("web")).Id === web.Id && (await isRunning("web"));
      t.diagnostic(`Compose ${version} ${kept ? "leaves" : "recreates"} web if a setting of the job changes`);
      // As the page says of these three; other versions were not tried.
      const known = new Map([["1.29", true], ["2.26", false], ["2.40", true]]); // biome-ignore format: a table
      assert.equal(kept, known.get(version.split(".", 2).join(".")) ?? kept);
      setLine("PACKAGES_PATH");
      await succeed(up());
      assert.equal(await mountedAt("/packages"), stack.packages);
      assert.equal(await isRunning("web"), true);
    });

    test("what Compose says when it does not start is in the page's table", async () => {
      const start = (env: NodeJS.ProcessEnv) => stack.composeWithInit(["up", "-d", "package-init"], env);
      assertSays(
        await start({ PACKAGE_INIT_IMAGE: "no-such-image.invalid/x:1" }),
        "the image is not on this host",
      );
      const other = join(stack.folder, "other-network");
      mkdirSync(other);
      const text = readFileSync(join(stack.folder, "docker-compose.yaml"), "utf8");
      writeFileSync(join(other, "docker-compose.yaml"), text.replaceAll("prod", "backend"));
      cpSync(join(root, "compose.init.yml"), join(other, "compose.init.yml"));
      cpSync(join(stack.folder, ".env"), join(other, ".env"));
      assertSays(await shell.run("docker compose up -d", other), "under another key");
      setLine("COMPOSE_FILE");
      const plan = await inStack("docker compose run --rm package-init plan");
      assertSays(plan, "COMPOSE_FILE is not in");
      await succeed(inStack(block("Set up", 1)));
      assertSays(await shell.run("docker compose up -d", "/"), "another folder");
    });

    test("a single package", async () => {
      writeFileSync(join(stack.folder, "telegraf"), binaryHeader("linux", "x86_64"), { mode: 0o755 });
      await succeed(inStack(block("A single package")));
      const rows = await stack.sql(
        "SELECT type, os, version, name FROM node_mgmt_packageversion WHERE version = '1.34.0'",
      );
      assert.deepEqual(rows, ["collector|linux|1.34.0|telegraf"]);
    });
  });

  describe(`an external database with Compose ${version}`, () => {
    let stack: Stack;
    let shell: DocsShell;
    before(() => {
      stack = new Stack(compose);
      shell = new DocsShell(stack.folder, compose, { STACK: stack.folder });
    });
    after(async () => {
      await run("docker", ["rm", "-fv", `${stack.project}-db`]);
      await stack?.remove();
    });

    test("needs no service postgres, and the login that is given wins over the stack's", async () => {
      const file = join(stack.folder, "docker-compose.yaml");
      const { postgres, server, ...services } = parse(readFileSync(file, "utf8")).services;
      const networks = { prod: { name: stack.project } };
      const web = { ...services.web, depends_on: ["nats"] };
      writeFileSync(file, JSON.stringify({ services: { ...services, web }, networks }));
      for (const text of [block("Set up"), block("Set up", 1)]) {
        assert.equal((await shell.run(text, text.includes("image.sh") ? root : stack.folder)).code, 0);
      }
      await buildArchive(join(stack.packages, ARCHIVE));
      assert.equal((await stack.compose("up", "-d", "nats")).code, 0);
      writeFileSync(join(stack.folder, "migrate.sql"), `${packageTable("B")};\n`);
      const login = ["POSTGRES_USER=package_init", "POSTGRES_PASSWORD=change-me", "POSTGRES_DB=bklite"];
      await docker(
        ...["run", "-d", "--name", `${stack.project}-db`, "--network", stack.project],
        ...["--network-alias", "db.example.com", ...login.flatMap((one) => ["-e", one])],
        ...["-v", `${stack.folder}/migrate.sql:/docker-entrypoint-initdb.d/migrate.sql:ro`, "postgres:15"],
      );
      const given = await shell.run(block("External database or NATS"), stack.folder);
      assert.equal(given.code, 0);
      const { code, stdout, stderr } = await shell.run(block("Run"), stack.folder);
      const log = await stack.composeWithInit(["logs", "package-init"]);
      assert.equal(code, 0, `${stdout}${stderr}${log.stdout}`);
      assert.equal((await stack.container("web")).State.Running, true);
    });
  });
}
