/** Counts the bytes that a job reads of each file (--import), and writes them at its end. */
import { writeFileSync } from "node:fs";
import promises from "node:fs/promises";

const counts: Record<string, number> = {};
const { open } = promises;
promises.open = async (path, ...more) => {
  const handle = await open(path, ...more);
  const read = handle.read.bind(handle) as (...args: unknown[]) => Promise<{ bytesRead: number }>;
  const counted = async (...args: unknown[]) => {
    const result = await read(...args);
    counts[String(path)] = (counts[String(path)] ?? 0) + result.bytesRead;
    return result;
  };
  return Object.assign(handle, { read: counted });
};
process.on("exit", () => writeFileSync(process.env.COUNTED_READS ?? "", JSON.stringify(counts)));
