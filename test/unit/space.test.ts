import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { shortage } from "../../src/reconcile/space.ts";
import type { Limit } from "../../src/store/capacity.ts";

const limit = (limit: number, used: number, copies = 1): Limit => ({ limit, used, copies });
const NEEDED = { least: 100, most: 300 };

/** The shortage's reason and what it says is enough. */
function found(limits: { bucket?: Limit; account?: Limit }, reclaimable = 0): unknown {
  const error = shortage("b", { chunkSize: 10, used: 0, ...limits }, NEEDED, reclaimable);
  if (!error) return undefined;
  const { enough, needed, raised } = error.params as { enough: number; needed: number; raised?: number };
  return [error.reason, needed, enough, ...(raised === undefined ? [] : [raised])];
}

describe("what limits a run", () => {
  const CASES: [name: string, limits: Parameters<typeof found>, expected: unknown][] = [
    ["no limit", [{}], undefined],
    ["enough", [{ bucket: limit(150, 50), account: limit(150, 50) }], undefined],
    ["the bucket lacks one byte", [{ bucket: limit(149, 50) }], ["store.full.bucket", 100, 351]],
    ["what is reclaimed first is free", [{ bucket: limit(149, 50) }, 1], undefined],
    ["the account lacks one byte", [{ account: limit(149, 50) }], ["store.full.account", 100, 350]],
    [
      "every copy counts towards an account",
      [{ account: limit(349, 50, 3) }],
      ["store.full.account", 300, 950],
    ],
    [
      "both: the account is named, with the bucket's command",
      [{ bucket: limit(149, 50), account: limit(149, 50) }],
      ["store.full.account", 100, 351, 351],
    ],
    [
      "an account that could not hold what the bucket has to be raised to",
      [{ bucket: limit(149, 50), account: limit(350, 50) }],
      ["store.full.account", 100, 351, 351],
    ],
    [
      "an account that holds it",
      [{ bucket: limit(149, 50), account: limit(351, 50) }],
      ["store.full.bucket", 100, 351],
    ],
  ];
  for (const [name, given, expected] of CASES) {
    test(name, () => assert.deepEqual(found(...given), expected));
  }

  test("a run that uploads nothing needs no space", () => {
    const capacity = { chunkSize: 10, used: 9, bucket: limit(1, 9) };
    assert.equal(shortage("b", capacity, { least: 0, most: 0 }, 0), undefined);
  });
});
