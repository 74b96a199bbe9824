import assert from "node:assert/strict";
import { symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { binaryHeader } from "../support/binaries.ts";
import { tempDir } from "../support/guard.ts";
import { download } from "../support/install.ts";
import { installController } from "../support/installer.ts";
import { explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();
const ARCHIVE = "controller/fusion-collectors-linux-amd64.zip";
const BOTH = 'LINUX_SIDECAR_VERSION="1.2.3"\nWINDOWS_SIDECAR_VERSION="1.2.4"\n';
const wide = (text: string) => Buffer.from(text, "utf16le");

async function withVersion(version: string | Buffer, name = "VERSION"): Promise<Site> {
  const site = await servers.site({ state: "C" });
  const archive = await site.archive(ARCHIVE);
  await writeFile(join(dirname(archive), name), version);
  return site;
}

describe("a VERSION file beside the archives", () => {
  const READ: [what: string, version: string | Buffer][] = [
    ["BK-Lite's own", BOTH],
    ["a byte order mark", `\ufeff${BOTH}`],
    ["UTF-16, as PowerShell's > writes it", wide(`\ufeff${BOTH.replaceAll("\n", "\r\n")}`)],
    ["UTF-16 the other way round", wide(`\ufeff${BOTH}`).swap16()],
    ["UTF-16 without a mark", wide("1.2.3\r\n")],
    ["old line ends", BOTH.replaceAll("\n", "\r")],
    [
      "comments, one in GBK",
      Buffer.concat([Buffer.from("b0e6b1be", "hex"), Buffer.from("\n1.2.3 # built today\n")]),
    ],
    ["a shell's line end", "LINUX_SIDECAR_VERSION=1.2.3;\n"],
    ["blank lines, a v and blanks behind it", "\n \nv1.2.3  \n"],
    ["YAML", "version: 1.2.3\n"],
    ["full-width digits", "１.２.３\n"],
  ];
  for (const [what, version] of READ) {
    test(`is read: ${what}`, async () => {
      const site = await withVersion(version);
      const run = await site.ok();
      assert.equal(run.report?.packages[0]?.version, "1.2.3", explain(run));
    });
  }

  test("one that looks like a version and is none is exit 65, never 1.0.0, unless the version is given", async () => {
    for (const version of [
      "fusion-collectors 1.2.3",
      "1.2.3/4",
      '{"version":"1.2.3"}',
      "VERSION=1.2.3-$(date)",
    ]) {
      const site = await withVersion(version);
      const run = await site.run();
      assert.equal(run.code, 65, explain(run));
      assert.equal(run.report?.error?.reason, "version.unreadable");
      assert.match(run.report?.error?.message ?? "", /controller\/VERSION/);
      await site.ok([], { PACKAGE_VERSION: "1.2.3" });
    }
  });

  test("one without a version for the archive's os is said: 1.0.0", async () => {
    for (const version of [
      "",
      "WINDOWS_SIDECAR_VERSION=1.2.4\n",
      "LINUX_SIDECAR_VERSION=\n",
      Buffer.from([0, 1, 2]),
    ]) {
      const site = await withVersion(version);
      const run = await site.ok();
      assert.equal(run.report?.packages[0]?.version, "1.0.0");
      assert.ok(
        run.report?.warnings.some(({ reason }) => reason === "version.missing"),
        explain(run),
      );
    }
  });
});

const PROGRAM = binaryHeader("linux", "x86_64");

describe("what looks like a mistake in the bundle's folder is a warning that names it", () => {
  const MISTAKES: [id: ReasonId, file: string, content?: string | Buffer, warned?: string][] = [
    ["collector.place", "collector/telegraf", PROGRAM],
    ["collector.place", "collector/win/telegraf.exe", PROGRAM],
    ["collector.place", "collectors/linux/telegraf", PROGRAM],
    ["collector.packed", "collector/linux/telegraf-1.30.0_linux_amd64.tar.gz"],
    ["collector.packed", "collector/linux/amd64/vector.rpm"],
    ["collector.incomplete", "collector/linux/filebeat/filebeat.yml", "a: b\n", "collector/linux/filebeat"],
    [
      "collector.incomplete",
      "collector/linux/telegraf/usr/bin/telegraf",
      PROGRAM,
      "collector/linux/telegraf",
    ],
    ["volume.near.deep", "a/b/c/collector/linux/telegraf", PROGRAM],
  ];
  for (const [id, file, content = "x", warned = file] of MISTAKES) {
    test(`${id}: ${file}`, async () => {
      const site = await servers.site({ state: "C" });
      await site.archive(ARCHIVE);
      site.put(file, content);
      const run = await site.ok();
      const found = run.report?.warnings.filter((one) => one.file === warned) ?? [];
      assert.deepEqual(
        found.map(({ reason }) => reason),
        [id],
        explain(run),
      );
    });
  }

  test("a link to a folder is left alone, and named where nothing else is found", async () => {
    const site = await servers.site({ state: "C" });
    const elsewhere = tempDir("elsewhere");
    try {
      await symlink(elsewhere.path, join(site.volume, "pkgs"));
      const empty = await site.run();
      assert.equal(empty.code, 66, explain(empty));
      assert.match(empty.report?.error?.message ?? "", /holds \d other files?: .*pkgs/);
      await site.archive(ARCHIVE);
      const run = await site.ok();
      assert.ok(!run.report?.warnings.some(({ file }) => file === "pkgs"), explain(run));
    } finally {
      elsewhere.remove();
    }
  });

  for (const [what, options] of [
    ["without install.sh", { without: ["install.sh"] }],
    ["with collectors alone", { without: ["install.sh"], sidecar: false }],
  ] as const) {
    test(`package.incomplete: an archive ${what} is exit 65 and never stored`, async () => {
      const site = await servers.site({ state: "C" });
      await site.archive("fusion-collectors-linux-amd64.zip", options);
      const run = await site.run();
      assert.equal(run.code, 65, explain(run));
      assert.equal(run.report?.error?.reason, "package.incomplete");
      assert.deepEqual(await site.rows(), []);
      assert.equal(await site.objects.lastSeq(), 0);
    });
  }
});

test("a declared collector that BK-Lite would not find, or not unpack, is a warning", async () => {
  const site = await servers.site({ state: "C" });
  site.put("telegraf", PROGRAM);
  site.put("vector.tar.gz", "anything");
  const packages = [
    { file: "telegraf", type: "collector", object: "telegraf" },
    { file: "vector.tar.gz", type: "collector", object: "Vector" },
  ];
  site.put("packages.json", JSON.stringify({ packages }));
  const run = await site.ok();
  const saidOf = (name: string) =>
    run.report?.warnings.filter(({ file }) => file === name).map(({ reason }) => reason);
  assert.deepEqual(saidOf("telegraf"), ["collector.object"], explain(run));
  assert.deepEqual(saidOf("vector.tar.gz"), ["collector.unpacked"], explain(run));
});

test("a folder in a collector's place that no zip can hold is rejected if it is a collector's, else left alone", async () => {
  for (const [folder, code] of [
    ["templates", 0],
    ["filebeat", 65],
  ] as const) {
    const site = await servers.site({ state: "C" });
    await site.archive(ARCHIVE);
    site.put(`collector/linux/${folder}/${folder}`, PROGRAM);
    await symlink("nowhere", join(site.volume, `collector/linux/${folder}/current`));
    const run = await site.run();
    assert.equal(run.code, code, explain(run));
    if (code === 65) assert.equal(run.report?.error?.reason, "collector.folder");
  }
});

test("an archive with its folder far down is installable", async () => {
  const site = await servers.site({ state: "C" });
  await site.archive("fusion-collectors.zip", {
    top: "var/lib/jenkins/workspace/dist/fusion-collectors",
    version: "2.0.0",
  });
  const run = await site.ok();
  const [controller] = run.report?.packages ?? [];
  assert.equal(controller?.version, "2.0.0");
  const installed = await installController(await download(site, controller?.stored.key ?? ""));
  assert.ok(installed.has("install.sh") && installed.has("bin/telegraf"));
});
