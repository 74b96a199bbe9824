import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Result, root, run } from "./docker.ts";

/** The shell blocks of a page below docs/, as printed, by the heading above them. */
export function shellBlocks(page: string): Map<string, string[]> {
  const blocks = new Map<string, string[]>();
  let heading = "";
  let block: string[] | undefined;
  for (const line of readFileSync(join(root, "docs", page), "utf8").split("\n")) {
    if (block === undefined && line.startsWith("#")) heading = line.replace(/^#+ /, "");
    else if (line === "```sh") block = [];
    else if (line === "```" && block) {
      blocks.set(heading, [...(blocks.get(heading) ?? []), block.join("\n")]);
      block = undefined;
    } else block?.push(line);
  }
  return blocks;
}

/** Runs pages' commands with one Compose, whatever its name: `docker compose` is what they print. */
export class DocsShell {
  readonly #env: NodeJS.ProcessEnv;

  /** @param folder for a `docker` that stands before the real one where that has no `compose`. */
  constructor(folder: string, compose: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const bin = join(folder, "bin");
    mkdirSync(bin, { recursive: true });
    const shim = `#!/bin/sh
PATH=\${PATH#${bin}:}
[ "$1" = compose ] || exec docker "$@"
shift
exec ${compose.join(" ")} "$@"
`;
    writeFileSync(join(bin, "docker"), shim);
    chmodSync(join(bin, "docker"), 0o755);
    this.#env = { ...process.env, ...env, PATH: `${bin}:${process.env.PATH}` };
  }

  /** Runs a block; it stops at the first command that fails. */
  run(block: string, cwd: string): Promise<Result> {
    return run("sh", ["-ec", block], { cwd, env: this.#env });
  }
}
