import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { until } from "../support/wait.ts";

/** Starts a long sleep and a folder under guard, says which folder, and goes on for ever. */
const TEST = `
  const { spawnGuarded, tempDir } = await import(${JSON.stringify(new URL("../support/guard.ts", import.meta.url).href)});
  spawnGuarded("sleep", ["600"], { stdio: ["ignore", "inherit", "ignore"], detached: true });
  console.log(tempDir("guard test").path);
  setInterval(() => {}, 1000);
`;

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  test(`a test that ends by ${signal} leaves no process and no folder`, { timeout: 120_000 }, async () => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", TEST], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const path = line.toString().trim();
    assert.ok(existsSync(path));
    // The sleep has the other end of this pipe as well: it closes when both are gone.
    const closed = once(child, "close");
    child.kill(signal);
    await closed;
    await until(`${path} removed`, () => !existsSync(path));
  });
}
