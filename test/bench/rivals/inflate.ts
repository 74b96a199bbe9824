import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise } from "yauzl";

/**
 * Inflates every entry of a zip and discards the bytes, as many entries at once as there are cores, the
 * largest first. Argument: file.
 */
const [file = ""] = process.argv.slice(2);
const zip = await openPromise(file, { lazyEntries: true, autoClose: false });
const entries: Entry[] = [];
for await (const entry of zip.eachEntry()) if (entry.uncompressedSize > 0) entries.push(entry);
entries.sort((a, b) => b.uncompressedSize - a.uncompressedSize);

async function work(): Promise<void> {
  for (let entry = entries.shift(); entry; entry = entries.shift()) {
    await pipeline(
      await zip.openReadStreamPromise(entry),
      new Writable({ write: (_block, _encoding, done) => done() }),
    );
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, work));
zip.close();
await once(zip, "close");
