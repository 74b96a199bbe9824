import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { tempDir } from "../support/guard.ts";
import { kustomize } from "../unit/kustomize.ts";
import { buildImage, docker, IMAGE, root, run } from "./docker.ts";

/** The claim's loader as Kubernetes would start it; `kubectl exec` becomes `docker exec`, all else is the real thing. */
describe("k8s/overlays/pvc/fill.sh", () => {
  const temp = tempDir("fill");
  const claim = join(temp.path, "claim");
  const bin = join(temp.path, "bin");
  const packages = join(temp.path, "packages");
  let loader: string;

  before(async () => {
    await buildImage();
    for (const path of [claim, bin, join(packages, "controller/deep")]) mkdirSync(path, { recursive: true });
    chmodSync(claim, 0o777);
    const pod = kustomize(join(root, "k8s/overlays/pvc/claim")).find(({ kind }) => kind === "Pod");
    const [program, ...args]: string[] = pod?.spec.containers[0].command ?? [];
    loader = await docker(
      ...["run", "-d", "--read-only", "--cap-drop", "ALL", "-v", `${claim}:/packages`],
      ...["--entrypoint", program ?? "", IMAGE, ...args],
    );
    const kubectl = `#!/bin/sh
[ "$1 $2" = "-n bk-lite" ] || exit 1
shift 2
case $1 in
  wait) exit 0 ;;
  exec) shift; i=; [ "$1" = -i ] && { i=-i; shift; }; [ "$1 $2" = "bklite-packages-loader --" ] || exit 1; shift 2
    exec docker exec $i ${loader} "$@" ;;
esac
exit 1
`;
    writeFileSync(join(bin, "kubectl"), kubectl, { mode: 0o755 });
  });
  after(async () => {
    if (loader) await docker("rm", "-f", loader);
    temp.remove();
  });

  test("brings every file, byte for byte, and leaves nothing half-copied", async () => {
    const bytes = Buffer.alloc(3_000_000, "fusion-collectors");
    writeFileSync(join(packages, "controller/deep/with space.zip"), bytes);
    writeFileSync(join(packages, "VERSION"), "1.0.0\n");
    writeFileSync(join(packages, ".hidden"), "x");
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    const fill = join(root, "k8s/overlays/pvc/fill.sh");
    for (let round = 0; round < 2; round++) {
      const { code, stderr } = await run(fill, [packages, "-n", "bk-lite"], { env });
      assert.equal(code, 0, stderr);
    }
    const there = readdirSync(claim, { recursive: true }).sort();
    assert.deepEqual(there, ["VERSION", "controller", "controller/deep", "controller/deep/with space.zip"]);
    assert.ok(readFileSync(join(claim, "controller/deep/with space.zip")).equals(bytes));
  });

  test("says how it is called", async () => {
    const { code, stderr } = await run(join(root, "k8s/overlays/pvc/fill.sh"), ["/nowhere"]);
    assert.equal(code, 64);
    assert.match(stderr, /usage: fill\.sh/);
  });
});
