import assert from "node:assert/strict";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { buildImage, findComposes } from "./docker.ts";
import { Stack } from "./stack.ts";

const ARCHIVE = "fusion-collectors-linux-amd64.zip";
const composes = await findComposes();

before(() => buildImage());

for (const compose of composes) {
  describe(`compose.init.yml with ${compose.join(" ")}`, () => {
    let stack: Stack;
    before(() => {
      stack = new Stack(compose);
    });
    after(() => stack?.remove());

    const up = () => stack.composeWithInit(["up", "-d"]);
    const isRunning = async (service: string) => (await stack.container(service))?.State.Running ?? false;

    test("goes over a file with any version line", async () => {
      const file = join(stack.folder, "docker-compose.yml");
      const text = readFileSync(file, "utf8");
      for (const line of ['version: "3"\n', 'version: "3.8"\n', ""]) {
        writeFileSync(file, `${line}${text}`);
        const { code, stderr } = await stack.composeWithInit(["config"]);
        assert.equal(code, 0, stderr);
      }
    });

    test("the gate stays shut while the job fails", async () => {
      const path = join(stack.packages, ARCHIVE);
      await buildArchive(path);
      truncateSync(path, 1000);
      const { code } = await up();
      assert.notEqual(code, 0);
      assert.equal((await stack.container("package-init")).State.ExitCode, 65);
      assert.equal(await isRunning("web"), false);
    });

    test("the gate opens after success, though the table comes late", async () => {
      await stack.remove();
      stack = new Stack(compose);
      await buildArchive(join(stack.packages, ARCHIVE), { payloadBytes: 5_000_000 });
      const { code, stderr } = await up();
      assert.equal(code, 0, stderr);
      const { State: job } = await stack.container("package-init");
      assert.deepEqual([job.Status, job.ExitCode], ["exited", 0]);
      assert.equal(await isRunning("web"), true);
      const { State: web } = await stack.container("web");
      assert.ok(Date.parse(web.StartedAt) >= Date.parse(job.FinishedAt));
      assert.equal((await stack.state()).rows.length, 4);
    });

    test("up once more changes nothing", async () => {
      const state = await stack.state();
      const web = await stack.container("web");
      const job = await stack.container("package-init");
      const { code, stderr } = await up();
      assert.equal(code, 0, stderr);
      assert.deepEqual(await stack.state(), state);
      const { Id, State } = await stack.container("web");
      assert.deepEqual([Id, State.StartedAt], [web.Id, web.State.StartedAt]);
      const again = await stack.container("package-init");
      assert.equal(again.State.ExitCode, 0);
      assert.notEqual(again.State.StartedAt, job.State.StartedAt);
    });
  });
}
