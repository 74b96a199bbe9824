import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
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

for (const compose of composes) {
  describe(`docs/compose.md with ${compose.join(" ")}`, () => {
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

    test("pull passes it over", async () => {
      // Compose 1.29 does not know of pull_policy when it pulls.
      if (compose[0] === "docker") await succeed(stack.composeWithInit(["pull", "package-init"]));
    });

    test("the gate stays shut while the job fails, at every `up`, and the log names the archive", async () => {
      cutShort(join(stack.packages, ARCHIVE));
      for (let round = 0; round < 2; round++) {
        assert.notEqual((await up()).code, 0);
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

    test("one package by hand", async () => {
      writeFileSync(join(stack.folder, "telegraf"), binaryHeader("linux", "x86_64"), { mode: 0o755 });
      await succeed(inStack(block("One package by hand")));
      const rows = await stack.sql(
        "SELECT type, os, version, name FROM node_mgmt_packageversion WHERE version = '1.34.0'",
      );
      assert.deepEqual(rows, ["collector|linux|1.34.0|telegraf"]);
    });
  });

  describe(`an external database with ${compose.join(" ")}`, () => {
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
        assert.equal((await shell.run(text, text.includes("build") ? root : stack.folder)).code, 0);
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
