import { execFileSync, spawnSync, spawn } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { startNats } from "./test/support/nats.ts";
import { startPostgres } from "./test/support/postgres.ts";
import { tempDir } from "./test/support/guard.ts";
import { jobEnv } from "./test/support/run.ts";
const file = process.argv[2]!;
process.env.TMPDIR = "/dev/shm";
const [pg, nats] = await Promise.all([startPostgres(), startNats()]);
const vol = tempDir("perf"); cpSync(file, join(vol.path, file.split("/").at(-1)!));
for (let i = 0; i < 3; i++) {
  const db = await pg.createDatabase({ state: "B" });
  const env = jobEnv({ db, nats, packages: vol.path }, { NATS_NAMESPACE: "b" + i });
  const t = performance.now();
  const r = spawnSync("bash", ["-c", `time ${process.execPath} --expose-gc ${i === 2 ? "--cpu-prof --cpu-prof-dir=/tmp/prof" : ""} dist/main.js init > /dev/null`], { env: { ...env, PATH: process.env.PATH! }, encoding: "utf8" });
  console.log("init", Math.round(performance.now() - t), r.stderr.replace(/\n/g, " "));
  const t2 = performance.now();
  const r2 = spawnSync("bash", ["-c", `time /tmp/gobin/nats -s ${nats.url} object put b${i} ${file} --name x -f --no-progress > /dev/null`], { encoding: "utf8" });
  console.log("natscli", Math.round(performance.now() - t2), r2.stderr.replace(/\n/g, " "));
}
await Promise.all([pg.stop(), nats.stop()]); vol.remove();
