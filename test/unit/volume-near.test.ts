import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { describe, test } from "node:test";
import { listVolume } from "../../src/volume/list.ts";
import { binaryHeader } from "../support/binaries.ts";
import { rawZip } from "../support/raw-zip.ts";
import { volume } from "../support/volume.ts";

const ZIP = "fusion-collectors-1.2.3.zip";
const ELF = binaryHeader("linux", "x86_64");
const PROBES =
  "opentelemetry-javaagent.jar, opentelemetry-python-wheels.tar.gz, opentelemetry-js-auto.tgz, opentelemetry-go-sdk.zip, opentelemetry-dotnet-auto-linux-glibc-x64.zip";

/**
 * What each name would have to be: `""` where the name does not say which package, null where it is left
 * alone without a word.
 */
const NAMES: [name: string, meant: string | null, content?: Buffer][] = [
  ["fusion-collector-1.2.3.zip", ZIP],
  ["fusion_collectors-1.2.3.zip", ZIP],
  ["fusioncollectors-1.2.3.zip", ZIP],
  ["fusoin-collectors-1.2.3.zip", ZIP],
  [" fusion-collectors-1.2.3.zip", ZIP],
  ["Copy of fusion-collectors-1.2.3.zip", ZIP],
  ["副本 fusion-collectors-1.2.3.zip", ZIP],
  ["bklite-fusion-collectors-1.2.3.zip", ZIP],
  [`${ZIP}.1`, ZIP],
  [`${ZIP}.bak`, ZIP],
  [`${ZIP}.txt`, ZIP],
  [`${ZIP}.`, ZIP],
  [`${ZIP} `, ZIP],
  [`${ZIP}?token=abc`, ZIP],
  [`${ZIP}%3Ftoken=abc`, ZIP],
  [`${ZIP};x`, ZIP],
  ["fusion-collectors-1.2.3.tar.gz.gz", "fusion-collectors-1.2.3.tar.gz"],
  ["fusion-collectors-windows-arm64-v1.2.3.tar", "fusion-collectors-windows-arm64-1.2.3.zip"],
  ["fusion-collectors-1.2.3.tar.xz", ZIP],
  ["fusion-collectors-1.2.3.7z", ZIP],
  ["fusion-collectors-1.2.3", ZIP],
  ["bklite-controller-installer-arm64", "bklite-controller-installer"],
  ["bklite-controller-installer (1).exe", "bklite-controller-installer.exe"],
  ["collector-sidecar-installer (1).exe", "bklite-controller-installer.exe"],
  ["bklite-controller-bootstrap", "bklite-controller-bootstrap.exe"],
  ["opentelemetry-javagent.jar", "opentelemetry-javaagent.jar"],
  ["opentelemetry-javaagent-2.1.0.jar", "opentelemetry-javaagent.jar"],
  [
    "opentelemetry-dotnet-instrumentation-linux-glibc-x64.zip",
    "opentelemetry-dotnet-auto-linux-glibc-x64.zip",
  ],
  ["opentelemetry-ruby.zip", PROBES],
  ["telegraf.zip", ""],
  ["telegraf-1.30.1_linux_amd64.tar.gz", ""],
  ["telegraf", "", ELF],
  ["telegraf-1.30", "", ELF],
  ["telegraf.exe", ""],
  ["backup.tar.zst.old", ""],
  [`${ZIP}.asc`, null],
  [`${ZIP}.sig`, null],
  [`${ZIP}.sbom.json`, null],
  ["fusion-collectors.md", null],
  ["README.md", null],
  ["LICENSE", null],
  ["libx.so", null, ELF],
  ["sha256sums.txt", null],
  ["package.json", null],
];

async function warned(files: Record<string, string | Buffer>) {
  await using on = await volume(files);
  const { warnings } = await listVolume(on.dir);
  return warnings.map(({ file, reason, params }) => [file, reason, params]);
}

describe("a file that could be a package and was not recognised", () => {
  for (const [name, meant, content = Buffer.from("x")] of NAMES) {
    const expected =
      meant === null ? [] : [meant === "" ? ["volume.near.unknown", {}] : ["volume.near.name", { meant }]];
    test(`${JSON.stringify(name)}: ${meant === "" ? "anything" : (meant ?? "not a word")}`, async () => {
      const found = await warned({ [name]: content });
      assert.deepEqual(
        found,
        expected.map((one) => [name, ...one]),
      );
    });
  }

  for (const ending of ["md5", "sha256sum", "sha256.txt", "sha512"]) {
    test(`a checksum ending in ${ending}`, async () => {
      assert.deepEqual(await warned({ [`${ZIP}.${ending}`]: "" }), [
        [`${ZIP}.${ending}`, "checksum.name", { meant: `${ZIP}.sha256` }],
      ]);
    });
  }

  const SPLIT: [parts: string[], command: string][] = [
    [[`${ZIP}.001`, `${ZIP}.002`], `cat ${ZIP}.001 ${ZIP}.002 > ${ZIP}`],
    [
      [`${ZIP}.part1`, `${ZIP}.part2`, `${ZIP}.part10`],
      `cat ${ZIP}.part1 ${ZIP}.part2 ${ZIP}.part10 > ${ZIP}`,
    ],
    [[`${ZIP}.aa`, `${ZIP}.ab`], `cat ${ZIP}.aa ${ZIP}.ab > ${ZIP}`],
    [[`${ZIP}.1`, `${ZIP}.2`], `cat ${ZIP}.1 ${ZIP}.2 > ${ZIP}`],
    [Array.from({ length: 12 }, (_, n) => `${ZIP}.${`${n}`.padStart(3, "0")}`), `cat ${ZIP}.??? > ${ZIP}`],
    [
      ["fusion-collectors.z01"],
      "zip -s 0 fusion-collectors.zip --out .joined.zip && mv .joined.zip fusion-collectors.zip && rm fusion-collectors.z[0-9]*",
    ],
    [["a $(x) '.zip.00"], `cat 'a $(x) '\\''.zip.00' > 'a $(x) '\\''.zip'`],
  ];
  for (const [parts, command] of SPLIT) {
    test(`the parts of a split archive, once: ${parts.join(" ")}`, async () => {
      const found = await warned(Object.fromEntries(parts.map((part) => [part, "x"])));
      assert.deepEqual(found, [[parts[0], "volume.near.split", { command }]]);
    });
  }

  test("the parts of one that has been joined are left alone", async () => {
    assert.deepEqual(await warned({ [ZIP]: "x", [`${ZIP}.001`]: "x", [`${ZIP}.002`]: "x" }), []);
  });

  test("a release pack", async () => {
    const pack = rawZip([
      { name: "manifest.json", data: "{}" },
      { name: "artifacts/linux/x", data: "x" },
    ]);
    assert.deepEqual(await warned({ "bk-release-4.2.zip": pack }), [
      ["bk-release-4.2.zip", "volume.near.release", {}],
    ]);
  });

  test("a dangling link; any other link is not opened", async () => {
    await using on = await volume({ "data/x": ELF });
    await symlink("nowhere", on.path("telegraf.zip"));
    await symlink("nowhere", on.path("notes"));
    await symlink("data/x", on.path("telegraf"));
    await symlink("/", on.path("root"));
    await symlink("/", on.path("fusion-collectors.zip"));
    const { warnings } = await listVolume(on.dir);
    assert.deepEqual(
      warnings.map(({ file, reason }) => [file, reason]),
      [
        ["data/x", "volume.near.unknown"],
        ["fusion-collectors.zip", "volume.near.linked"],
        ["telegraf.zip", "volume.near.link"],
      ],
    );
  });
});
