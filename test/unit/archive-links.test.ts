import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { packageSources } from "../../src/packages/sources.ts";
import { unzip } from "../support/unzip.ts";
import { scanOne, volume } from "../support/volume.ts";

const TAR = "fusion-collectors.tar.gz";
const live = new AbortController().signal;

/** A program of this size; its content repeats within deflate's window. */
function program(name: string, size: number): Buffer {
  const block = createHash("shake256", { outputLength: 10_000 }).update(name).digest();
  const whole = Buffer.concat([
    Buffer.from("#!/bin/sh\n"),
    ...Array(Math.ceil(size / block.length)).fill(block),
  ]);
  return whole.subarray(0, size);
}

test("a large file with several names has its bytes under each of them", async () => {
  const large = program("telegraf", 4_500_000);
  const other = program("vector", 4_300_000);
  const small = program("small", 300_000);
  const tar = pack();
  for (const name of ["collector-sidecar", "install.sh"]) tar.entry({ name: `fc/${name}` }, "#!/bin/sh\n");
  tar.entry({ name: "fc/bin/telegraf", type: "symlink", linkname: "telegraf-1.30" });
  tar.entry({ name: "fc/bin/vector" }, other);
  tar.entry({ name: "fc/bin/telegraf-1.30", mode: 0o755 }, large);
  tar.entry({ name: "fc/bin/small" }, small);
  tar.entry({ name: "fc/bin/small-too", type: "symlink", linkname: "small" });
  tar.entry({ name: "fc/bin/telegraf-latest", type: "link", linkname: "fc/bin/telegraf-1.30" });
  tar.entry({ name: "fc/bin/vector-too", type: "symlink", linkname: "vector" });
  tar.finalize();
  await using on = await volume({ [TAR]: gzipSync(await buffer(tar)) });
  const archive = await scanOne(on.dir);
  const wanted = { options: {}, collectors: "auto", definitions: [], archColumn: true } as const;
  const { packages, problems } = await resolvePackages([archive], wanted);
  assert.deepEqual(problems, []);
  const [source] = packageSources(packages).values();
  assert.ok(source);
  const blocks: Buffer[] = [];
  for await (const block of source.blocks(1_000_000, live)) blocks.push(Buffer.from(block));
  const zip = await unzip(Buffer.concat(blocks));
  for (const name of ["telegraf", "telegraf-1.30", "telegraf-latest"])
    assert.ok(zip.get(`fusion-collectors/bin/${name}`)?.bytes.equals(large), name);
  for (const name of ["vector", "vector-too"])
    assert.ok(zip.get(`fusion-collectors/bin/${name}`)?.bytes.equals(other), name);
  for (const name of ["small", "small-too"])
    assert.ok(zip.get(`fusion-collectors/bin/${name}`)?.bytes.equals(small), name);
});
