import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JobContext } from "../../src/job.ts";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { originOf } from "../../src/packages/sources.ts";
import { decideAll } from "../../src/reconcile/state.ts";
import { type Nuid, ORIGIN_HEADER } from "../../src/store/meta.ts";
import type { StoredObject } from "../../src/store/object.ts";
import { digest } from "../../src/volume/files.ts";
import { buildArchive } from "../support/archives.ts";
import { scanOne, volume } from "../support/volume.ts";

const KEY = "linux/Telegraf/1.0.0/telegraf";
const signal = new AbortController().signal;

/** What is decided about Telegraf, and whether it had to be cut out of the archive for that. */
async function decide(stored: (origin: string) => Partial<StoredObject> | undefined) {
  await using on = await volume();
  await buildArchive(on.path("fusion-collectors.zip"));
  const archive = await scanOne(on.dir);
  const wanted = {
    options: {},
    collectors: ["Telegraf"],
    standalone: true,
    definitions: [],
    archColumn: false,
  };
  const { packages } = await resolvePackages([archive], wanted);
  const derived = packages[1]?.derived;
  assert.ok(derived);
  const changes = stored(originOf(await digest(archive), derived));
  const object = {
    key: KEY,
    nuid: "N" as Nuid,
    size: 1,
    chunks: 1,
    stored: 1,
    sha256: "a".repeat(64),
    deleted: false,
  };
  const objects = new Map<string, StoredObject>();
  if (changes) objects.set(KEY, { ...object, headers: {}, sequence: 1, ...changes });
  const run = { mode: "plan", config: { onConflict: "replace" } } as JobContext;
  const listing = { objects, chunks: new Map(), keys: objects.size, stream: undefined };
  const state = { rows: [], listing, archColumn: false, hasDigest: false, hasStatus: false };
  const desired = { packages, collectors: [] };
  const plan = await decideAll(run, desired, state, signal);
  const decision = plan.packages.find(({ key }) => key === KEY);
  return {
    action: decision?.action,
    bytes: decision?.desired.bytes,
    wasCut: archive.digests.derived.has(derived),
  };
}

describe("whether a collector has to be cut out to know what to do with it", () => {
  test("not where nothing is stored: it is cut as it is sent", async () => {
    assert.deepEqual(await decide(() => undefined), { action: "uploaded", bytes: 4096, wasCut: false });
  });

  test("not where the stored object says that it comes from this archive", async () => {
    const decided = await decide((origin) => ({ headers: { [ORIGIN_HEADER]: [origin] }, size: 4096 }));
    assert.deepEqual(decided, { action: "unchanged", bytes: 4096, wasCut: false });
  });

  test("where it comes from elsewhere, for its bytes may be the same", async () => {
    const decided = await decide((origin) => ({ headers: { [ORIGIN_HEADER]: [`0${origin}`] } }));
    assert.deepEqual(decided, { action: "replaced", bytes: 4096, wasCut: true });
    assert.equal((await decide(() => ({}))).wasCut, true);
  });
});
