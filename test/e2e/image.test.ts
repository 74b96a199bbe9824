import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { packageTable } from "../support/tables.ts";
import { until } from "../support/wait.ts";
import { buildImage, docker, findComposes, IMAGE, inspect, root, run } from "./docker.ts";
import { Stack } from "./stack.ts";

const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const BUNDLE_IMAGE = `bklite-package-init-bundle:e2e-${process.pid}`;

describe("the image", () => {
  let stack: Stack;

  before(async () => {
    const [{ command }] = await findComposes();
    await buildImage();
    stack = new Stack(command);
    await buildArchive(join(stack.packages, ARCHIVE), { payloadBytes: 5_000_000 });
    await stack.startServers();
  });
  after(() => stack?.remove());

  test("is labelled, runs as a user without rights, and starts node with what flat memory needs", async () => {
    const { Config, Size } = await inspect(IMAGE);
    assert.equal(Config.User, "65532:65532");
    assert.deepEqual(Config.Entrypoint, ["/usr/local/bin/node", "--expose-gc", "/app/main.js"]);
    assert.ok(Config.Env.includes("NODE_OPTIONS=--max-semi-space-size=2"), Config.Env.join(" "));
    const label = (name: string) => Config.Labels[`org.opencontainers.image.${name}`];
    assert.deepEqual(["title", "version", "revision", "source", "licenses"].map(label), [
      "bklite-package-init",
      "9.9.9",
      "0123abc",
      "https://example.com/repository",
      "MIT",
    ]);
    assert.ok(Size <= 160_000_000, `${Size} bytes`);
  });

  test("holds node, its libraries, the bundle, docs and licences, and nothing else", async () => {
    const id = await docker("create", IMAGE);
    const { stdout } = await run("sh", ["-c", `docker export ${id} | tar -t`]);
    await docker("rm", id);
    const own = /^(\.dockerenv|dev|proc|sys|etc\/(hostname|hosts|mtab|resolv\.conf))/;
    const files = stdout.split("\n").filter((path) => path && !path.endsWith("/") && !own.test(path));
    const [docs, others] = [true, false].map((wanted) =>
      files.filter((path) => path.startsWith("app/docs/") === wanted),
    );
    for (const page of ["compose.md", "zh-CN/compose.md"]) assert.ok(docs?.includes(`app/docs/${page}`));
    const libraries = others?.filter((path) => path.startsWith("lib/")) ?? [];
    for (const path of libraries)
      assert.match(path, /^lib\/(ld-linux-|lib(c|m|dl|pthread|gcc_s|stdc\+\+)\.so)/);
    assert.deepEqual(others?.filter((path) => !path.startsWith("lib/")).sort(), [
      "app/LICENSE",
      "app/THIRD-PARTY-NOTICES",
      "app/main.js",
      // each name holds a hash of the content
      ...readdirSync(join(root, "dist/parts"))
        .map((name) => `app/parts/${name}`)
        .sort(),
      "etc/group",
      "etc/nsswitch.conf",
      "etc/passwd",
      "lib64",
      "usr/local/bin/bklite-package-init",
      "usr/local/bin/node",
    ]);
  });

  test("runs the program that the other tests run: only node's path and the commit differ", async () => {
    const print = "fs.readFileSync('/app/main.js', 'utf8')";
    const inImage = await docker("run", "--rm", "--entrypoint", "node", IMAGE, "-p", print);
    const built = readFileSync(join(root, "dist/main.js"), "utf8");
    const withoutBoth = (text: string) =>
      text
        .slice(text.indexOf("\n"))
        .trimEnd()
        .replace(/^ +revision: (?:null|"0123abc")$/m, "revision");
    assert.match(inImage, /^#!\/usr\/local\/bin\/node --expose-gc\n/);
    assert.ok(withoutBoth(inImage) === withoutBoth(built), "dist/main.js is another program");
  });

  test("has the notices of every package that the lock file brings to run time", async () => {
    const text = await docker(
      ...["run", "--rm", "--entrypoint", "node", IMAGE],
      ...["-p", "fs.readFileSync('/app/THIRD-PARTY-NOTICES', 'utf8')"],
    );
    const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
    for (const [path, { dev, version }] of Object.entries<{ dev?: boolean; version: string }>(packages)) {
      const name = path.split("node_modules/").at(-1);
      if (name && !dev) assert.ok(text.includes(`\n${name} ${version} (`), name);
    }
    for (const licence of ["Apache License", "Permission is hereby granted", "Lesser General Public"]) {
      assert.ok(text.includes(licence), licence);
    }
  });

  test("starts by its name on the PATH, as any user, on a read-only root", async () => {
    const flags = ["--rm", "--user", "1000680000:0", "--entrypoint", "bklite-package-init"];
    const { code, stdout } = await stack.job({ args: ["--help"], flags });
    assert.equal(code, 0);
    assert.match(stdout, /bklite-package-init \[/);
  });

  test("is built through a mirror of the base image's registry", async () => {
    const [, tag = ""] = /^ARG NODE_TAG=(\S+)$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8")) ?? [];
    const mirrored = `mirror.invalid/library/node:${tag}`;
    await docker("tag", `node:${tag}`, mirrored);
    // The mirror's image is its own: the digest is left empty.
    const args = ["--build-arg", "REGISTRY=mirror.invalid/library", "--build-arg", "NODE_DIGEST="];
    try {
      await docker("build", ...args, "--target", "node", root);
    } finally {
      await docker("rmi", mirrored);
    }
  });

  test("accepts no other image of that tag if a digest is given", async () => {
    const args = ["build", "--build-arg", `NODE_DIGEST=sha256:${"0".repeat(64)}`, "--target", "node", root];
    assert.notEqual((await run("docker", args)).code, 0);
  });

  test("tools/image.sh labels a local build with the commit and the repository, without a login", async () => {
    const checkout = join(stack.folder, "labelled");
    for (const name of ["Dockerfile", "tools/image.sh"]) cpSync(join(root, name), join(checkout, name));
    const bin = join(stack.folder, "labelled-bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "docker"), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    const build = async () =>
      (await run(join(checkout, "tools/image.sh"), ["-t", "x"], { env })).stdout.split("\n");
    const git = (...args: string[]) =>
      run("git", ["-c", "user.name=x", "-c", "user.email=x@example.com", ...args], { cwd: checkout });
    assert.deepEqual((await build()).slice(0, -2), ["build", "-t", "x"]);
    await git("init", "-q");
    await git("add", ".");
    await git("commit", "-qm", "x");
    await git("remote", "add", "origin", "https://user:secret@example.com/owner/name.git");
    const head = (await git("rev-parse", "HEAD")).stdout.trim();
    const clean = await build();
    assert.ok(clean.includes(`REVISION=${head}`), clean.join(" "));
    assert.ok(clean.includes("SOURCE=https://example.com/owner/name"), clean.join(" "));
    writeFileSync(join(checkout, "Dockerfile"), "changed");
    await git("remote", "set-url", "origin", "/somewhere/on/this/machine");
    const changed = (await build()).join(" ");
    assert.match(changed, new RegExp(`REVISION=${head}-dirty`));
    assert.doesNotMatch(changed, /SOURCE|somewhere/);
  });

  test("passes exit codes through: command line 64, configuration 78, no archive 66", async () => {
    assert.equal((await stack.job({ args: ["--no-such-option"] })).code, 64);
    assert.equal((await stack.job({ env: { ON_CONFLICT: "perhaps" } })).code, 78);
    assert.equal((await stack.job({ packages: join(stack.folder, "conf") })).code, 66);
  });

  test("missing table: exit 69, and it says so", async () => {
    const { code, stdout } = await stack.job({ env: { WAIT_TIMEOUT: "2" } });
    assert.equal(code, 69, stdout);
    assert.match(stdout, /node_mgmt_packageversion/);
  });

  test("the gate is shut before the first run, and needs no packages", async () => {
    await stack.sql(packageTable("B"));
    const { code, stdout } = await stack.job({ args: ["gate"], packages: null, env: { WAIT_TIMEOUT: "2" } });
    assert.equal(code, 76, stdout);
  });

  test("first run: rows and object are there, byte for byte", async () => {
    const { code, stdout } = await stack.job();
    assert.equal(code, 0, stdout);
    const rows = await stack.sql(
      "SELECT type, os, object, version, name FROM node_mgmt_packageversion ORDER BY object",
    );
    assert.deepEqual(rows, [
      `controller|linux|Controller|1.0.0|${ARCHIVE}`,
      `collector|linux|NATS-Executor|1.0.0|${ARCHIVE}`,
      `collector|linux|Telegraf|1.0.0|${ARCHIVE}`,
      `collector|linux|Vector|1.0.0|${ARCHIVE}`,
    ]);
    const stored = await stack.object(`linux/Controller/1.0.0/${ARCHIVE}`);
    assert.ok(stored.equals(readFileSync(join(stack.packages, ARCHIVE))));
  });

  test("second run: changes nothing, and the report says so", async () => {
    const state = await stack.state();
    const { code, stdout } = await stack.job({ args: ["--json"] });
    assert.equal(code, 0);
    const report = JSON.parse(stdout);
    assert.equal(report.outcome, "ok");
    assert.deepEqual(
      new Set(report.packages.map((p: { action: string }) => p.action)),
      new Set(["unchanged"]),
    );
    assert.deepEqual(await stack.state(), state);
    assert.equal((await stack.job({ args: ["verify"] })).code, 0);
    assert.equal((await stack.job({ args: ["gate"], packages: null })).code, 0);
  });

  test("damaged archive: exit 65 that names it, and the termination message has it, too", async () => {
    const packages = join(stack.folder, "damaged");
    mkdirSync(packages);
    const bytes = readFileSync(join(stack.packages, ARCHIVE));
    const middle = bytes.length >> 1;
    bytes[middle] = ~(bytes[middle] ?? 0) & 0xff;
    writeFileSync(join(packages, ARCHIVE), bytes);
    const message = join(stack.folder, "termination-log");
    writeFileSync(message, "");
    chmodSync(message, 0o666);
    const before = await stack.state();
    const flags = ["--rm", "-v", `${message}:/dev/termination-log`];
    const { code, stdout } = await stack.job({ packages, flags });
    assert.equal(code, 65, stdout);
    assert.match(stdout, new RegExp(ARCHIVE));
    assert.match(readFileSync(message, "utf8"), new RegExp(ARCHIVE));
    // what was staged is purged, so that the sequence alone has moved
    const { rows, messages } = await stack.state();
    assert.deepEqual({ rows, messages }, { rows: before.rows, messages: before.messages });
  });

  test("SIGTERM reaches it as process 1: exit 143 before Docker's patience of 5 s is over", async () => {
    const env = { DB_HOST: "no-such-host.invalid" };
    const id = await docker(...stack.jobCommand({ env, flags: ["-d"] }));
    try {
      await until("the job waits", async () => /wait\./.test(await docker("logs", id)), 30_000, 100);
      await docker("stop", "-t", "5", id);
      assert.equal((await inspect(id)).State.ExitCode, 143);
    } finally {
      await docker("rm", "-f", id);
    }
  });

  test("target bundle: the archives come with the image, for any user, whatever their modes were", async () => {
    const context = join(stack.folder, "context");
    for (const name of [
      "Dockerfile",
      ".dockerignore",
      ".npmrc",
      "LICENSE",
      "docs",
      "package.json",
      "package-lock.json",
      "src",
      "tools",
      "tsconfig.json",
    ]) {
      cpSync(join(root, name), join(context, name), { recursive: true });
    }
    cpSync(join(stack.packages, ARCHIVE), join(context, "packages", ARCHIVE));
    chmodSync(join(context, "packages", ARCHIVE), 0o600);
    try {
      await buildImage(context, "bundle", BUNDLE_IMAGE);
      const state = await stack.state();
      const flags = ["--rm", "--user", "1000680000:0"];
      const { code, stdout } = await stack.job({ image: BUNDLE_IMAGE, packages: null, flags });
      assert.equal(code, 0, stdout);
      assert.deepEqual(await stack.state(), state);
    } finally {
      await run("docker", ["rmi", BUNDLE_IMAGE]);
    }
  });
});
