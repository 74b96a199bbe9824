import { createHash } from "node:crypto";
import { blocks } from "../archive/blocks.ts";
import { createSweep } from "../memory.ts";
import type { StampedFile } from "./file.ts";
import { withStamped } from "./open.ts";
import { changed } from "./problem.ts";

const BLOCK = 1024 * 1024;

/**
 * The file's SHA-256, lower-case hex; read once, remembered in it. A file that changed since the scan, or changes now, is
 * exit 74.
 */
export async function digest(
  archive: StampedFile & { sha256: string | undefined },
  signal?: AbortSignal,
): Promise<string> {
  return withStamped(archive, async (handle) => {
    if (archive.sha256 !== undefined) return archive.sha256;
    const size = Number(archive.stamp.size);
    const hash = createHash("sha256");
    let hashed = 0;
    for await (const block of blocks(handle, { size }, BLOCK, signal)) {
      hash.update(block);
      hashed += block.length;
    }
    // the two buffers that took turns
    createSweep()(2 * Math.min(BLOCK, size));
    if (hashed !== size) throw changed(archive.file);
    return hash.digest("hex");
  }).then((sha256) => {
    archive.sha256 = sha256;
    return sha256;
  });
}
