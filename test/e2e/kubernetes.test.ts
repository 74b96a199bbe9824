import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { until } from "../support/wait.ts";
import { Cluster, isReal } from "./cluster.ts";
import { buildImage, cutShort, docker, type Result } from "./docker.ts";
import { shellBlocks } from "./docs.ts";

const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const FILL = "k8s/overlays/pvc/fill.sh";
const APPLY = "kubectl apply -k k8s/overlays/pvc";
const DELETE = "kubectl -n bk-lite delete job bklite-package-init --ignore-not-found";
const WAIT = "k8s/wait.sh -n bk-lite";
const page = shellBlocks("kubernetes.md");
const unused = new Set(
  [...page].flatMap(([heading, blocks]) => blocks.map((_, index) => `${heading} ${index}`)),
);

/** A block of the page, as printed. */
function block(heading: string, index = 0): string {
  const found = page.get(heading)?.[index];
  assert.ok(found, `docs/kubernetes.md has no block ${index} under "${heading}"`);
  unused.delete(`${heading} ${index}`);
  return found;
}
async function succeed(result: Promise<Result>): Promise<string> {
  const { code, stdout, stderr } = await result;
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout;
}
async function refuse(result: Promise<Result>, code: number, words: RegExp): Promise<string> {
  const { code: ended, stdout, stderr } = await result;
  assert.equal(ended, code, `${stdout}${stderr}`);
  assert.match(`${stdout}${stderr}`, words);
  return `${stdout}${stderr}`;
}

console.log(
  isReal
    ? "docs/kubernetes.md runs on kubectl's current cluster"
    : "docs/kubernetes.md runs through a stand-in for kubectl (test/e2e/kubectl.ts): its pods are Docker containers; KUBERNETES=real takes kubectl's current cluster",
);

describe("docs/kubernetes.md, as printed", () => {
  const cluster = new Cluster();
  const sh = (text: string, env?: NodeJS.ProcessEnv) => cluster.shell(text, env);
  const rows = () => cluster.sql("SELECT xmin, * FROM node_mgmt_packageversion ORDER BY id");
  // A sender that hangs is what some of these would find: they end then, too.
  const standIn = { skip: isReal && "only through the stand-in", timeout: 600_000 };

  before(async () => {
    await buildImage();
    await cluster.start();
    await buildArchive(join(cluster.packages, "controller/deep folder", ARCHIVE), {
      payloadBytes: 5_000_000,
    });
    writeFileSync(join(cluster.packages, "controller/VERSION"), "1.0.0\n");
    writeFileSync(join(cluster.packages, ".hidden"), "x");
    const archive = join(cluster.packages, "controller/deep folder", ARCHIVE);
    utimesSync(archive, 1_700_000_000, 1_700_000_000);
  });
  after(() => cluster.remove());

  test("wait.sh ends immediately if there is no Job", async () => {
    await refuse(
      sh(WAIT),
      1,
      /NotFound[\s\S]*There is no Job bklite-package-init[\s\S]*ttlSecondsAfterFinished/,
    );
  });

  test("settings and Secret: the commands work a second time, too", async () => {
    for (let round = 0; round < 2; round++) await succeed(sh(block("Settings and Secret")));
  });

  test("on a claim: filled, and the Job stores and registers what lies there", async () => {
    await succeed(sh(block("On a claim")));
    const log = await succeed(sh(block("Has it succeeded?")));
    assert.match(log, /Z info {2}bklite-package-init \d.*: init\n/);
    assert.match(log, /the Job succeeded\n$/);
    assert.equal((await rows()).length, 4);
  });

  test(
    "the claim has every file, byte for byte, with its time, and nothing half-copied or hidden",
    standIn,
    () => {
      const path = `controller/deep folder/${ARCHIVE}`;
      assert.deepEqual(readdirSync(cluster.claim, { recursive: true }).sort(), [
        "controller",
        "controller/VERSION",
        "controller/deep folder",
        path,
      ]);
      const [there, here] = [join(cluster.claim, path), join(cluster.packages, path)];
      assert.ok(readFileSync(there).equals(readFileSync(here)));
      assert.equal(statSync(there).mtimeMs, 1_700_000_000_000);
    },
  );

  test("run again: changes nothing", async () => {
    const before = await rows();
    await succeed(sh(block("Run again, upgrade")));
    assert.deepEqual(await rows(), before);
  });

  test("fill.sh skips existing files, lists files, and deletes one", async () => {
    await succeed(sh("kubectl apply -k k8s/overlays/pvc/claim"));
    writeFileSync(join(cluster.packages, ARCHIVE), "of the same name, another folder");
    const [, fill = ""] = block("On a claim").split("\n");
    assert.match(
      await succeed(sh(fill)),
      /deep folder\/.*: there already\n[\s\S]*1 copied, 2 there already\n$/,
    );
    rmSync(join(cluster.packages, ARCHIVE));
    const [list = "", remove = ""] = block("On a claim", 1).split("\n");
    assert.match(
      await succeed(sh(list)),
      new RegExp(` 32 \\S+ \\S+ ${ARCHIVE}\\n[\\s\\S]*\\d+ MiB free\\n$`),
    );
    await succeed(sh(remove));
    assert.doesNotMatch(await succeed(sh(list)), new RegExp(` ${ARCHIVE}\\n`));
    await refuse(sh(remove), 1, /there is no such file/);
    await refuse(sh(`${FILL} --delete ../etc/passwd -n bk-lite`), 1, /not a name below the claim/);
    await refuse(sh(`${FILL} --delete . -n bk-lite`), 1, /not a name below the claim/);
  });

  test("a truncated archive that was filled a moment ago is 65 immediately: one pod, and wait.sh has its code", async () => {
    const bad = join(cluster.packages, "controller/fusion-collectors-linux-amd64-2.0.0.zip");
    await buildArchive(bad);
    cutShort(bad);
    await succeed(sh(`${FILL} ./packages -n bk-lite; ${DELETE}; ${APPLY}`));
    await refuse(sh(WAIT), 65, /2\.0\.0\.zip[\s\S]*the Job failed: PodFailurePolicy: /);
    const pods =
      "kubectl -n bk-lite get pods -l job-name=bklite-package-init -o jsonpath='{.items[*].metadata.name}'";
    assert.equal((await succeed(sh(pods))).split(" ").length, 1);
    rmSync(bad);
    await succeed(sh(`${FILL} --delete controller/fusion-collectors-linux-amd64-2.0.0.zip -n bk-lite`));
  });

  test("an empty folder, a mistyped one, and a wrong call are rejected", async () => {
    mkdirSync(join(cluster.checkout, "empty/.git"), { recursive: true });
    writeFileSync(join(cluster.checkout, "empty/.git/x"), "x");
    await refuse(sh(`${FILL} empty -n bk-lite`), 66, /empty holds no file to copy/);
    await refuse(sh(`${FILL} /nowhere -n bk-lite`), 64, /not a folder/);
    await refuse(sh(`${FILL} --delete`), 64, /usage: fill\.sh/);
  });

  test("a key missing in the Secret: wait.sh says so instead of waiting", async () => {
    const secret = block("Settings and Secret").replace(/--from-literal=nats-user=\S+/, "");
    await succeed(sh(`${DELETE}; ${secret}; ${APPLY}`));
    await refuse(
      sh(WAIT),
      1,
      /CreateContainerConfigError: couldn't find key nats-user in Secret[\s\S]*Settings and Secret/,
    );
    // As the page says: with the key the pod starts by itself.
    await succeed(sh(block("Settings and Secret")));
    await succeed(sh(WAIT));
  });

  test("an image that cannot be had: wait.sh says so instead of waiting", async () => {
    const images = join(cluster.checkout, "k8s/overlays/pvc/images/kustomization.yaml");
    const text = readFileSync(images, "utf8");
    writeFileSync(images, text.replace(/newTag: .*/, "newTag: 0.0.0-none"));
    await succeed(sh(`${DELETE}; ${APPLY}`));
    await refuse(sh(WAIT), 1, /ImagePullBackOff: .*0\.0\.0-none/);
    writeFileSync(images, text);
  });

  test(
    "of several pods the newest counts: success is not read as the first one's failure",
    standIn,
    async () => {
      cluster.set("WAIT_TIMEOUT", "5");
      const { Id: nats } = (await cluster.stack?.container("nats")) ?? {};
      await docker("pause", nats);
      const ended =
        "kubectl -n bk-lite get pods -l job-name=bklite-package-init -o jsonpath='{.items[*].status.phase}'";
      try {
        await succeed(sh(`kubectl apply -k k8s/overlays/settings; ${DELETE}; ${APPLY}`));
        while (!(await succeed(sh(ended))).includes("Failed")) await sh("sleep 1");
      } finally {
        await docker("unpause", nats);
      }
      const log = await succeed(sh(WAIT));
      assert.match(log, /the Job succeeded\n$/);
      // The page's own reason for wait.sh: kubectl shows the oldest pod.
      assert.match(await succeed(sh("kubectl -n bk-lite logs job/bklite-package-init")), /exit 69/);
      assert.doesNotMatch(log.slice(log.lastIndexOf(": init\n")), /exit 69/);
      cluster.set("WAIT_TIMEOUT", "300");
      await succeed(sh("kubectl apply -k k8s/overlays/settings"));
    },
  );

  test(
    "a claim that is full, or not writable: fill.sh ends with one sentence, whatever the file's size",
    standIn,
    async () => {
      const loader =
        "kubectl -n bk-lite delete pod bklite-packages-loader; kubectl apply -k k8s/overlays/pvc/claim";
      const large = join(cluster.checkout, "large");
      mkdirSync(large);
      writeFileSync(join(large, "large.zip"), Buffer.alloc(8_000_000, 1));
      const volume = `stand-in-full-${process.pid}`;
      const options = ["type=tmpfs", "device=tmpfs", "o=size=2m,uid=65532"].flatMap((one) => ["--opt", one]);
      await docker("volume", "create", "--driver", "local", ...options, volume);
      try {
        await succeed(sh(loader, { KUBECTL_CLAIM: volume }));
        const full = await refuse(
          sh(`${FILL} large -n bk-lite`),
          1,
          /large\.zip: the claim is full \(\d+ MiB free\)/,
        );
        assert.equal(full.trim().split("\n").length, 2, full);
        // Nothing half-copied keeps the space.
        assert.match(await succeed(sh(`${FILL} --list -n bk-lite`)), /^[12] MiB free\n$/);
        await succeed(sh("kubectl -n bk-lite delete pod bklite-packages-loader"));
      } finally {
        await docker("volume", "rm", volume);
      }
      const rootsOwn = join(dirname(cluster.claim), "roots-own");
      mkdirSync(rootsOwn, { mode: 0o755 });
      await succeed(sh("kubectl apply -k k8s/overlays/pvc/claim", { KUBECTL_CLAIM: rootsOwn }));
      const words =
        /large\.zip: user 65532 cannot write to \/packages, which belongs to user \d+: .*chown -R 65532/;
      await refuse(sh(`${FILL} large -n bk-lite`), 1, words);
      await succeed(sh(loader));
    },
  );

  test(
    "a loader that has ended, or ends while a file is on its way: fill.sh says what to delete and apply",
    standIn,
    async () => {
      const find = "kubectl -n bk-lite get pod bklite-packages-loader -o jsonpath='{.metadata.container}'";
      const container = (await succeed(sh(find))).trim();
      const remedy =
        /loader pod has ended[\s\S]*kubectl -n bk-lite delete pod bklite-packages-loader\n.*kubectl apply -k/;
      const stalled = refuse(sh(`${FILL} large -n bk-lite`, { KUBECTL_STALL: "yes" }), 1, remedy);
      const receives = async () => /fsyncSync/.test(await docker("top", container));
      await until("the file is on its way", receives, 60_000, 200);
      await docker("kill", container);
      await stalled;
      await refuse(sh(`${FILL} ./packages -n bk-lite`), 1, remedy);
      await succeed(sh("kubectl -n bk-lite delete pod bklite-packages-loader"));
      await refuse(
        sh(`${FILL} ./packages -n bk-lite`),
        1,
        /NotFound[\s\S]*kubectl apply -k k8s\/overlays\/pvc\/claim/,
      );
      await succeed(sh("kubectl apply -k k8s/overlays/pvc/claim"));
      await succeed(sh(`${FILL} ./packages -n bk-lite`));
    },
  );

  test("in the image: the bundle runs itself", async () => {
    await succeed(sh(DELETE));
    await succeed(sh(block("In the image")));
    await succeed(sh(WAIT));
    await succeed(sh(DELETE));
    const [, bundle] = / -t (\S+)/.exec(block("In the image")) ?? [];
    await docker("rmi", bundle ?? "");
  });

  test("delete: the Job goes, what gated pods read and the archives stay; then the rest", async () => {
    await succeed(sh(block("Delete")));
    await refuse(sh(WAIT), 1, /There is no Job/);
    const left = "for kind in configmap secret; do kubectl -n bk-lite get $kind bklite-package-init; done";
    await succeed(sh(`${left}; kubectl -n bk-lite get persistentvolumeclaim bklite-packages`));
    await succeed(sh(block("Delete", 1)));
    for (const what of ["configmap bklite-package-init", "persistentvolumeclaim bklite-packages"]) {
      await refuse(sh(`kubectl -n bk-lite get ${what}`), 1, /NotFound/);
    }
  });

  test("no printed command was left out", () => assert.deepEqual([...unused], []));
});
