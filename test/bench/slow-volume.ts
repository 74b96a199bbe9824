import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Loaded into the job with `--import`: its files are read at VOLUME_SPEED bytes per second, as from a volume
 * on a network.
 */
const speed = Number(process.env.VOLUME_SPEED);
const handle = await open(import.meta.filename);
const prototype: FileHandle = Object.getPrototypeOf(handle);
await handle.close();
const read = prototype.read as (...args: unknown[]) => Promise<{ bytesRead: number }>;
let free = 0;
Object.assign(prototype, {
  async read(this: FileHandle, ...args: unknown[]) {
    const result = await read.apply(this, args);
    // late timers are made up for, or the speed would depend on the machine's load
    free = Math.max(free, performance.now() - 50) + (result.bytesRead / speed) * 1000;
    await sleep(Math.max(0, free - performance.now()));
    return result;
  },
});
