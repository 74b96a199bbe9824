import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nearMiss, strayChecksum } from "../../src/volume/near.ts";

const ZIP = "fusion-collectors-1.2.3.zip";

/** What each name is taken for; null: nothing, it is left alone without a word. */
const NAMES: [name: string, meant: string | null][] = [
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
  ["fusion-collectors-1.2.3.tar", ZIP],
  ["fusion-collectors-1.2.3.tar.xz", ZIP],
  ["fusion-collectors-1.2.3.7z", ZIP],
  ["fusion-collectors-1.2.3", ZIP],
  [`${ZIP}.asc`, null],
  [`${ZIP}.sig`, null],
  [`${ZIP}.sbom.json`, null],
  ["fusion-collectors.md", null],
  ["telegraf.zip", null],
  ["README.md", null],
  ["bklite-controller-installer-arm64", "bklite-controller-installer"],
  ["bklite-controller-installer (1).exe", "bklite-controller-installer.exe"],
  ["opentelemetry-javaagent-2.1.0.jar", null],
];

const LISTS: [name: string, meant: string | null][] = [
  ["sha256sums.txt", "SHA256SUMS"],
  ["SHA256SUMS.txt", "SHA256SUMS"],
  ["Sha256Sums", "SHA256SUMS"],
  ["CHECKSUM", "SHA256SUMS"],
  ["checksums.txt", "SHA256SUMS"],
  ["fusion-collectors_1.2.3_checksums.txt", "SHA256SUMS"],
  ["SHASUMS256.txt", "SHA256SUMS"],
  ["MD5SUMS", "SHA256SUMS"],
  ["md5.txt", "SHA256SUMS"],
  ["sha256", "SHA256SUMS"],
  ["SHA512SUMS", "SHA256SUMS"],
  [`${ZIP}.SHA256`, `${ZIP}.sha256`],
  [`${ZIP}.sha256sum`, `${ZIP}.sha256`],
  [`${ZIP}.sha256.txt`, `${ZIP}.sha256`],
  [`${ZIP}.md5`, `${ZIP}.sha256`],
  [`${ZIP}.sha256`, null],
  ["SHA256SUMS", null],
  ["notes.txt", null],
];

describe("a name that is left alone but looks like a mistake", () => {
  const said = (name: string) => {
    const found = nearMiss(name, name);
    return found && [found.reason, found.params];
  };
  for (const [name, meant] of NAMES) {
    const expected = meant === null ? undefined : ["volume.near.name", { meant }];
    test(`${JSON.stringify(name)}: ${meant ?? "not a word"}`, () => assert.deepEqual(said(name), expected));
  }
  for (const [name, meant] of LISTS) {
    const expected = meant === null ? undefined : ["checksum.name", { meant }];
    test(`${name}: ${meant ?? "it is read"}`, () => assert.deepEqual(said(name), expected));
  }

  test("a checksum file without its archive", () => {
    const meant = (file: string) => strayChecksum(file, [ZIP, "other"])?.params;
    assert.deepEqual(meant("a/fusion-collectors-1.2.3.sha256"), { meant: `${ZIP}.sha256` });
    assert.equal(meant(`${ZIP}.sha256`), undefined);
    assert.equal(meant("other.sha256"), undefined);
    assert.equal(meant("another.sha256"), undefined);
  });
});
