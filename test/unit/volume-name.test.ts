import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatOf, parseName } from "../../src/volume/name.ts";

const NAMES: [name: string, named: object][] = [
  ["fusion-collectors.zip", {}],
  ["fusion-collectors-linux-amd64.zip", { os: "linux", arch: "x86_64" }],
  ["fusion-collectors-windows-amd64.zip", { os: "windows", arch: "x86_64" }],
  ["fusion-collectors-linux-arm64.zip", { os: "linux", arch: "arm64" }],
  ["fusion-collectors-linux-aarch64.tgz", { os: "linux", arch: "arm64" }],
  ["fusion-collectors-linux-x86_64.zip", { os: "linux", arch: "x86_64" }],
  ["fusion-collectors_x86_64_linux.zip", { os: "linux", arch: "x86_64" }],
  ["fusion-collectors-amd64-linux.zip", { os: "linux", arch: "x86_64" }],
  ["fusion-collectors.windows.x86_64.zip", { os: "windows", arch: "x86_64" }],
  ["Fusion-Collectors-Linux-AMD64.ZIP", { os: "linux", arch: "x86_64" }],
  ["fusion-collectors-1.0.0.tar.gz", { version: "1.0.0" }],
  ["fusion-collectors-v2.10.3.tar.gz", { version: "2.10.3" }],
  ["fusion-collectors-V2.10.3.tar.gz", { version: "2.10.3" }],
  ["fusion-collectors-1.2.3.4-linux.zip", { os: "linux", version: "1.2.3.4" }],
  ["fusion-collectors-linux-1.2.3-rc1.zip", { os: "linux", version: "1.2.3-rc1" }],
  ["fusion-collectors-1.2.3-beta.2-linux-arm64.zip", { os: "linux", arch: "arm64", version: "1.2.3-beta.2" }],
  ["fusion-collectors-1.2.3-arm64.zip", { arch: "arm64", version: "1.2.3" }],
  ["fusion-collectors_v1.2.3_windows_amd64.zip", { os: "windows", arch: "x86_64", version: "1.2.3" }],
  ["fusion-collectors-x86_64.1.2.3.zip", { arch: "x86_64", version: "1.2.3" }],
  ["fusion-collectors-1.2.3-offline.zip", { version: "1.2.3" }],
  ["fusion-collectors-latest.zip", {}],
  ["fusion-collectors-darwin.zip", {}],
  ["fusion-collectors-linux-linux-1.0.0-v1.0.0.zip", { os: "linux", version: "1.0.0" }],
  ["fusion-collectors-amd64-x86_64.zip", { arch: "x86_64" }],
  ["fusion-collectors-linux-amd64-1.0.0 (1).zip", { os: "linux", arch: "x86_64", version: "1.0.0" }],
  ["fusion-collectors-linux-amd64-1.0.0 - 副本.zip", { os: "linux", arch: "x86_64", version: "1.0.0" }],
  ["fusion-collectors-linux-amd64-1.0.0 - Copy (2).zip", { os: "linux", arch: "x86_64", version: "1.0.0" }],
  ["fusion-collectors-1.0.0+build.7-linux.zip", { os: "linux", version: "1.0.0+build.7" }],
  ["fusion-collectors-linux-x86-64-1.2.3.zip", { os: "linux", arch: "x86_64", version: "1.2.3" }],
  ["fusion-collectors-linux-x86-64.zip", { os: "linux", arch: "x86_64" }],
  ...[
    "-ver1.2.3",
    "-version1.2.3",
    "-release1.2.3",
    "@1.2.3",
    "~1.2.3",
    "+1.2.3",
    "\u20131.2.3",
    "-1.2.3@prod",
    "-1.2.3!",
    "-１．２．３",
    "%201.2.3",
    "-1.2.3%20(1)",
    "-1.2.3（1）",
    "-1.2.3-final2",
    "-1.2.3_new",
    "-1.2.3 2",
    "-1.2.3-el7",
    "-1.2.3-x64",
    "-1.2.3-linux-dev",
    "-1.2.3 的副本 2",
    "-1.2.3新版",
    "-20251021-1.2.3",
  ].map((words): [string, object] => [
    `fusion-collectors${words}.zip`,
    { ...(words.includes("linux") && { os: "linux" }), version: "1.2.3" },
  ]),
  ["fusion-collectors-1.2.3%2Bbuild.7.zip", { version: "1.2.3+build.7" }],
];

describe("an archive's name", () => {
  for (const [name, named] of NAMES) {
    test(name, () => assert.deepEqual(parseName(name), { named }));
  }

  const AMBIGUOUS: [name: string, what: string, values: string[]][] = [
    ["fusion-collectors-linux-windows.zip", "os", ["linux", "windows"]],
    ["fusion-collectors-amd64-aarch64.zip", "arch", ["x86_64", "arm64"]],
    ["fusion-collectors-1.0.0-linux-1.0.1.zip", "version", ["1.0.0", "1.0.1"]],
  ];
  for (const [name, what, values] of AMBIGUOUS) {
    test(`${name} says two things`, () => {
      assert.deepEqual(parseName(name), { problem: { reason: "name.ambiguous", params: { what, values } } });
      assert.ok("named" in parseName(name, { [what]: values[0] }), "what is given is not asked of the name");
    });
  }

  const UNREADABLE: [name: string, text: string][] = [
    ["fusion-collectors-1.2.zip", "1.2"],
    ["fusion-collectors-linux64-el7-20251021.zip", "20251021"],
    ["fusion-collectors-linux-1_2_3.zip", "1_2_3"],
    ["fusion-collectors-1.2.3-4.zip", "-4"],
    ["fusion-collectors-v2.zip", "v2"],
    ["fusion-collectors-r1.2.3.zip", "r1.2.3"],
    ["fusion-collectors-1.2.3.4.5.zip", ".5"],
    ["fusion-collectors-1.2.3+.zip", "1.2.3+"],
    ["fusion-collectors-1.2.3~rc1.zip", "1.2.3~rc1"],
    ["fusion-collectors-1.2.3_rc1.zip", "rc1"],
    ["fusion-collectors-1.2.3.rc1.zip", "rc1"],
    ["fusion-collectors-1.2.3 beta.zip", "beta"],
    ["fusion-collectors-1.2.3-linux-rc1.zip", "rc1"],
    ["fusion-collectors-1.2.3-b7.zip", "-b7"],
    ["fusion-collectors-1.2.3 (build 7).zip", "build 7"],
    ["fusion-collectors-1.2.3-a1b2c3d.zip", "a1b2c3d"],
    ["fusion-collectors-1.2.3-1a2b3c4.zip", "-1a2b3c4"],
    ["fusion-collectors-1.2.3-dirty.zip", "dirty"],
    ["fusion-collectors-linux-gdeadbe1.zip", "gdeadbe1"],
    ["fusion-collectors-第2版.zip", "2版"],
  ];
  for (const [name, text] of UNREADABLE) {
    test(`${name} has something like a version that is none`, () => {
      assert.deepEqual(parseName(name), { problem: { reason: "name.version.unreadable", params: { text } } });
    });
  }

  test("its ending says how it is packed", () => {
    assert.equal(formatOf("fusion-collectors-linux.zip"), "zip");
    assert.equal(formatOf("fusion-collectors.TGZ"), "tar.gz");
    assert.equal(formatOf("fusion-collectors-1.0.0.tar.gz"), "tar.gz");
    for (const name of [
      "fusion-collectors.tar",
      "telegraf.zip",
      "fusion-collectors.zip.part",
      "x-fusion-collectors.zip",
    ]) {
      assert.equal(formatOf(name), undefined, name);
    }
  });
});
