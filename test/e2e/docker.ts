import { execFile } from "node:child_process";
import { truncateSync } from "node:fs";
import { dirname } from "node:path";
import { age } from "../support/archives.ts";

export const root = dirname(dirname(import.meta.dirname));
/** Kept after the run, so that the next one builds from its layers. */
export const IMAGE = "bklite-package-init:e2e";

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/**
 * Runs a program to its end, whatever its exit code. Rejects only where it cannot be started or was killed.
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { ...options, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code === "number") resolve({ code, stdout, stderr });
      else reject(error);
    });
  });
}

/** Runs a docker command that has to succeed; its standard output without the last line break. */
export async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("docker", args);
  if (code !== 0) throw new Error(`docker ${args.join(" ")}: exit ${code}\n${stdout}${stderr}`);
  return stdout.trimEnd();
}

/** What `docker inspect` says of one thing. */
// biome-ignore lint/suspicious/noExplicitAny: Docker's own JSON
export async function inspect(name: string): Promise<any> {
  return JSON.parse(await docker("inspect", name))[0];
}

async function works(command: string, ...args: string[]): Promise<boolean> {
  return run(command, args).then(
    ({ code }) => code === 0,
    () => false,
  );
}

/** One Compose: how it is called, and its version (`2.26.1-4`). */
export interface Compose {
  command: readonly string[];
  version: string;
}

/** Returns the Compose behind a command, or undefined if it does not work. */
async function composeAt(...command: string[]): Promise<Compose | undefined> {
  const [program = "", ...args] = command;
  const result = await run(program, [...args, "version", "--short"]).catch(() => undefined);
  return result?.code === 0 ? { command, version: result.stdout.trim().replace(/^v/, "") } : undefined;
}

/**
 * Returns every Compose that the tests run with, and prints their versions: those that COMPOSE_BIN lists
 * (`docker compose,/opt/compose-2.26/docker-compose`), else the plugin and the program on the PATH. Throws if
 * there is none.
 */
export async function findComposes(): Promise<[Compose, ...Compose[]]> {
  if (!(await works("docker", "info"))) {
    throw new Error("Docker is not there: install it (Debian: apt-get install docker.io) and start dockerd");
  }
  const listed = process.env.COMPOSE_BIN?.split(",").map((command) => command.trim()) ?? [];
  const byVersion = new Map<string, Compose>();
  for (const command of listed.length > 0 ? listed : ["docker compose", "docker-compose"]) {
    const compose = await composeAt(...command.split(" "));
    if (!compose && listed.length > 0) throw new Error(`COMPOSE_BIN: ${command} does not work`);
    if (compose && !byVersion.has(compose.version)) byVersion.set(compose.version, compose);
  }
  const [first, ...others] = byVersion.values();
  if (!first) {
    throw new Error(
      "Compose is not there: install Docker's plugin, or 1.29 (Debian: apt-get install docker-compose)",
    );
  }
  const only = others.length === 0 ? " alone (COMPOSE_BIN lists more)" : "";
  console.log(`Compose on this machine: ${[...byVersion.keys()].join(", ")}${only}`);
  return [first, ...others];
}

/** Builds the image as a user would, with the labels' build arguments. Quick where nothing changed. */
export async function buildImage(context = root, target?: string, tag = IMAGE): Promise<void> {
  const labels = { VERSION: "9.9.9", REVISION: "0123abc", SOURCE: "https://example.com/repository" };
  const args = Object.entries(labels).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]);
  await docker("build", ...args, ...(target ? ["--target", target] : []), "-t", tag, context);
}

/** As a copy that was broken off an hour ago: a younger one might still be under way. */
export function cutShort(path: string): void {
  truncateSync(path, 1000);
  age(path);
}
