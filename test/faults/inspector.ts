import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";
import { collectProblem } from "../../src/errors.ts";
import { describeProblem } from "../../src/output/report.ts";
import { readFiles } from "../../src/packages/read.ts";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { verifyArchive } from "../../src/packages/sources.ts";
import type { VolumeFile } from "../../src/volume/files.ts";
import { listVolume } from "../../src/volume/list.ts";

/** What the job makes of a volume up to the point where it would write. */
export type Verdict =
  | { accepted: true }
  | { accepted: false; problems: { file: string; code: number; reason: string }[] };

/** Scans, resolves and verifies; a refusal is a verdict, anything else that is thrown is a bug. */
export async function judge(dir: string): Promise<Verdict> {
  return judgeFiles((await listVolume(dir)).files);
}

export async function judgeFiles(files: readonly VolumeFile[]): Promise<Verdict> {
  const { archives, problems } = await readFiles(files);
  const options = { options: {}, collectors: "auto" as const, definitions: [], archColumn: true };
  problems.push(...(await resolvePackages(archives, options)).problems);
  for (const archive of archives) await collectProblem(problems, () => verifyArchive(archive));
  if (problems.length === 0) return { accepted: true };
  const told = problems.map((one) => ({ file: one.file, ...describeProblem(one, "en") }));
  return {
    accepted: false,
    problems: told.map(({ file, code, message }) => ({ file, code, reason: message })),
  };
}

/**
 * Whether a full read of a zip finds damage. Deliberately another way than the job's: the whole file in
 * memory, each entry inflated from where its local header says, compared with the directory's size and
 * CRC-32.
 */
export function zipIsDamaged(path: string, crc32: (data: Buffer) => number): boolean {
  try {
    const zip = readFileSync(path);
    const end = zip.lastIndexOf(Buffer.from("504b0506", "hex"));
    let at = zip.readUInt32LE(end + 16);
    for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
      if (zip.readUInt32LE(at) !== 0x02014b50) return true;
      const [method, crc] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 16)];
      const [packed, size] = [zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 24)];
      const local = zip.readUInt32LE(at + 42);
      if (zip.readUInt32LE(local) !== 0x04034b50) return true;
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const data = zip.subarray(start, start + packed);
      const content = method === 0 ? data : inflateRawSync(data);
      if (content.length !== size || crc32(content) !== crc) return true;
      at += 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
    }
    return false;
  } catch {
    return true;
  }
}
