import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { type TempDir, tempDir } from "../support/guard.ts";
import { findNatsServer } from "../support/nats-binary.ts";

const run = promisify(execFile);
const platform = `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;

/** A site that offers a shell script as if it were the release. */
let site: Server;
let releases: string;
let checksum: string;
let folder: TempDir;
const asked: string[] = [];

before(async () => {
  folder = tempDir("releases");
  mkdirSync(join(folder.path, "nats-server-v2"));
  const program = join(folder.path, "nats-server-v2", "nats-server");
  writeFileSync(program, "#!/bin/sh\necho made up\n");
  chmodSync(program, 0o755);
  await run("tar", ["-czf", "release.tar.gz", "nats-server-v2"], { cwd: folder.path });
  const archive = readFileSync(join(folder.path, "release.tar.gz"));
  checksum = createHash("sha256").update(archive).digest("hex");
  site = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    if (path.endsWith("/SHA256SUMS")) {
      response.end(`${"0".repeat(64)}  other.zip\n${checksum}  nats-server-v2.10.25-${platform}.tar.gz\n`);
    } else response.end(archive);
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  releases = `http://127.0.0.1:${(site.address() as { port: number }).port}`;
});

after(() => {
  site.close();
  folder.remove();
});

/** An empty cache, and a PATH on which there is nothing. */
function nowhere(name: string): Record<string, string> {
  return { PATH: join(folder.path, "nothing"), XDG_CACHE_HOME: join(folder.path, name) };
}

test("NATS_SERVER_BIN and the PATH come first, and nothing is fetched", async () => {
  const program = join(folder.path, "nats-server-v2", "nats-server");
  const count = asked.length;
  assert.equal(await findNatsServer({ env: { NATS_SERVER_BIN: program }, releases }), program);
  const env = { ...nowhere("path"), PATH: `/nowhere:${join(program, "..")}` };
  assert.equal(await findNatsServer({ env, releases }), program);
  assert.equal(asked.length, count);
  await assert.rejects(
    findNatsServer({ env: { NATS_SERVER_BIN: "/nowhere/nats-server" } }),
    /NATS_SERVER_BIN/,
  );
});

test("the release is fetched, compared with its pinned checksum, and kept, also by two together", async () => {
  const env = nowhere("pinned");
  const options = { env, releases, checksums: { [platform]: checksum } };
  const found = await Promise.all([findNatsServer(options), findNatsServer(options)]);
  assert.equal(found[0], found[1]);
  assert.equal((await run(found[0])).stdout, "made up\n");
  assert.equal(readdirSync(join(env.XDG_CACHE_HOME as string, "bklite-package-init")).length, 1);
  const count = asked.length;
  assert.equal(await findNatsServer(options), found[0]);
  assert.equal(asked.length, count);
});

test("without a pinned checksum the release's own list decides", async () => {
  await findNatsServer({ env: nowhere("listed"), releases, checksums: {} });
  assert.ok(asked.at(-2)?.endsWith("/SHA256SUMS"));
});

test("another checksum is rejected, nothing is kept, and the error says all four ways", async () => {
  const env = nowhere("refused");
  const options = { env, releases, checksums: { [platform]: "f".repeat(64) } };
  await assert.rejects(findNatsServer(options), (error: Error) => {
    assert.match(error.message, new RegExp(`SHA-256 is ${checksum}, not f{64}`));
    for (const way of ["NATS_SERVER_BIN", "PATH", "internet", "apt-get install nats-server"]) {
      assert.ok(error.message.includes(way), `${way} in: ${error.message}`);
    }
    return true;
  });
  assert.deepEqual(readdirSync(join(env.XDG_CACHE_HOME as string, "bklite-package-init")), []);
});
