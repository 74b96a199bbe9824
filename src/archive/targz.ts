import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { createSweep } from "../memory.ts";
import { blocks } from "./blocks.ts";
import { damaged } from "./problem.ts";
import { TarScan } from "./tar-scan.ts";
import type { InspectOptions, Listing, OpenFile } from "./types.ts";

const READ = 256 * 1024;
/** A smaller piece is scanned sooner than zlib has the next: it would be waited for. */
const INFLATED = 256 * 1024;

/**
 * Reads a tar.gz to its end, once: the gzip's own checksums, every header, the first bytes of what may be a program, and the
 * file's SHA-256. Throws exit 65 for all that a package must not be (SPEC §3).
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
  const packed = async function* () {
    for await (const block of blocks(handle, { size }, READ, signal)) {
      hash.update(block);
      // longer than the stream's high water mark, so the pipeline comes back for more when it is all inflated
      yield block;
    }
  };
  const scan = async (unpacked: AsyncIterable<Buffer>) => {
    for await (const chunk of unpacked) {
      signal?.throwIfAborted();
      await tar.write(chunk);
      sweep(chunk.length);
    }
    if (gunzip.bytesWritten !== size) throw trailing(file);
    await tar.end();
  };
  try {
    await pipeline(packed, gunzip, scan);
  } catch (error) {
    throw gzipProblem(file, error);
  }
  return { entries: tar.finish(), sha256: hash.digest("hex") };
}

function gzipProblem(file: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "Z_BUF_ERROR") return damaged(file, "is cut short: its gzip data has no end");
  if (code !== "Z_DATA_ERROR") return error;
  const why = (error as Error).message;
  // how the file begins has been checked, so this is where zlib looks for another gzip member behind the last
  if (why === "incorrect header check") return trailing(file);
  return damaged(file, `has damaged gzip data: ${why}`);
}

function trailing(file: string): Error {
  return damaged(file, "has something behind the end of its gzip data");
}
