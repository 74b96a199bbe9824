import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { buildImage, docker, findComposes, IMAGE, type Result, root, run } from "./docker.ts";
import { Stack } from "./stack.ts";

const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const TAG = `bklite-package-init:bundle-${process.pid}`;

describe("the offline bundle", () => {
  let stack: Stack;
  let packages: string;
  /** Where it is unpacked, with nothing else there. */
  let unpacked: string;

  before(async () => {
    const [compose = []] = await findComposes();
    await buildImage();
    await docker("tag", IMAGE, TAG);
    stack = new Stack(compose);
    packages = join(stack.folder, "to-be-bundled");
    await buildArchive(join(packages, "controller", ARCHIVE), { payloadBytes: 5_000_000 });
    writeFileSync(join(packages, "half-copied.zip.part"), "x");
  });
  after(async () => {
    await stack?.remove();
    await run("docker", ["rmi", TAG]);
  });

  const bundle = (...args: string[]) => run(process.execPath, [join(root, "tools/bundle.ts"), ...args]);
  const load = (): Promise<Result> => run("sh", [join(unpacked, "load.sh")], { cwd: "/" });

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

  test("says what is wrong: options, image, archives", async () => {
    const out = join(stack.folder, "never.tar.gz");
    const options = ["--packages", packages, "--out", out];
    for (const [args, expected] of [
      [["--packages", packages], /usage: npm run bundle/],
      [[...options, "--image", "bklite-package-init:no-such-tag"], /no-such-tag[\s\S]*docker build/],
      [
        ["--packages", join(stack.folder, "conf"), "--image", TAG, "--out", out],
        /holds no fusion-collectors archive/,
      ],
      [["--packages", join(stack.folder, "nowhere"), "--image", TAG, "--out", out], /nowhere cannot be read/],
    ] as const) {
      const { code, stderr } = await bundle(...args);
      assert.equal(code, 1);
      assert.match(stderr, expected);
    }
    assert.deepEqual(
      readdirSync(stack.folder).filter((name) => /never|\.bundle/.test(name)),
      [],
    );
  });

  test("goes into one file, and out of it in an empty folder", async () => {
    const out = join(stack.folder, "bundle.tar.gz");
    const { code, stderr } = await bundle("--packages", packages, "--image", TAG, "--out", out);
    assert.equal(code, 0, stderr);
    await docker("rmi", TAG);
    const empty = join(stack.folder, "empty");
    mkdirSync(empty);
    renameSync(out, join(empty, "bundle.tar.gz"));
    assert.equal((await run("tar", ["xzf", "bundle.tar.gz"], { cwd: empty })).code, 0);
    unpacked = join(empty, "bklite-package-init");
    assert.deepEqual(readdirSync(unpacked).sort(), [
      "SHA256SUMS",
      "compose.init.yml",
      "image.tar",
      "image.txt",
      "k8s",
      "load.sh",
      "packages",
    ]);
    assert.deepEqual(readdirSync(join(unpacked, "packages")), ["controller"]);
  });

  test("load.sh refuses a flipped byte, names the file, and loads nothing", async () => {
    for (const name of [`packages/controller/${ARCHIVE}`, "image.tar", "k8s/base/job.yaml"]) {
      const { code, stderr } = await loadWithFlip(name, 1000);
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
    const sums = readFileSync(join(unpacked, "SHA256SUMS"), "utf8");
    writeFileSync(join(unpacked, "SHA256SUMS"), sums.replace(/^.*fusion-collectors.*\n/m, ""));
    const unlisted = await load();
    writeFileSync(join(unpacked, "SHA256SUMS"), sums);
    assert.equal(unlisted.code, 1);
    assert.match(unlisted.stderr, new RegExp(`${ARCHIVE}: not listed`));
    renameSync(join(unpacked, "image.txt"), join(unpacked, "elsewhere"));
    const missing = await load();
    renameSync(join(unpacked, "elsewhere"), join(unpacked, "image.txt"));
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /image\.txt: missing/);
  });

  test("load.sh loads the image, and the stack comes up with what it names", async () => {
    const { code, stdout, stderr } = await load();
    assert.equal(code, 0, stderr);
    const env = Object.fromEntries(
      [...stdout.matchAll(/export (\w+)='(.*)'/g)].map(([, name, value]) => [name, value]),
    );
    assert.deepEqual(env, { PACKAGE_INIT_IMAGE: TAG, PACKAGES_PATH: join(unpacked, "packages") });
    const up = await stack.composeWithInit(["up", "-d"], join(unpacked, "compose.init.yml"), env);
    assert.equal(up.code, 0, up.stderr);
    assert.equal((await stack.container("package-init")).Config.Image, TAG);
    assert.equal((await stack.state()).rows.length, 4);
    assert.equal((await stack.container("web")).State.Running, true);
  });
});
