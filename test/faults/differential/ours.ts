import { statSync } from "node:fs";
import { basename } from "node:path";
import type { Source } from "../../../src/archive/types.ts";
import { collectProblem } from "../../../src/errors.ts";
import type { Package } from "../../../src/packages/package.ts";
import { readFiles } from "../../../src/packages/read.ts";
import { resolvePackages } from "../../../src/packages/resolve.ts";
import { packageSources, verifyArchive } from "../../../src/packages/sources.ts";

/** What the job makes of one archive, up to the bytes that it would store. */
export interface Ours {
  /** Ids of the reasons to refuse it; none: it is taken. */
  refused: string[];
  /** What would be stored: the controller, and each collector by itself. */
  stored: Stored[];
}

export interface Stored {
  bytes: Buffer;
  /** undefined: the archive as it is. */
  made: "repacked" | "executable" | "folder" | undefined;
  /** In the archive, below its top folder. */
  path: string;
}

/** Scans, resolves (each collector by itself) and verifies an archive, and reads what would be stored. */
export async function takeOurs(path: string): Promise<Ours> {
  const file = basename(path);
  const { archives, problems } = await readFiles([
    { file, path, root: "/", name: file, size: statSync(path).size },
  ]);
  const resolved = await resolvePackages(archives, {
    options: {},
    collectors: "auto",
    standalone: true,
    definitions: [],
    archColumn: true,
  });
  problems.push(...resolved.problems);
  for (const archive of archives) await collectProblem(problems, () => verifyArchive(archive));
  if (problems.length > 0) return { refused: problems.map(({ reason }) => reason), stored: [] };
  return { refused: [], stored: await Promise.all([...packageSources(resolved.packages)].map(store)) };
}

async function store([pkg, source]: [Package, Source]): Promise<Stored> {
  const blocks: Buffer[] = [];
  const { signal } = new AbortController();
  for await (const block of source.blocks(64 * 1024, signal)) blocks.push(Buffer.from(block));
  const made = pkg.derived?.kind;
  if (made === "loose-folder" || made === "loose-file") throw new Error("there are no folders here");
  return { bytes: Buffer.concat(blocks), made, path: pkg.derived?.path ?? "" };
}
