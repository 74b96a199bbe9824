import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { explain, type Site } from "./site.ts";

/** An environment without a volume. */
export const NO_VOLUME = { PACKAGES_DIR: "/nowhere" };

/** Writes a version's archive to the site's volume; returns its path. */
export function putVersion(site: Site, version: string, seed = version): Promise<string> {
  return site.archive(`fusion-collectors-linux-amd64-${version}.zip`, { payloadBytes: 300_000, seed });
}

/** Stores versions one after another, as upgrades do; the volume is empty afterwards. */
export async function storeVersions(site: Site, versions: readonly string[]): Promise<void> {
  for (const version of versions) {
    const path = await putVersion(site, version);
    const run = await site.run();
    assert.equal(run.code, 0, explain(run));
    await rm(path);
  }
}

/** What table and bucket hold, and that each row's object can be read. */
export async function held(site: Site): Promise<{ rows: string[]; keys: string[] }> {
  const rows = await site.rows();
  const keys = (await site.objects.list()).map(({ name }) => name).sort();
  for (const key of keys) await site.objects.read(key);
  return { rows: rows.map(({ object, version }) => `${object} ${version}`).sort(), keys };
}
