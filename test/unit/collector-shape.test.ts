import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { arrange, findProgram, installedPath } from "../../src/packages/definitions.ts";
import { type CollectorDefinition, compareVersions } from "../../src/packages/package.ts";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { originOf } from "../../src/packages/sources.ts";
import { buildArchive } from "../support/archives.ts";
import { scanOne, volume } from "../support/volume.ts";

const linux = (executable?: string, packageName?: string): CollectorDefinition => ({
  object: "X",
  os: "linux",
  arch: undefined,
  executable,
  packageName,
});
const windows = (executable: string): CollectorDefinition => ({ ...linux(executable), os: "windows" });
const BEAT = linux("bin/filebeat/filebeat");

describe("the path that exists after BK-Lite installed a shape", () => {
  const CASES: [CollectorDefinition, name: string, files: string[] | undefined, path: string | undefined][] =
    [
      [linux("bin/telegraf"), "telegraf", undefined, "bin/telegraf"],
      [linux("bin/telegraf"), "telegraf-1", undefined, undefined],
      [linux("bin/telegraf"), "Telegraf", undefined, undefined],
      [linux("bin/telegraf"), "telegraf.zip", ["telegraf/telegraf"], undefined],
      [linux("bin/telegraf"), "any.zip", ["telegraf", "telegraf.conf"], "bin/telegraf"],
      [BEAT, "filebeat", undefined, undefined],
      [BEAT, "any.zip", ["filebeat/filebeat"], "bin/filebeat/filebeat"],
      [BEAT, "any.zip", ["filebeat-8/filebeat"], undefined],
      [BEAT, "any.zip", [], undefined],
      [BEAT, "any.zip", undefined, "bin/filebeat/filebeat"],
      [BEAT, "any.tar.gz", undefined, undefined],
      [linux(undefined, "jmx_jvm"), "jmx_jvm.jar", undefined, "bin/jmx_jvm.jar"],
      [linux(undefined, "jmx_jvm"), "jmx.jar", undefined, undefined],
      [linux(undefined, undefined), "any.zip", undefined, undefined],
      [windows("bin/Telegraf.exe"), "telegraf.EXE", undefined, "bin/telegraf.EXE"],
      [windows("bin/telegraf"), "telegraf.exe", undefined, "bin/telegraf.exe"],
      [linux("agents/telegraf"), "telegraf", undefined, undefined],
      [linux("agents/telegraf"), "telegraf.zip", undefined, undefined],
      [linux("bin/../telegraf"), "telegraf.zip", ["../telegraf"], undefined],
      [linux("bin//telegraf"), "telegraf", undefined, undefined],
      [linux(""), "telegraf", undefined, undefined],
    ];
  for (const [definition, name, files, path] of CASES) {
    test(`${definition.executable ?? definition.packageName}: ${name} ${files ?? ""}`, () => {
      assert.equal(installedPath(definition, { name, ...(files && { files }) }), path);
    });
  }
});

describe("the shape that is chosen", () => {
  const shape = (definition: CollectorDefinition, program: string, paths: string[], ownFolder: boolean) => {
    const hasFolder = (path: string) => paths.some((one) => one.startsWith(`${path}/`));
    const { name, zip, pathOf } = arrange(definition, { program, ownFolder, hasFolder });
    const files = [program, ...paths].flatMap((path) => pathOf(path) ?? []);
    assert.notEqual(installedPath(definition, { name, ...(zip && { files }) }), undefined);
    return [name, ...files];
  };
  const BESIDE = ["bin/vector", "bin/_internal/a.so", "bin/filebeat.yml"];

  test("nothing that is another collector's comes out of bin/", () => {
    assert.deepEqual(shape(linux("bin/telegraf"), "bin/telegraf", BESIDE, false), ["telegraf", "telegraf"]);
    assert.deepEqual(shape(BEAT, "bin/filebeat", BESIDE, false), ["filebeat.zip", "filebeat/filebeat"]);
  });

  test("a program with libraries takes them to where it is started", () => {
    const flat = linux("bin/ansible-executor");
    const folder = linux("bin/ansible/ansible-executor");
    assert.deepEqual(shape(flat, "bin/ansible-executor", BESIDE, false), [
      "ansible-executor.zip",
      "ansible-executor",
      "_internal/a.so",
    ]);
    assert.deepEqual(shape(folder, "bin/ansible-executor", BESIDE, false), [
      "ansible.zip",
      "ansible/ansible-executor",
      "ansible/_internal/a.so",
    ]);
    assert.deepEqual(
      shape(flat, "ansible-executor/ansible-executor", ["ansible-executor/_internal/a"], true),
      ["ansible-executor.zip", "ansible-executor", "_internal/a"],
    );
  });

  test("a folder of its own keeps all that is in it, under the name that is started", () => {
    assert.deepEqual(shape(BEAT, "filebeat-8/filebeat", ["filebeat-8/module/a.yml", "README"], true), [
      "filebeat.zip",
      "filebeat/filebeat",
      "filebeat/module/a.yml",
    ]);
    assert.deepEqual(shape(linux("bin/a/b/c"), "x/c", ["x/d"], true), ["a.zip", "a/b/c", "a/b/d"]);
  });

  test("on Windows the definition says which letters are capitals, and an ending that is missing is added", () => {
    assert.deepEqual(shape(windows("bin/telegraf.exe"), "bin/Telegraf.EXE", [], false), [
      "telegraf.exe",
      "telegraf.exe",
    ]);
    assert.deepEqual(shape(windows("bin/telegraf.exe"), "telegraf", [], false), [
      "telegraf.exe",
      "telegraf.exe",
    ]);
  });
});

test("in a zip of any layout the program is what runs, not what is called like it", () => {
  const file = (path: string, mode: number, size = 10) => ({ path, kind: "file" as const, mode, size });
  const entries = [
    file("t/etc/telegraf", 0o644),
    file("t/usr/bin/telegraf", 0o755, 1000),
    file("t/usr/lib/x/telegraf", 0o755, 5000),
    { path: "t/telegraf", kind: "directory" as const, mode: 0o755, size: 0 },
  ];
  assert.equal(findProgram(linux("bin/telegraf"), entries)?.path, "t/usr/bin/telegraf");
  assert.equal(findProgram(linux("bin/vector"), entries), undefined);
});

test("versions are compared by number, a pre-release before its release", () => {
  const sorted = ["no", "1.0.0-rc2", "1.0.0-rc10", "1.0.0", "1.0.0.1", "1.9.0", "1.10.0", "latest"];
  assert.deepEqual([...sorted].reverse().sort(compareVersions), sorted);
});

test("only what is put elsewhere says so in its origin: the rest stays unchanged after an upgrade", async () => {
  await using on = await volume();
  const libraries = [{ name: "bin/_internal/a.so", content: "a" }];
  const collectors = ["telegraf", "filebeat/filebeat", "ansible-executor", "packetbeat"];
  await buildArchive(on.path("fusion-collectors.zip"), { collectors, entries: libraries });
  const wanted = {
    options: {},
    collectors: "auto",
    standalone: true,
    definitions: [],
    archColumn: true,
  } as const;
  const { packages } = await resolvePackages([await scanOne(on.dir)], wanted);
  assert.deepEqual(
    packages.flatMap(({ name, derived }) => (derived ? [`${name} ${originOf("S", derived)}`] : [])),
    [
      "telegraf S:executable/1:bin/telegraf",
      "filebeat.zip S:folder/1:bin/filebeat",
      "packetbeat.zip S:folder/2:bin/packetbeat:packetbeat/packetbeat",
      "ansible-executor.zip S:folder/1:bin/ansible-executor",
    ],
  );
});
