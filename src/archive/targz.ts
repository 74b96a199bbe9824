import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { problem } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { blocks } from "./blocks.ts";
import { TarScan } from "./tar-scan.ts";
import type { InspectOptions, Listing, OpenFile } from "./types.ts";

const READ = 256 * 1024;
/** A smaller piece is scanned sooner than zlib has the next: it would be waited for. */
const INFLATED = 256 * 1024;

/**
 * Reads a tar.gz to its end, once: the gzip's own checksums, every header, the first bytes of what may be a program, the digests of its
 * files if they are wanted, and the file's SHA-256. NULs behind the gzip's end are padding, as to gzip itself; the tar has to have ended by
 * then. Throws exit 65 for all that a package must not be (SPEC §3).
 */
export async function inspectTarGz(
  file: string,
  handle: OpenFile,
  size: number,
  options: InspectOptions = {},
): Promise<Listing & { sha256: string }> {
  const { signal } = options;
  const hash = createHash("sha256");
  const gunzip = createGunzip({ chunkSize: INFLATED });
  const tar = new TarScan(file, options);
  const sweep = createSweep();
  let read = 0;
  const packed = async function* () {
    for await (const block of blocks(handle, { size }, READ, signal)) {
      hash.update(block);
      read += block.length;
      // longer than the stream's high water mark, so the pipeline comes back for more when it is all inflated
      yield block;
    }
  };
  const scan = async (unpacked: AsyncIterable<Buffer>) => {
    for await (const chunk of unpacked) {
      signal?.throwIfAborted();
      tar.write(chunk);
      sweep(chunk.length);
    }
    tar.end();
  };
  try {
    await pipeline(packed, gunzip, scan);
  } catch (error) {
    throw gzipProblem(file, error);
  }
  // zlib stops at the first NUL behind a member: what comes then is read here
  const start = gunzip.bytesWritten;
  const nuls = Buffer.alloc(Math.min(READ, size - start));
  let at = start;
  for await (const block of blocks(handle, { start, size: size - start }, READ, signal)) {
    if (!block.equals(nuls.subarray(0, block.length))) throw problem(file, "gzip.behind", {});
    if (at + block.length > read) hash.update(block.subarray(Math.max(read - at, 0)));
    at += block.length;
  }
  return { ...tar.finish(), sha256: hash.digest("hex") };
}

function zlibCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function gzipProblem(file: string, error: unknown): unknown {
  const code = zlibCode(error);
  if (code === "Z_BUF_ERROR") return problem(file, "gzip.truncated", {});
  if (code !== "Z_DATA_ERROR") return error;
  // how the file begins was checked, so this is where zlib looks for another member behind the last
  if ((error as Error).message === "incorrect header check") return problem(file, "gzip.behind", {});
  return problem(file, "gzip.damaged", { said: (error as Error).message });
}
