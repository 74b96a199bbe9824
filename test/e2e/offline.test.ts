import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { type Compose, cutShort, docker, findComposes, type Result, root, run } from "./docker.ts";
import { DocsShell, shellBlocks } from "./docs.ts";
import { Stack } from "./stack.ts";

const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const TAG = `bklite-package-init:${version}`;
const BUNDLE = "bklite-package-init.tar.gz";
/** The architecture that this machine does not have. */
const FOREIGN = process.arch === "arm64" ? "amd64" : "arm64";
const FOREIGN_TAG = `bklite-package-init-${FOREIGN}:e2e-${process.pid}`;
const page = shellBlocks("offline.md");
const block = (heading: string) => page.get(heading)?.join("\n") ?? "false";

/** Loads an image that says it is for the other architecture; it holds one small file and cannot be run. */
async function loadForeignImage(folder: string): Promise<void> {
  mkdirSync(join(folder, "image"), { recursive: true });
  writeFileSync(join(folder, "file"), "x");
  await run("tar", ["-cf", "root.tar", "file"], { cwd: folder });
  await docker("import", join(folder, "root.tar"), FOREIGN_TAG);
  await docker("save", "-o", join(folder, "image.tar"), FOREIGN_TAG);
  await docker("rmi", FOREIGN_TAG);
  await run("tar", ["-xf", "../image.tar"], { cwd: join(folder, "image") });
  const [{ Config }] = JSON.parse(readFileSync(join(folder, "image/manifest.json"), "utf8"));
  const config = join(folder, "image", Config);
  const text = readFileSync(config, "utf8").replace(/"architecture":"\w+"/, `"architecture":"${FOREIGN}"`);
  writeFileSync(config, text);
  await run("tar", ["-cf", "../foreign.tar", "."], { cwd: join(folder, "image") });
  await docker("load", "-i", join(folder, "foreign.tar"));
}

describe("docs/offline.md", () => {
  let stack: Stack;
  let composes: [Compose, ...Compose[]];
  let shell: DocsShell;
  /** The repository with somebody's packages in it, without Node and npm's modules. */
  let checkout: string;
  let packages: string;
  /** The other host's folder. */
  let target: string;
  let unpacked: string;

  before(async () => {
    composes = await findComposes();
    stack = new Stack(composes[0].command);
    shell = new DocsShell(stack.folder, stack.composeCommand, { STACK: stack.folder });
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
  after(async () => {
    await run("docker", ["rmi", FOREIGN_TAG]);
    await stack?.remove();
  });

  const pack = () => shell.run(block("Pack"), checkout);
  const bundle = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    run(join(root, "tools/bundle.sh"), args, { env: { ...process.env, ...env } });
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
    const out = join(checkout, "never.tar.gz");
    for (const [args, exit, expected] of [
      [["--packages", packages], 64, /usage: bundle\.sh/],
      [["--packages", packages, "--image", "no-such:tag", "--out", out], 1, /no-such:tag[\s\S]*build/],
      [["--packages", join(stack.folder, "conf"), "--image", TAG, "--out", out], 66, /nothing was packed/],
      [["--packages", join(stack.folder, "nowhere"), "--image", TAG, "--out", out], 66, /nowhere/],
      [["--packages", packages, "--image", TAG, "--out", "/nowhere/x"], 1, /does not exist/],
    ] as const) {
      const { code, stderr } = await bundle(args);
      assert.equal(code, exit, stderr);
      assert.match(stderr, expected);
    }
    const args = ["--packages", packages, "--image", TAG, "--out", out];
    const setting = await bundle(args, { ARCHIVE_CHECK: "perhaps" });
    assert.equal(setting.code, 78);
    assert.doesNotMatch(setting.stderr, /fix the packages/);
    assertNothingPacked();
  });

  test("another architecture's image is rejected before any package is judged; --scan-with packs it", async () => {
    const folder = join(stack.folder, "foreign");
    await loadForeignImage(folder);
    const out = join(folder, "bundle.tar.gz");
    const args = ["--packages", packages, "--image", FOREIGN_TAG, "--out", out];
    for (const more of [[], ["--scan-with", FOREIGN_TAG]]) {
      const { code, stdout, stderr } = await bundle([...args, ...more]);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`is for linux/${FOREIGN}.* runs linux/.*--scan-with`));
      assert.doesNotMatch(`${stdout}${stderr}`, new RegExp(`Judging|${ARCHIVE}|fix the packages`));
      assert.equal(existsSync(out), false);
    }
    const sound = join(folder, "sound");
    await buildArchive(join(sound, ARCHIVE));
    const scanned = await bundle([...args, "--scan-with", TAG, "--packages", sound]);
    assert.equal(scanned.code, 0, scanned.stderr);
    await run("tar", ["-xzf", out], { cwd: folder });
    const { code, stderr } = await run(join(folder, "bklite-package-init/load.sh"), []);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`linux/${FOREIGN}, this host is linux/`));
  });

  test("what the job accepts is packed: packages.json alone, an upper-case name, a link", async () => {
    rmSync(join(packages, "controller"), { recursive: true });
    await buildArchive(join(packages, "files/real.bin"), { format: "zip", payloadBytes: 5_000_000 });
    symlinkSync("files/real.bin", join(packages, "probe.bin"));
    await buildArchive(join(packages, "FUSION-COLLECTORS-LINUX-2.0.0.ZIP"), { format: "zip" });
    const list = [{ file: "probe.bin", type: "controller", os: "linux", version: "1.0.0" }];
    writeFileSync(join(packages, "packages.json"), JSON.stringify({ packages: list }));
    writeFileSync(join(packages, "half-copied.zip.part"), "x");
    const { code, stdout, stderr } = await shell.run(`umask 077\n${block("Pack")}`, checkout);
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
    assert.equal(statSync(join(target, BUNDLE)).mode & 0o777, 0o600);
    const { stdout: closed } = await run("find", [unpacked, "!", "-perm", "-o=r"]);
    assert.equal(closed, "", "others cannot read this");
  });

  test("a bundle that was cut short is called so, wherever the cut is", async () => {
    const folder = join(stack.folder, "cut");
    const size = statSync(join(target, BUNDLE)).size;
    for (const rest of [0.01, 0.5, 0.999]) {
      mkdirSync(folder);
      cpSync(join(target, BUNDLE), join(folder, BUNDLE));
      truncateSync(join(folder, BUNDLE), Math.floor(size * rest));
      assert.notEqual((await run("tar", ["-xzf", BUNDLE], { cwd: folder })).code, 0);
      const { code, stderr } = await run(join(folder, "bklite-package-init/load.sh"), []);
      assert.equal(code, 1);
      assert.match(stderr, /cut short/);
      assert.doesNotMatch(stderr, /damaged|: missing/);
      rmSync(folder, { recursive: true });
    }
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

  test("load.sh rejects a flipped byte, names the file, and loads nothing", async () => {
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

  test("load.sh rejects a file that is missing or in no list", async () => {
    const extras: Record<string, (path: string) => void> = {
      "packages/extra.zip": (path) => writeFileSync(path, "x"),
      // The beginning of a listed path.
      "packages/probe.b": (path) => writeFileSync(path, "x"),
      "packages/link.bin": (path) => symlinkSync("probe.bin", path),
    };
    for (const [extra, make] of Object.entries(extras)) {
      make(join(unpacked, extra));
      const unlisted = await load();
      rmSync(join(unpacked, extra));
      assert.equal(unlisted.code, 1, extra);
      assert.ok(unlisted.stderr.includes(`${extra}: not listed`), unlisted.stderr);
    }
    renameSync(join(unpacked, "image.txt"), join(target, "elsewhere"));
    const missing = await load();
    renameSync(join(target, "elsewhere"), join(unpacked, "image.txt"));
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /image\.txt: missing/);
  });

  test("a signed bundle: the printed checks pass, and load.sh --verify rejects what is not signed by the keys", async () => {
    const folder = join(stack.folder, "signed");
    mkdirSync(folder);
    const key = join(folder, "release.key");
    for (const path of [key, join(folder, "other.key")])
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "release@example.com", "-f", path]);
    assert.equal((await run("docker", ["load", "-i", join(unpacked, "image.tar")])).code, 0);
    const out = join(folder, BUNDLE);
    const packed = await bundle(["--packages", packages, "--image", TAG, "--out", out, "--sign", key]);
    assert.equal(packed.code, 0, packed.stderr);
    await docker("rmi", TAG);
    const byHand = await shell.run(
      shellBlocks("signing.md").get("Manually, first")?.join("\n") ?? "false",
      folder,
    );
    assert.equal(byHand.code, 0, byHand.stderr);
    assert.match(byHand.stdout, /Good "bklite-package" signature/);
    const there = join(folder, "bundle/bklite-package-init");
    const verify = (keys: string) => run("sh", [join(there, "load.sh"), "--verify", keys], { cwd: folder });
    const rejected = async (keys: string, words: RegExp) => {
      const { code, stderr } = await verify(keys);
      assert.equal(code, 1);
      assert.match(stderr, words);
      assert.notEqual((await run("docker", ["image", "inspect", TAG])).code, 0);
    };
    await rejected(`${join(folder, "other.key")}.pub`, /not by a key of .*other\.key\.pub/);
    cpSync(`${key}.pub`, join(there, "keys"));
    await rejected(join(there, "keys"), /lies in the bundle/);
    rmSync(join(there, "keys"));
    for (const list of ["SHA256SUMS", "packages/SHA256SUMS"]) {
      const text = readFileSync(join(there, list), "utf8");
      writeFileSync(join(there, list), text.replace(/^./, "f"));
      await rejected("allowed_signers", /or the list was changed/);
      writeFileSync(join(there, list), text);
      renameSync(join(there, `${list}.sig`), join(folder, "elsewhere"));
      await rejected(`${key}.pub`, new RegExp(`${list} is not signed`));
      renameSync(join(folder, "elsewhere"), join(there, `${list}.sig`));
    }
    const loaded = await verify("allowed_signers");
    assert.equal(loaded.code, 0, loaded.stderr);
    // The job accepts the packages' own list, which travels with them.
    const scan = [
      "-e",
      "VERIFY_KEY_FILE=/keys",
      "-v",
      `${key}.pub:/keys:ro`,
      "-v",
      `${there}/packages:/packages:ro`,
    ];
    const { code, stdout } = await run("docker", ["run", "--rm", ...scan, TAG, "scan"]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /release@example\.com/);
    await docker("rmi", TAG);
  });

  test("a Docker that does not answer is not called missing", async () => {
    const env = { ...process.env, DOCKER_HOST: "tcp://127.0.0.1:1", PATH: join(stack.folder, "bin") };
    // Docker alone on the PATH, and what the script needs.
    for (const name of ["sh", "sha256sum", "dirname", "find", "grep", "sed", "wc", "cat"]) {
      const { stdout } = await run("which", [name]);
      symlinkSync(stdout.trim(), join(stack.folder, "bin", name));
    }
    rmSync(join(stack.folder, "bin/docker"));
    symlinkSync((await run("which", ["docker"])).stdout.trim(), join(stack.folder, "bin/docker"));
    const { code, stderr } = await run("/bin/sh", [join(unpacked, "load.sh")], { cwd: "/", env });
    assert.equal(code, 1);
    assert.match(stderr, /docker: [\s\S]*127\.0\.0\.1:1/);
  });

  test("load.sh reads .env as Compose does, or says that it does not and shows the line", async () => {
    const folder = join(stack.folder, "odd");
    mkdirSync(folder);
    const service = (name: string) => `services:\n  ${name}: { image: "postgres:15", networks: [prod] }\n`;
    writeFileSync(join(folder, "a.yaml"), `${service("web")}networks: { prod: {} }\n`);
    writeFileSync(join(folder, "docker-compose.yaml"), readFileSync(join(folder, "a.yaml")));
    writeFileSync(join(folder, "b.yaml"), service("more"));
    const environment = join(folder, ".env");
    for (const [lines, expected] of [
      ["export COMPOSE_FILE=a.yaml:b.yaml # as the wiki has it", ["more", "web"]],
      ['  COMPOSE_FILE = "a.yaml:b.yaml"  # it\'s "quoted"', ["more", "web"]],
      ["COMPOSE_FILE='a.yaml,b.yaml'\nCOMPOSE_PATH_SEPARATOR=\",\"", ["more", "web"]],
      ["COMPOSE_PATH_SEPARATOR=;", ["web"]],
      ["\ufeffCOMPOSE_FILE=a.yaml\r\nX=1\r", ["web"]],
      ["#COMPOSE_FILE=b.yaml\nCOMPOSE_FILE=a.yaml # not compose.init.yml", ["web"]],
      ["COMPOSE_FILE=b.yaml\nCOMPOSE_FILE=a.yaml:./compose.init.yml", ["web"]],
      ['NAME=a\nCOMPOSE_FILE="$NAME.yaml:b.yaml"', undefined],
      ["COMPOSE_FILE=a.yaml::b.yaml\nCOMPOSE_PATH_SEPARATOR=::", undefined],
    ] as const) {
      writeFileSync(environment, `${lines}\n`);
      const { code, stderr } = await load("--stack", folder);
      const set = readFileSync(environment, "utf8");
      assert.equal(code, expected ? 0 : 1, `${lines}: ${stderr}`);
      assert.match(set, new RegExp(`^PACKAGE_INIT_IMAGE=${TAG}$`, "m"));
      if (!expected) {
        assert.match(stderr, /COMPOSE_FILE=docker-compose\.yaml:compose\.init\.yml/);
        assert.ok(set.startsWith(lines), set);
        continue;
      }
      for (const { command, version } of composes) {
        const [program = "", ...first] = command;
        const result = await run(program, [...first, "config", "--services"], { cwd: folder });
        const services = result.stdout.trim().split("\n").sort();
        assert.deepEqual(
          services,
          [...expected, "package-init"].sort(),
          `${version}: ${lines}\n${result.stderr}`,
        );
      }
    }
    // With the line that it showed, it has nothing left to say.
    writeFileSync(environment, 'NAME=a\nCOMPOSE_FILE="$NAME.yaml:compose.init.yml" # ours\n');
    assert.equal((await load("--stack", folder)).code, 0);
  });

  test("load.sh sets up the stack, and a new shell has it", async () => {
    // No line break at the end, and an override that Compose would read by itself.
    const env = join(stack.folder, ".env");
    const original = readFileSync(env, "utf8").trimEnd();
    writeFileSync(env, original);
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
    assert.equal(readFileSync(`${env}.before-package-init`, "utf8"), original);
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

  test("the next bundle's folder takes effect at the next `up`, and the first .env stays kept", async () => {
    const kept = readFileSync(join(stack.folder, ".env.before-package-init"));
    const next = join(target, "next");
    cpSync(unpacked, join(next, "bklite-package-init"), { recursive: true });
    rmSync(unpacked, { recursive: true });
    const { code, stderr } = await shell.run(block("Load").split("\n")[1] ?? "", next);
    assert.equal(code, 0, stderr);
    const up = await shell.run(block("Start"), stack.folder);
    assert.equal(up.code, 0, up.stderr);
    const { Mounts } = await stack.container("package-init");
    const sources = Mounts.map(({ Source }: { Source: string }) => Source);
    assert.ok(sources.includes(join(next, "bklite-package-init/packages")), sources.join());
    assert.deepEqual(readFileSync(join(stack.folder, ".env.before-package-init")), kept);
  });
});
