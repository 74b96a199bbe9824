import assert from "node:assert/strict";
import { mkdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ENTRIES_HEADER } from "../../src/store/meta.ts";
import { age } from "../support/archives.ts";
import { elfHeader } from "../support/binaries.ts";
import { makeZip, rebuild } from "../support/rebuild.ts";
import type { JobResult } from "../support/run.ts";
import { ARCHIVE, explain, type Site, sha256, useServers } from "../support/site.ts";
import type { Unzipped } from "../support/unzip.ts";

const servers = useServers();
const CONTENT = {
  collectors: ["telegraf", "filebeat/filebeat"],
  entries: [
    { name: "bin/filebeat/filebeat.yml", content: "output: nats\n", mode: 0o600 },
    { name: "README", content: "read me\n".repeat(1000) },
  ],
};
const TAR = "fusion-collectors-1.0.0.tar.gz";
const FINDER = "fusion-collectors-1.0.0.zip";
const KEY = "linux/x86_64/Controller/1.0.0/";

function actions({ report }: JobResult): Record<string, string> {
  return Object.fromEntries(report?.packages.map((p) => [p.object, p.action]) ?? []);
}

const UNCHANGED = { Controller: "unchanged", Telegraf: "unchanged", Filebeat: "unchanged" };

/** A site with an archive that is stored: byte for byte, or repacked. */
async function stored(name: string, env: Record<string, string> = {}): Promise<{ site: Site; path: string }> {
  const site = await servers.site({ state: "C" });
  const path = await site.archive(name, CONTENT);
  if (name === FINDER) {
    const junk = { mode: 0o100644, bytes: Buffer.from("junk") };
    await rebuild(path, { year: 2025, change: (all) => all.set("__MACOSX/._fusion-collectors", junk) });
  }
  await site.ok([], env);
  return { site, path };
}

const top = (name: string) => `fusion-collectors/${name}`;

function edit(name: string, change: (file: Unzipped) => Partial<Unzipped>) {
  return (all: Map<string, Unzipped>) => {
    const file = all.get(top(name)) ?? assert.fail(`no ${name}`);
    all.set(top(name), { ...file, ...change(file) });
  };
}

describe("an archive that was built again with the same entries", () => {
  for (const name of [ARCHIVE, FINDER, TAR]) {
    test(`${name}: is unchanged with all that is cut out of it, and no byte is written`, async () => {
      const { site, path } = await stored(name);
      const before = await site.state();
      const first = await sha256(path);
      await rebuild(path);
      assert.notEqual(await sha256(path), first);
      const again = await site.ok();
      assert.deepEqual(actions(again), UNCHANGED);
      assert.match(again.stdout, /content\.repackaged/);
      for (const command of ["plan", "verify"]) {
        assert.deepEqual(actions(await site.ok([command])), UNCHANGED);
      }
      assert.deepEqual(await site.state(), before);
      const [controller] = again.report?.packages ?? [];
      const object = await site.objects.read(controller?.stored.key ?? "");
      assert.deepEqual([controller?.stored.sha256, controller?.stored.bytes], [object.sha256, object.bytes]);
    });
  }

  test("is unchanged when large entries were proved by being sent, with ARCHIVE_CHECK=full", async () => {
    const site = await servers.site({ state: "C" });
    const path = await site.archive(ARCHIVE, { ...CONTENT, payloadBytes: 40_000_000 });
    await site.ok();
    const before = await site.state();
    await rebuild(path);
    assert.deepEqual(actions(await site.ok()), UNCHANGED);
    assert.deepEqual(await site.state(), before);
  });

  test("is stored again if its chunks are missing, and says which entries it holds then too", async () => {
    const { site, path } = await stored(ARCHIVE);
    const entries = (await site.objects.info(KEY + ARCHIVE))?.headers?.get(ENTRIES_HEADER);
    await site.objects.damage(KEY + ARCHIVE, "first");
    await rebuild(path);
    assert.deepEqual(actions(await site.ok()), { ...UNCHANGED, Controller: "repaired" });
    assert.equal((await site.objects.read(KEY + ARCHIVE)).sha256, await sha256(path));
    assert.equal((await site.objects.info(KEY + ARCHIVE))?.headers?.get(ENTRIES_HEADER), entries);
  });

  test("a collector that lies on the volume as a zip or a folder is unchanged too", async () => {
    const site = await servers.site({ state: "C" });
    const program = Buffer.concat([elfHeader(62), Buffer.alloc(5000, "p")]);
    const folder = join(site.volume, "collector/linux/x86_64/filebeat");
    const write = async (seconds: number) => {
      await mkdir(folder, { recursive: true });
      for (const [name, bytes] of Object.entries({ filebeat: program, "filebeat.yml": "output: nats\n" })) {
        await writeFile(join(folder, name), bytes, { mode: 0o755 });
        await utimes(join(folder, name), seconds, seconds);
      }
    };
    await write(1_600_000_000);
    const zip = join(site.volume, "collector/linux/x86_64/vector.zip");
    await writeFile(
      zip,
      await makeZip([["vector/vector", { mode: 0o755, bytes: program }]], new Date(2025, 1)),
    );
    age(zip);
    assert.deepEqual(actions(await site.ok()), { Filebeat: "uploaded", Vector: "uploaded" });
    const before = await site.state();
    await rm(folder, { recursive: true });
    await write(1_700_000_000);
    await rebuild(zip);
    assert.deepEqual(actions(await site.ok()), { Filebeat: "unchanged", Vector: "unchanged" });
    assert.deepEqual(await site.state(), before);
  });
});

describe("an archive that was built again with something else in it", () => {
  const changes: Record<string, [(all: Map<string, Unzipped>) => void, replaced: string[]]> = {
    "another certs/ca.crt": [
      edit("certs/ca.crt", () => ({ bytes: Buffer.from("another CA") })),
      ["Controller"],
    ],
    "another mode": [edit("install.sh", () => ({ mode: 0o100700 })), ["Controller"]],
    "an empty folder more": [
      (all) => void all.set(top("more/"), { mode: 0o40755, bytes: Buffer.alloc(0) }),
      ["Controller"],
    ],
    "an empty folder less": [(all) => void all.delete(top("log/")), ["Controller"]],
    "another mode in a collector": [
      edit("bin/filebeat/filebeat.yml", () => ({ mode: 0o100644 })),
      ["Controller", "Filebeat"],
    ],
    "one byte in a collector": [
      edit("bin/telegraf", ({ bytes }) => {
        const other = Buffer.from(bytes);
        other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
        return { bytes: other };
      }),
      ["Controller", "Telegraf"],
    ],
  };
  for (const name of [ARCHIVE, TAR]) {
    test(`${name}: what holds it is replaced, and nothing else`, async () => {
      const { site, path } = await stored(name);
      const original = await readFile(path);
      for (const [what, [change, replaced]] of Object.entries(changes)) {
        await writeFile(path, original);
        await site.ok();
        await rebuild(path, { change });
        const expected = Object.fromEntries(
          Object.keys(UNCHANGED).map((object) => [
            object,
            replaced.includes(object) ? "replaced" : "unchanged",
          ]),
        );
        assert.deepEqual(actions(await site.ok(["plan"])), expected, what);
        assert.deepEqual(actions(await site.ok()), expected, what);
      }
    });
  }

  test("an object that does not say which entries it holds is replaced once, and says so then", async () => {
    const { site, path } = await stored(ARCHIVE, { ARCHIVE_CHECK: "quick" });
    const says = async () => (await site.objects.info(KEY + ARCHIVE))?.headers?.get(ENTRIES_HEADER) ?? "";
    assert.equal(await says(), "");
    const before = await site.state();
    assert.deepEqual(actions(await site.ok()), UNCHANGED);
    assert.deepEqual(await site.state(), before);
    await rebuild(path);
    assert.equal(actions(await site.ok()).Controller, "replaced");
    assert.match(await says(), /^1:[0-9a-f]{64}$/);
    await rebuild(path, { year: 2024 });
    assert.deepEqual(actions(await site.ok()), UNCHANGED);
  });

  test("a damaged one is rejected, whatever the object says", async () => {
    const { site, path } = await stored(ARCHIVE);
    const before = { objects: await site.objects.list(), rows: await site.rows() };
    await rebuild(path);
    const bytes = await readFile(path);
    const at = bytes.indexOf("README") + "README".length + 10;
    bytes[at] = (bytes[at] ?? 0) ^ 0x40;
    await writeFile(path, bytes);
    const result = await site.run();
    assert.equal(result.code, 65, explain(result));
    const after = { objects: await site.objects.list(), rows: await site.rows() };
    assert.deepEqual(after, before);
    assert.deepEqual(await site.objects.unreachable(), []);
  });
});
