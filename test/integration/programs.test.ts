import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { age } from "../support/archives.ts";
import { binaryHeader } from "../support/binaries.ts";
import { type RawEntry, rawZip } from "../support/raw-zip.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();
const INSTALLER = "controller/linux/bklite-controller-installer";
const WINDOWS_INSTALLER = "controller/windows/bklite-controller-installer.exe";
const POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
const PAGE = "<!DOCTYPE html><html><body>404 Not Found</body></html>";

const put = (site: Site, file: string, content: string | Buffer) => age(site.put(file, content));

/** Exit 65 for that reason, which names the file, and nothing is written. */
async function refused(
  files: Record<string, string | Buffer>,
  reason: string,
  words: RegExp,
  args: string[] = [],
): Promise<void> {
  const site = await servers.site({ state: "C" });
  for (const [file, content] of Object.entries(files)) put(site, file, content);
  const run = await site.run(args);
  assert.equal(run.code, 65, explain(run));
  assert.equal(run.report?.error?.reason, reason, explain(run));
  assert.match(run.report?.error?.message ?? "", words);
  assert.deepEqual([await site.objects.list(), await site.rows()], [[], []]);
}

describe("what stands in a program's place is named for what it is", () => {
  const IN_PLACE: [what: string, file: string, content: string | Buffer, reason: string, words: RegExp][] = [
    ["a Git LFS pointer for an installer", INSTALLER, POINTER, "installer.kind", /Git LFS pointer/],
    ["a web page for an installer", WINDOWS_INSTALLER, PAGE, "installer.kind", /HTML page/],
    ["a packed installer", INSTALLER, rawZip([{ name: "x", data: "y" }]), "installer.kind", /\(zip\)/],
    ["a script for an installer", INSTALLER, "#!/bin/sh\nexec x\n", "installer.kind", /not a program/],
    ["reserved room for an installer", INSTALLER, Buffer.alloc(9000), "program.kind", /NUL bytes/],
    [
      "half an ELF header",
      INSTALLER,
      binaryHeader("linux", "x86_64").subarray(0, 40),
      "program.truncated",
      /40$/,
    ],
    ["an ELF signature", INSTALLER, "\x7fELF", "program.truncated", /the file has 4$/],
    [
      "half a PE header",
      WINDOWS_INSTALLER,
      binaryHeader("windows", "x86_64").subarray(0, 80),
      "program.truncated",
      /80$/,
    ],
    [
      "a Git LFS pointer for a collector",
      "collector/linux/telegraf",
      POINTER,
      "program.kind",
      /Git LFS pointer/,
    ],
    ["a web page for a collector", "collector/linux/vector", PAGE, "program.kind", /HTML page/],
    [
      "an object store's error for a jar",
      "collector/linux/jmx_jvm.jar",
      "<Error><Code>NoSuchKey</Code></Error>",
      "program.kind",
      /XML/,
    ],
  ];
  for (const [what, file, content, reason, words] of IN_PLACE) {
    test(what, () => refused({ [file]: content }, reason, words));
  }

  test("inside an archive too, zip and tar.gz", async () => {
    const INSIDE: [name: string, content: string, words: RegExp][] = [
      ["bin/telegraf", POINTER, /bin\/telegraf, which is a Git LFS pointer/],
      ["bin/vector", "", /bin\/vector, which is an empty file/],
      ["collector-sidecar", PAGE, /collector-sidecar, which is an HTML page/],
    ];
    for (const [name, content, words] of INSIDE) {
      for (const format of ["zip", "tar.gz"] as const) {
        const site = await servers.site({ state: "C" });
        await site.archive(`fusion-collectors.${format}`, {
          format,
          entries: [{ name, content, mode: 0o755 }],
        });
        const run = await site.run();
        assert.equal(run.code, 65, explain(run));
        assert.equal(run.report?.error?.reason, "program.kind");
        assert.match(run.report?.error?.message ?? "", words);
        assert.deepEqual([await site.objects.list(), await site.rows()], [[], []]);
      }
    }
  });

  test("a header that is noise says nothing of the length", async () => {
    const site = await servers.site({ state: "C" });
    for (const [file, os] of [
      [INSTALLER, "linux"],
      [WINDOWS_INSTALLER, "windows"],
    ] as const) {
      const known = os === "linux" ? 20 : 70;
      put(
        site,
        file,
        Buffer.concat([binaryHeader(os, "x86_64").subarray(0, known), Buffer.alloc(2000, 0xa7)]),
      );
    }
    await site.ok();
  });
});

describe("a collector's zip is opened, for BK-Lite unzips it on the node", () => {
  const FILE = "collector/linux/filebeat.zip";
  const entry = (
    name: string,
    data: string | Buffer = binaryHeader("linux", "x86_64"),
    more: Partial<RawEntry> = {},
  ) => ({ name, data, mode: 0o100755, ...more }) satisfies RawEntry;
  const good = rawZip([entry("filebeat/filebeat"), entry("filebeat/filebeat.yml", "a: b\n")]);
  const CLAIM = ["--file", "filebeat.zip", "--type", "collector", "--object", "Filebeat"];
  const BAD: [what: string, bytes: Buffer | string, reason: string][] = [
    ["cut short", good.subarray(0, good.length - 40), "zip.truncated"],
    ["an entry above the root", rawZip([entry("../filebeat")]), "archive.path.parent"],
    [
      "a link",
      rawZip([entry("filebeat/filebeat"), entry("filebeat/l", "filebeat", { mode: 0o120777 })]),
      "collector.link",
    ],
    [
      "another architecture's program",
      rawZip([entry("filebeat/filebeat", binaryHeader("windows", "x86_64"))]),
      "package.program",
    ],
    [
      "a flipped byte",
      rawZip([entry("filebeat/filebeat"), entry("filebeat/x", "abc", { crc: 1 })]),
      "zip.crc",
    ],
    ["a web page", PAGE, "archive.kind.html"],
  ];
  for (const [what, bytes, reason] of BAD) {
    test(`rejected: ${what}`, async () => {
      await refused({ [FILE]: bytes }, reason, /filebeat\.zip/);
      if (reason !== "package.program")
        await refused({ "filebeat.zip": bytes }, reason, /filebeat\.zip/, ["init", ...CLAIM]);
    });
  }

  test("a good one is stored byte for byte, for the architecture of its program", async () => {
    const site = await servers.site({ state: "C" });
    put(site, FILE, good);
    put(site, "filebeat.zip", rawZip([entry("filebeat/filebeat", binaryHeader("linux", "arm64"))]));
    const run = await site.ok();
    assert.equal(run.report?.packages[0]?.stored.bytes, (await readFile(join(site.volume, FILE))).length);
    const claimed = await site.ok(["init", "--file", join(site.volume, "filebeat.zip"), ...CLAIM.slice(2)]);
    assert.equal(claimed.report?.packages[0]?.arch, "arm64");
  });

  test("what BK-Lite has no collector for may be anything", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive(ARCHIVE);
    put(site, "collector/linux/templates.zip", "no zip at all");
    await site.ok();
  });
});

describe("a Windows package with names that a Windows node cannot unpack", { concurrency: 2 }, () => {
  const top = (name: string): RawEntry => ({ name: `fusion-collectors/${name}`, data: name });
  const PARTS: RawEntry[] = [
    top("install.ps1"),
    { name: "fusion-collectors/collector-sidecar.exe", data: binaryHeader("windows", "x86_64") },
  ];
  const ZIP = "fusion-collectors-windows-amd64.zip";
  const REFUSED: [reason: string, names: string[]][] = [
    ["package.windows.name", ["aux.txt"]],
    ["package.windows.name", ["log/CON"]],
    ["package.windows.name", ["nul /x"]],
    ["package.windows.name", ["lib./x"]],
    ["package.windows.name", ["a:b"]],
    ["package.windows.name", ["what?"]],
    ["package.windows.name", ["end "]],
    ["package.windows.case", ["readme.txt", "README.TXT"]],
    ["package.windows.case", ["Lib", "lib/a"]],
    ["package.windows.case", ["lib/a", "LIB"]],
  ];
  for (const [reason, names] of REFUSED) {
    test(`is rejected: ${names.join(", ")}`, () =>
      refused(
        { [ZIP]: rawZip([...PARTS, ...names.map(top)]) },
        reason,
        new RegExp(names.at(-1)?.replace("?", ".") ?? ""),
      ));
  }

  test("and so is a collector's folder", () =>
    refused(
      {
        "collector/windows/filebeat/filebeat.exe": binaryHeader("windows", "x86_64"),
        "collector/windows/filebeat/con": "x",
      },
      "package.windows.name",
      /con/,
    ));

  test("names that only look like them pass, folders in other capitals are one, and Linux accepts them all", async () => {
    const site = await servers.site({ state: "C" });
    const fine = ["console.txt", "com10", "auxiliary", "Lib/a", "lib/b", ".hidden", "__MACOSX.txt"].map(top);
    put(site, ZIP, rawZip([...PARTS, ...fine]));
    const odd = ["aux.txt", "a:b", "end ", "readme", "README"].map(top);
    put(site, ARCHIVE, rawZip([top("install.sh"), top("collector-sidecar"), ...odd]));
    await site.ok();
  });
});
