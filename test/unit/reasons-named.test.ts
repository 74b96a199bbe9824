import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { CATALOG, type ReasonId } from "../../src/messages/catalog.ts";

const root = join(import.meta.dirname, "..");

const MOMENT = "comes of a moment that no test can choose; the fault tests assert what it leaves";
const LARGE = "needs gigabytes; the limits before it are tested";

/** Ids that no test names, and why. */
const UNNAMED: { readonly [Id in ReasonId]?: string } = {
  "cleanup.failed": MOMENT,
  "lock.lost": MOMENT,
  "nats.bucket.failed": MOMENT,
  "nats.jetstream.failed": MOMENT,
  "postgres.lost": MOMENT,
  "postgres.table.changing": MOMENT,
  "store.answered.elsewhere": MOMENT,
  "store.bytes.changed": MOMENT,
  "store.chunks.missing": MOMENT,
  "store.contended": MOMENT,
  "store.disorder": MOMENT,
  "store.gone": MOMENT,
  "verification.unstable": MOMENT,
  "volume.unreadable": "a file system that fails",
  "repack.too-large": LARGE,
  "repack.too-long": LARGE,
};

const text = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !/^(docs|reasons-named)/.test(basename(file)))
  .map((file) => readFileSync(join(root, file), "utf8"))
  .join("\n");

/** Ids that are put together: `nats.${layer}.silent`, `${service}.slow`. */
const patterns = [...text.matchAll(/`((?:[a-z]+\.\$\{\w+\}|\$\{\w+\})(?:\.[a-z-]+)?)`/g)].map(
  ([, pattern = ""]) => new RegExp(`^${pattern.replaceAll(".", "\\.").replace(/\$\{\w+\}/, "[a-z-]+")}$`),
);

const isNamed = (id: string) => text.includes(`"${id}"`) || patterns.some((pattern) => pattern.test(id));

test("every reason is named by a test, or there is a reason why none can", () => {
  const ids = Object.keys(CATALOG) as ReasonId[];
  const missing = ids.filter((id) => !isNamed(id) && UNNAMED[id] === undefined);
  assert.deepEqual(missing, [], "name the reason where a test brings it about");
  assert.deepEqual(
    ids.filter((id) => isNamed(id) && UNNAMED[id] !== undefined),
    [],
    "no exception any more",
  );
});
