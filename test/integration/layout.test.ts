import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
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
      const run = await site.run();
      assert.equal(run.code, 0, explain(run));
      assert.equal(run.report?.packages[0]?.version, "1.2.3", explain(run));
    });
  }

  test("one that looks like a version and is none is exit 65, never 1.0.0, unless somebody says the version", async () => {
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
      const given = await site.run([], { PACKAGE_VERSION: "1.2.3" });
      assert.equal(given.code, 0, explain(given));
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
      const run = await site.run();
      assert.equal(run.code, 0, explain(run));
      assert.equal(run.report?.packages[0]?.version, "1.0.0");
      assert.ok(
        run.report?.warnings.some(({ reason }) => reason === "version.missing"),
        explain(run),
      );
    }
  });
});
