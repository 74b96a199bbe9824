import assert from "node:assert/strict";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { cutShort, docker, findComposes, type Result, root, run } from "./docker.ts";
import { DocsShell, shellBlocks } from "./docs.ts";
import { Stack } from "./stack.ts";

const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const TAG = `bklite-package-init:${version}`;
const BUNDLE = "bklite-package-init.tar.gz";
const page = shellBlocks("offline.md");
const block = (heading: string) => page.get(heading)?.join("\n") ?? "false";

describe("docs/offline.md", () => {
  let stack: Stack;
  let shell: DocsShell;
  /** The repository with somebody's packages in it, without Node and npm's modules. */
  let checkout: string;
  let packages: string;
  /** The other host's folder. */
  let target: string;
  let unpacked: string;

  before(async () => {
    const [{ command }] = await findComposes();
    stack = new Stack(command);
    shell = new DocsShell(stack.folder, command, { STACK: stack.folder });
    checkout = join(stack.folder, "checkout");
    cpSync(root, checkout, {
      recursive: true,
      filter: (path) => !/\/(node_modules|dist|\.git|\.cache)$/.test(path),
    });
    packages = join(checkout, "packages");
    target = join(stack.folder, "other host");
    unpacked = join(target, "bklite-package-init");
    mkdirSync(target);
  });
  after(() => stack?.remove());

  const pack = () => shell.run(block("Pack"), checkout);
  const load = (...args: string[]): Promise<Result> =>
    run("sh", [join(unpacked, "load.sh"), ...args], { cwd: "/" });
  /** Nothing is left beside the archives that were there, finished or not. */
  const assertNothingPacked = () =>
    assert.deepEqual(
      readdirSync(checkout).filter((name) => /\.tar\.gz|^\.bundle/.test(name)),
      [],
    );

  test("a damaged package is the job's exit 65 that names it, and nothing is packed", async () => {
    await buildArchive(join(packages, "controller", ARCHIVE), { payloadBytes: 5_000_000 });
    cutShort(join(packages, "controller", ARCHIVE));
    const { code, stdout, stderr } = await pack();
    assert.equal(code, 65, stderr);
    assert.match(`${stdout}${stderr}`, new RegExp(ARCHIVE));
    assertNothingPacked();
  });

  test("says what is wrong: options, image, folder without packages", async () => {
    const bundle = (...args: string[]) => run(join(root, "tools/bundle.sh"), args);
    const out = join(checkout, "never.tar.gz");
    for (const [args, exit, expected] of [
      [["--packages", packages], 64, /usage: bundle\.sh/],
      [["--packages", packages, "--image", "no-such:tag", "--out", out], 1, /no-such:tag[\s\S]*build/],
      [["--packages", join(stack.folder, "conf"), "--image", TAG, "--out", out], 66, /nothing was packed/],
      [["--packages", join(stack.folder, "nowhere"), "--image", TAG, "--out", out], 66, /nowhere/],
      [["--packages", packages, "--image", TAG, "--out", "/nowhere/x"], 1, /does not exist/],
    ] as const) {
      const { code, stderr } = await bundle(...args);
      assert.equal(code, exit, stderr);
      assert.match(stderr, expected);
    }
    assertNothingPacked();
  });

  test("what the job accepts is packed: packages.json alone, an upper-case name, a link", async () => {
    rmSync(join(packages, "controller"), { recursive: true });
    await buildArchive(join(packages, "files/real.bin"), { format: "zip", payloadBytes: 5_000_000 });
    symlinkSync("files/real.bin", join(packages, "probe.bin"));
    await buildArchive(join(packages, "FUSION-COLLECTORS-LINUX-2.0.0.ZIP"), { format: "zip" });
    const list = [{ file: "probe.bin", type: "controller", os: "linux", version: "1.0.0" }];
    writeFileSync(join(packages, "packages.json"), JSON.stringify({ packages: list }));
    writeFileSync(join(packages, "half-copied.zip.part"), "x");
    const { code, stdout, stderr } = await pack();
    assert.equal(code, 0, `${stdout}${stderr}`);
    await docker("rmi", TAG);
    renameSync(join(checkout, BUNDLE), join(target, BUNDLE));
    const unpack = block("Load").split("\n")[0] ?? "";
    assert.equal((await shell.run(unpack, target)).code, 0);
    assert.deepEqual(readdirSync(unpacked).sort(), [
      "LICENSE",
      "SHA256SUMS",
      "compose.init.yml",
      "docs",
      "image.tar",
      "image.txt",
      "k8s",
      "load.sh",
      "packages",
    ]);
    assert.ok(!readdirSync(join(unpacked, "packages")).includes("half-copied.zip.part"));
  });

  /** Runs load.sh with one byte of a file flipped. */
  async function loadWithFlip(name: string, offset: number): Promise<Result> {
    const path = join(unpacked, name);
    const bytes = readFileSync(path);
    const flipped = Buffer.from(bytes);
    flipped[offset] = (bytes[offset] ?? 0) ^ 1;
    writeFileSync(path, flipped);
    try {
      return await load();
    } finally {
      writeFileSync(path, bytes);
    }
  }

  test("load.sh refuses a flipped byte, names the file, and loads nothing", async () => {
    for (const name of ["packages/probe.bin", "image.tar", "k8s/base/job.yaml"]) {
      const { code, stderr } = await loadWithFlip(name, 100);
      assert.equal(code, 1, name);
      assert.ok(stderr.includes(`${name}: damaged`), stderr);
    }
    for (const offset of [0, 63, 64, 66]) {
      const { code, stderr } = await loadWithFlip("SHA256SUMS", offset);
      assert.equal(code, 1, `SHA256SUMS at ${offset}`);
      assert.match(stderr, /load\.sh/);
    }
    assert.notEqual((await run("docker", ["image", "inspect", TAG])).code, 0);
  });

  test("load.sh refuses a file that is missing or in no list", async () => {
    writeFileSync(join(unpacked, "packages/extra.zip"), "x");
    const unlisted = await load();
    rmSync(join(unpacked, "packages/extra.zip"));
    assert.equal(unlisted.code, 1);
    assert.match(unlisted.stderr, /extra\.zip: not listed/);
    renameSync(join(unpacked, "image.txt"), join(target, "elsewhere"));
    const missing = await load();
    renameSync(join(target, "elsewhere"), join(unpacked, "image.txt"));
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /image\.txt: missing/);
  });

  test("load.sh refuses an image for another architecture, by name of both", async () => {
    const [text, sums] = ["image.txt", "SHA256SUMS"].map((name) => readFileSync(join(unpacked, name)));
    const foreign = process.arch === "arm64" ? "linux/amd64" : "linux/arm64";
    writeFileSync(join(unpacked, "image.txt"), `${TAG}\n${foreign}\n`);
    const { stdout: sum } = await run("sha256sum", ["image.txt"], { cwd: unpacked });
    writeFileSync(join(unpacked, "SHA256SUMS"), String(sums).replace(/^.* {2}image\.txt\n/m, sum));
    const { code, stderr } = await load();
    writeFileSync(join(unpacked, "image.txt"), text ?? "");
    writeFileSync(join(unpacked, "SHA256SUMS"), sums ?? "");
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`${foreign}, this host is linux/`));
  });

  test("a Docker that does not answer is not called missing", async () => {
    const env = { ...process.env, DOCKER_HOST: "tcp://127.0.0.1:1", PATH: join(stack.folder, "bin") };
    // Docker alone on the PATH, and what the script needs.
    for (const name of ["sh", "sha256sum", "dirname", "find", "grep", "wc", "cat"]) {
      const { stdout } = await run("which", [name]);
      symlinkSync(stdout.trim(), join(stack.folder, "bin", name));
    }
    rmSync(join(stack.folder, "bin/docker"));
    symlinkSync((await run("which", ["docker"])).stdout.trim(), join(stack.folder, "bin/docker"));
    const { code, stderr } = await run("/bin/sh", [join(unpacked, "load.sh")], { cwd: "/", env });
    assert.equal(code, 1);
    assert.match(stderr, /docker: [\s\S]*127\.0\.0\.1:1/);
  });

  test("load.sh sets up the stack, and a new shell has it", async () => {
    // No line break at the end, and an override that Compose would read by itself.
    const env = join(stack.folder, ".env");
    writeFileSync(env, readFileSync(env, "utf8").trimEnd());
    writeFileSync(
      join(stack.folder, "docker-compose.override.yml"),
      "services:\n  web:\n    labels: [over]\n",
    );
    shell = new DocsShell(join(stack.folder, "again"), stack.composeCommand, { STACK: stack.folder });
    const command = block("Load").split("\n")[1] ?? "";
    for (let round = 0; round < 2; round++) {
      const { code, stdout, stderr } = await shell.run(command, target);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /docker compose up -d/);
    }
    const lines = readFileSync(env, "utf8").trimEnd().split("\n").slice(-3);
    assert.deepEqual(lines, [
      "COMPOSE_FILE=docker-compose.yaml:docker-compose.override.yml:compose.init.yml",
      `PACKAGE_INIT_IMAGE=${TAG}`,
      `PACKAGES_PATH='${join(unpacked, "packages")}'`,
    ]);
    const up = await shell.run(block("Start"), stack.folder);
    assert.equal(up.code, 0, up.stderr);
    assert.equal((await stack.container("package-init")).Config.Image, TAG);
    assert.equal((await stack.state()).rows.length, 8);
    assert.equal((await stack.container("web")).State.Running, true);
  });
});
