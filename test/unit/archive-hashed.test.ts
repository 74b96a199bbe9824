import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { test } from "node:test";
import { blocks, HashedFile, readFully } from "../../src/archive/blocks.ts";
import { volume } from "../support/volume.ts";

const BYTES = randomBytes(300_000);
const SHA256 = createHash("sha256").update(BYTES).digest("hex");

/** The digest after these parts of the file were read, each from a position and of a length. */
async function digestAfter(reads: readonly (readonly [position: number, length: number])[]): Promise<string> {
  await using on = await volume({ file: BYTES });
  await using handle = await open(on.path("file"));
  const hashed = new HashedFile(handle);
  for (const [position, length] of reads) {
    const read = await readFully(hashed, Buffer.alloc(length), length, position);
    assert.deepEqual(read, BYTES.subarray(position, position + length));
  }
  return await hashed.digest(BYTES.length);
}

test("a file's digest does not depend on how it was read", async () => {
  const ways = {
    "not at all": [],
    "in its order": Array.from({ length: 30 }, (_, index) => [index * 10_000, 10_000] as const),
    "with gaps": [
      [5, 10],
      [100_000, 1],
      [290_000, 3000],
    ],
    "twice, and backwards": [
      [200_000, 1000],
      [0, 100_000],
      [150_000, 100_000],
      [10, 20],
    ],
    "beyond its end": [[299_000, 5000]],
  } as const;
  for (const [way, reads] of Object.entries(ways)) assert.equal(await digestAfter(reads), SHA256, way);
});

test("a file's digest is that of the bytes that were read, whatever it holds afterwards", async () => {
  await using on = await volume({ file: BYTES });
  await using handle = await open(on.path("file"), "r+");
  const hashed = new HashedFile(handle);
  for await (const _ of blocks(hashed, { size: BYTES.length }, 64 * 1024));
  await handle.write(Buffer.from("other"), 0, 5, 0);
  assert.equal(await hashed.digest(BYTES.length), SHA256);
});
