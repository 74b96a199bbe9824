import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { problem } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { blocks } from "./blocks.ts";
import { gzipEnd } from "./gzip-end.ts";
import { TarScan } from "./tar-scan.ts";
import type { InspectOptions, Listing, OpenFile } from "./types.ts";

const READ = 256 * 1024;
/** A smaller piece is scanned sooner than zlib has the next: it would be waited for. */
const INFLATED = 256 * 1024;

/**
 * Reads a tar.gz to its end, once: the gzip's own checksums, every header, the first bytes of what may be a program, and the
 * file's SHA-256. What lies behind the gzip's end is of no account, as to gzip itself; the tar has to have ended by then. Throws exit 65
 * for all that a package must not be (SPEC §3).
 */
export async function inspectTarGz(
  file: string,
  handle: OpenFile,
  size: number,
  options: InspectOptions = {},
): Promise<Listing & { sha256: string }> {
  try {
    return await inspectUpTo(size, file, handle, size, options);
  } catch (error) {
    if (!isJunkBehind(error)) throw gzipProblem(file, error);
  }
  const end = await gzipEnd(handle, size, options.signal);
  try {
    return { ...(await inspectUpTo(end, file, handle, size, options)), gzipEnd: end };
  } catch (error) {
    throw gzipProblem(file, error);
  }
}

/** Takes the gzip to end at `end`; the digest is of the whole file. */
async function inspectUpTo(
  end: number,
  file: string,
  handle: OpenFile,
  size: number,
  options: InspectOptions,
): Promise<Listing & { sha256: string }> {
  const { signal } = options;
  const hash = createHash("sha256");
  const gunzip = createGunzip({ chunkSize: INFLATED });
  const tar = new TarScan(file, options);
  const sweep = createSweep();
  let read = 0;
  const packed = async function* () {
    for await (const block of blocks(handle, { size: end }, READ, signal)) {
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
  await pipeline(packed, gunzip, scan);
  // zeros behind the end are padding to gzip, zlib and Python, which stop reading there
  for await (const block of blocks(handle, { start: read, size: size - read }, READ, signal))
    hash.update(block);
  return { ...tar.finish(), sha256: hash.digest("hex") };
}

/** How the file begins has been checked, so this is where zlib looks for another gzip member behind the last. */
function isJunkBehind(error: unknown): boolean {
  return zlibCode(error) === "Z_DATA_ERROR" && (error as Error).message === "incorrect header check";
}

function zlibCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function gzipProblem(file: string, error: unknown): unknown {
  const code = zlibCode(error);
  if (code === "Z_BUF_ERROR") return problem(file, "gzip.truncated", {});
  if (code !== "Z_DATA_ERROR") return error;
  return problem(file, "gzip.damaged", { said: (error as Error).message });
}
