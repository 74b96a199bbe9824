import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { extract, pack } from "tar-stream";
import type { Source } from "../../src/archive/types.ts";
import { ProblemError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import type { Archive, CollectorDefinition, Package } from "../../src/packages/package.ts";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { packageDigests, packageSize, packageSources } from "../../src/packages/sources.ts";
import { type ArchiveOptions, buildArchive } from "../support/archives.ts";
import { rawZip } from "../support/raw-zip.ts";
import { type Unzipped, unzip } from "../support/unzip.ts";
import { problemOf, scanOne, volume } from "../support/volume.ts";

const ZIP = "fusion-collectors.zip";
const TAR = "fusion-collectors.tar.gz";
const live = new AbortController().signal;
/** What BK-Lite's installer starts. */
const PARTS = ["collector-sidecar", "install.sh"].map((name) => ({
  name: `fc/${name}`,
  data: "#!/bin/sh\n",
}));

const FULL: ArchiveOptions = {
  collectors: ["telegraf", "filebeat/filebeat", "jmx_jvm.jar"],
  payloadBytes: 1_500_000,
  entries: [
    { name: "bin/filebeat/filebeat.yml", content: "output: nats\n", mode: 0o600 },
    { name: "bin/filebeat/module/system/auth/config/auth.yml", content: "deep\n" },
    { name: "bin/filebeat/empty", content: "" },
    { name: "bin/filebeat/data/", content: "", mode: 0o750 },
    { name: "bin/filebeat-extra/other", content: "not of it\n" },
  ],
};

/** The archive's packages with COLLECTOR_PACKAGES=standalone. */
async function packagesOf(
  archive: Archive,
  definitions: CollectorDefinition[] = [],
): Promise<readonly Package[]> {
  const wanted = {
    options: {},
    collectors: "auto",
    standalone: true,
    definitions,
    archColumn: true,
  } as const;
  const { packages, problems } = await resolvePackages([archive], wanted);
  if (problems.length > 0) throw new ProblemError(problems);
  return packages;
}

async function partOf(archive: Archive, object: string) {
  const pack = (await packagesOf(archive)).find((one) => one.object === object);
  assert.ok(pack?.derived);
  return pack;
}

function sourceOf(part: Package): Source {
  const source = packageSources([part]).get(part);
  assert.ok(source);
  return source;
}

/** All bytes of the cut; every block but the last is as long as was asked for. */
async function bytesOf(part: Package, blockSize = 100_000): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of sourceOf(part).blocks(blockSize, live)) {
    assert.equal(blocks.at(-1)?.length ?? blockSize, blockSize);
    blocks.push(Buffer.from(block));
  }
  return Buffer.concat(blocks);
}

test("a mode by which anybody may write is not kept in what is made", async () => {
  const modes = {
    "bin/filebeat/a": 0o777,
    "bin/filebeat/b": 0o666,
    "bin/filebeat/c": 0o775,
    "bin/filebeat/d/": 0o1777,
  };
  const entries = Object.entries(modes).map(([name, mode]) => ({ name, content: "", mode }));
  for (const name of [ZIP, TAR]) {
    await using on = await volume();
    await buildArchive(on.path(name), { ...FULL, entries });
    const made = await unzip(await bytesOf(await partOf(await scanOne(on.dir), "Filebeat")));
    const found = Object.keys(modes).map((path) =>
      ((made.get(path.slice("bin/".length))?.mode ?? 0) & 0o7777).toString(8),
    );
    assert.deepEqual(found, ["755", "644", "775", "755"], name);
  }
});

/** What is in the archive, by an independent reader; path below the top folder. */
async function contentsOf(path: string): Promise<Map<string, Unzipped>> {
  const bytes = await readFile(path);
  const found = new Map<string, Unzipped>();
  const add = (name: string, file: Unzipped) => found.set(name.replace(/^[^/]+\//, ""), file);
  if (path.endsWith(".zip")) {
    for (const [name, file] of await unzip(bytes)) add(name, file);
    return found;
  }
  const tar = extract();
  tar.end(gunzipSync(bytes));
  for await (const entry of tar) {
    const { name, mode = 0, type } = entry.header;
    add(name, { mode: (type === "directory" ? 0o40000 : 0o100000) | mode, bytes: await buffer(entry) });
  }
  return found;
}

for (const name of [ZIP, TAR]) {
  describe(`cut out of ${name}`, () => {
    test("each collector is a package named after its own file", async () => {
      await using on = await volume();
      await buildArchive(on.path(name), FULL);
      const packages = await packagesOf(await scanOne(on.dir));
      assert.deepEqual(
        packages.map((one) => [one.type, one.object, one.name, one.version, one.derived?.path]),
        [
          ["controller", "Controller", ZIP, "1.0.0", name === TAR ? "" : undefined],
          ["collector", "Telegraf", "telegraf", "1.0.0", "bin/telegraf"],
          ["collector", "Filebeat", "filebeat.zip", "1.0.0", "bin/filebeat"],
          ["collector", "JVM-JMX", "jmx_jvm.jar", "1.0.0", "bin/jmx_jvm.jar"],
        ],
      );
    });

    for (const packed of ["stored", "deflated"]) {
      const full = packed === "stored" ? FULL : { ...FULL, payloadBytes: 0 };
      test(`a single executable, ${packed}, is its own bytes`, async () => {
        await using on = await volume();
        await buildArchive(on.path(name), full);
        const archive = await scanOne(on.dir);
        const inside = await contentsOf(on.path(name));
        for (const [object, path] of [
          ["Telegraf", "bin/telegraf"],
          ["JVM-JMX", "bin/jmx_jvm.jar"],
        ] as const) {
          const part = await partOf(archive, object);
          const bytes = await bytesOf(part);
          assert.ok(inside.get(path)?.bytes.equals(bytes), `${object} is what ${path} is`);
          assert.equal(packageSize(part), bytes.length);
        }
      });

      test(`a folder, ${packed}, is a zip with all that is below it, modes included`, async () => {
        await using on = await volume();
        await buildArchive(on.path(name), full);
        const part = await partOf(await scanOne(on.dir), "Filebeat");
        const inside = await contentsOf(on.path(name));
        const expected = [...inside].filter(([path]) => path.startsWith("bin/filebeat/"));
        const bytes = await bytesOf(part);
        if (name === ZIP) assert.equal(packageSize(part), bytes.length);
        const zip = await unzip(bytes);
        assert.deepEqual([...zip.keys()].sort(), [
          "filebeat/data/",
          "filebeat/empty",
          "filebeat/filebeat",
          "filebeat/filebeat.yml",
          "filebeat/module/system/auth/config/auth.yml",
        ]);
        for (const [path, file] of expected) {
          const found = zip.get(path.slice("bin/".length));
          assert.ok(found?.bytes.equals(file.bytes), path);
          assert.equal(found?.mode, file.mode, path);
        }
        assert.equal(zip.get("filebeat/filebeat")?.mode, 0o100755);
      });
    }

    test("the same archive gives the same bytes, in every time zone", async () => {
      await using on = await volume();
      await buildArchive(on.path(name), FULL);
      const part = await partOf(await scanOne(on.dir), "Filebeat");
      const before = process.env.TZ;
      try {
        const all = [];
        for (const zone of ["UTC", "Asia/Shanghai", "America/St_Johns"]) {
          process.env.TZ = zone;
          all.push(await bytesOf(part, 65_536));
        }
        const [first, ...others] = all;
        for (const other of others) assert.ok(first?.equals(other));
        const { sha256, bytes } = (await packageDigests([part], live)).get(part) ?? {};
        assert.equal(bytes, first?.length);
        assert.equal(
          sha256,
          createHash("sha256")
            .update(first as Buffer)
            .digest("hex"),
        );
      } finally {
        if (before === undefined) delete process.env.TZ;
        else process.env.TZ = before;
      }
    });

    test("an archive that was exchanged since the scan: exit 74", async () => {
      await using on = await volume();
      await buildArchive(on.path(name), FULL);
      for (const object of ["Telegraf", "Filebeat"]) {
        const part = await partOf(await scanOne(on.dir), object);
        await writeFile(on.path("new"), await readFile(on.path(name)));
        await rename(on.path("new"), on.path(name));
        const problem = await problemOf(bytesOf(part));
        assert.deepEqual([problem.file, problem.code], [name, EXIT.fileRead]);
      }
    });

    test("an archive that changes while it is cut: exit 74", async () => {
      await using on = await volume();
      await buildArchive(on.path(name), FULL);
      for (const object of ["Telegraf", "Filebeat"]) {
        const part = await partOf(await scanOne(on.dir), object);
        const read = async () => {
          let blocks = 0;
          for await (const _ of sourceOf(part).blocks(10_000, live)) {
            if (blocks++ === 2) await appendFile(on.path(name), "x");
          }
        };
        assert.equal((await problemOf(read())).code, EXIT.fileRead);
        await buildArchive(on.path(name), FULL);
      }
    });

    test("a consumer that stops, or is stopped, leaves nothing open", async () => {
      await using on = await volume();
      await buildArchive(on.path(name), { ...FULL, payloadBytes: 6_000_000 });
      const archive = await scanOne(on.dir);
      const openFiles = () => readdirSync("/proc/self/fd").length;
      for (const object of ["Telegraf", "Filebeat"]) {
        const part = await partOf(archive, object);
        const before = openFiles();
        for await (const _ of sourceOf(part).blocks(1000, live)) break;
        const stop = new AbortController();
        const stopped = async () => {
          for await (const _ of sourceOf(part).blocks(1000, stop.signal)) stop.abort(new Error("stop"));
        };
        await assert.rejects(stopped(), { message: "stop" });
        assert.equal(openFiles(), before, object);
      }
    });
  });
}

describe("what cannot be cut", () => {
  test("a zip that is damaged in the executable: exit 65", async () => {
    for (const payloadBytes of [0, 400_000]) {
      await using on = await volume();
      await buildArchive(on.path(ZIP), { ...FULL, payloadBytes });
      const bytes = await readFile(on.path(ZIP));
      const archive = await scanOne(on.dir);
      const { location } = archive.members.get("bin/telegraf") ?? {};
      assert.ok(location);
      const at = location.offset + 30 + location.rawName.length + location.compressedSize - 5;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await writeFile(on.path(ZIP), bytes);
      const problem = await problemOf(bytesOf(await partOf(await scanOne(on.dir), "Telegraf")));
      assert.equal(problem.code, EXIT.invalidPackage);
      assert.match(problem.reason, /damaged.*bin\/telegraf/);
    }
  });

  test("a link in a folder that leads nowhere: exit 65 before anything is cut", async () => {
    await using on = await volume({
      [ZIP]: rawZip([
        { name: "fusion-collectors/collector-sidecar", data: "#!/bin/sh\n" },
        { name: "fusion-collectors/bin/filebeat/filebeat", data: "#!/bin/sh\n" },
        { name: "fusion-collectors/bin/filebeat/lib/current", data: "1.0", mode: 0o120777 },
      ]),
    });
    const problem = await problemOf(scanOne(on.dir));
    assert.equal(problem.id, "archive.link.dangling");
    assert.match(problem.reason, /bin\/filebeat\/lib\/current -> 1\.0/);
  });

  test("but not in shared mode, where nothing is cut", async () => {
    await using on = await volume({
      [ZIP]: rawZip([
        ...PARTS,
        { name: "fc/bin/filebeat/filebeat", data: "#!/bin/sh\n" },
        { name: "fc/bin/filebeat/current", data: "filebeat", mode: 0o120777 },
      ]),
    });
    const options = { options: {}, collectors: "auto", definitions: [], archColumn: true } as const;
    const { collectors, problems } = await resolvePackages([await scanOne(on.dir)], options);
    assert.deepEqual([collectors.length, problems], [1, []]);
  });

  test("a name longer than its column", async () => {
    const long = "x".repeat(101);
    await using on = await volume({
      [ZIP]: rawZip([...PARTS, { name: `fc/bin/${long}`, data: "#!/bin/sh\n" }]),
    });
    const own = { object: "Mine", os: "linux", arch: undefined, executable: `bin/${long}` } as const;
    assert.match(
      (await problemOf(packagesOf(await scanOne(on.dir), [own]))).reason,
      /name of 101 characters/,
    );
  });
});

describe("archives of other kinds", () => {
  test("windows: .exe, a folder in any case, no modes in the zip", async () => {
    await using on = await volume({
      "fusion-collectors-windows.zip": rawZip([
        { name: "fc/collector-sidecar.exe", data: "#!" },
        { name: "fc/bin/telegraf.exe", data: "#! telegraf" },
        { name: "fc/bin/Winlogbeat/winlogbeat.exe", data: "#! winlogbeat", mode: 0 },
        { name: "fc/bin/Winlogbeat/winlogbeat.yml", data: "output: nats", mode: 0 },
      ]),
    });
    const packages = await packagesOf(await scanOne(on.dir));
    assert.deepEqual(
      packages.slice(1).map((one) => [one.os, one.object, one.name]),
      [
        ["windows", "Telegraf", "telegraf.exe"],
        ["windows", "Winlogbeat", "winlogbeat.zip"],
      ],
    );
    assert.equal((await bytesOf(packages[1] as Package)).toString(), "#! telegraf");
    const zip = await unzip(await bytesOf(packages[2] as Package));
    assert.deepEqual(
      [...zip].map(([name, { mode }]) => [name, mode]),
      [
        ["winlogbeat/winlogbeat.exe", 0o100755],
        ["winlogbeat/winlogbeat.yml", 0o100644],
      ],
    );
  });

  test("a tar.gz without a top folder, with a hard link, its folder's files scattered", async () => {
    const tar = pack();
    const noise = createHash("sha512").update("noise").digest();
    for (const name of ["collector-sidecar", "install.sh"]) tar.entry({ name }, "#!/bin/sh\n");
    tar.entry({ name: "bin/filebeat/z.yml" }, "first");
    tar.entry({ name: "bin/vector", mode: 0o755 }, Buffer.concat(Array(20_000).fill(noise)));
    tar.entry({ name: "bin/filebeat/filebeat", mode: 0o755 }, "#!/bin/sh\n");
    tar.entry({ name: "bin/telegraf", type: "link", linkname: "bin/vector" });
    tar.entry({ name: "bin/filebeat/a.yml" }, "last");
    tar.finalize();
    await using on = await volume({ [TAR]: gzipSync(await buffer(tar)) });
    const archive = await scanOne(on.dir);
    const [telegraf, vector] = [await partOf(archive, "Telegraf"), await partOf(archive, "Vector")];
    assert.ok((await bytesOf(vector)).equals(Buffer.concat(Array(20_000).fill(noise))));
    assert.ok((await bytesOf(telegraf)).equals(await bytesOf(vector)));
    const zip = await unzip(await bytesOf(await partOf(archive, "Filebeat")));
    assert.deepEqual(
      [...zip].map(([name, { bytes }]) => [name, bytes.toString()]),
      [
        ["filebeat/z.yml", "first"],
        ["filebeat/filebeat", "#!/bin/sh\n"],
        ["filebeat/a.yml", "last"],
      ],
    );
  });

  test("several gzip members, cut in the last", async () => {
    const tar = pack();
    for (const { name } of PARTS) tar.entry({ name }, "#!/bin/sh\n");
    tar.entry({ name: "fc/bin/telegraf" }, "x".repeat(700_000));
    tar.finalize();
    const bytes = await buffer(tar);
    const members = [bytes.subarray(0, 300_000), bytes.subarray(300_000)].map((half) => gzipSync(half));
    await using on = await volume({ [TAR]: Buffer.concat(members) });
    const part = await partOf(await scanOne(on.dir), "Telegraf");
    assert.equal((await bytesOf(part)).toString(), "x".repeat(700_000));
  });

  test("an archive that is to be stored under its own collector's name: exit 65", async () => {
    await using on = await volume();
    await buildArchive(on.path(ZIP));
    const archive = await scanOne(on.dir);
    for (const standalone of [false, true]) {
      const options = { object: "Telegraf" };
      const wanted = { options, collectors: "auto", standalone, definitions: [], archColumn: true } as const;
      const problem = await problemOf(resolvePackages([archive], wanted));
      assert.match(problem.reason, /Telegraf is a collector inside this archive/);
      assert.match(problem.hint, /--type collector/);
    }
  });
});
