import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Package } from "../../src/packages/package.ts";
import { readFiles } from "../../src/packages/read.ts";
import { checkSignatures } from "../../src/reconcile/checks.ts";
import { parseKeys } from "../../src/sshsig.ts";
import { listVolume } from "../../src/volume/list.ts";
import { Signatures } from "../../src/volume/signatures.ts";
import { buildArchive } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { reasonsIn } from "../support/reasons.ts";
import { scanInProcess } from "../support/scan.ts";
import { type SigningPair, signFolder, signingKey, sshSignature } from "../support/sign.ts";
import { volume } from "../support/volume.ts";

const KEY = signingKey();
const LINUX = "controller/fusion-collectors-linux-amd64.zip";
const PROBE = "opentelemetry-python-wheels.tar.gz";

/** A signed volume: an archive in a folder, VERSION files, programs in slots, an APM probe. */
const signed = tempDir("signed");
after(() => signed.remove());
before(async () => {
  for (const folder of ["controller", "collector/linux/packetbeat", "collector/linux/_internal"])
    mkdirSync(join(signed.path, folder), { recursive: true });
  for (const archive of [LINUX, PROBE])
    await buildArchive(join(signed.path, archive), { payloadBytes: 1000 });
  writeFileSync(join(signed.path, "controller/VERSION"), "LINUX_SIDECAR_VERSION=1.2.3\n");
  for (const program of ["telegraf", "ansible-executor", "packetbeat/packetbeat"])
    writeFileSync(join(signed.path, "collector/linux", program), "#!/bin/sh\n", { mode: 0o755 });
  for (const file of ["_internal/libpython.so", "_internal/base.zip", "packetbeat/packetbeat.yml"])
    writeFileSync(join(signed.path, "collector/linux", file), `${file}\n`);
  signFolder(signed.path, KEY);
});

/** Scans a copy of the signed volume that `change` has changed. */
async function scanSigned(
  change: (dir: string) => void = () => {},
  { keys = KEY.line, env = {} }: { keys?: string; env?: Record<string, string> } = {},
) {
  await using on = await volume({});
  await using other = await volume({ keys });
  cpSync(signed.path, on.dir, { recursive: true });
  change(on.dir);
  const settings = { PACKAGES_DIR: on.dir, WAIT_TIMEOUT: "0", VERIFY_KEY_FILE: join(other.dir, "keys") };
  const report = await scanInProcess([], { ...settings, ...env });
  return {
    report,
    found: [...reasonsIn({ report, events: [] })].filter((one) => /^(?:sig|check|conf)/.test(one)),
  };
}

/** Flips one bit, by default in the middle. */
const flip = (path: string, offset?: number) => {
  const bytes = readFileSync(path);
  const at = offset ?? bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
};
const resign = (dir: string, key: SigningPair, options = {}) =>
  writeFileSync(
    join(dir, "SHA256SUMS.sig"),
    sshSignature(readFileSync(join(dir, "SHA256SUMS")), key, options),
  );

test("a signed volume is accepted, with lists of one key or several", async () => {
  const { report } = await scanSigned();
  assert.equal(report.outcome, "ok", JSON.stringify(report.error));
  assert.ok(report.packages.some(({ object, version }) => object === "Controller" && version === "1.2.3"));
  for (const { source } of report.packages)
    assert.match(source.signedBy ?? "", /^SHA256:\S+ release@example\.com$/);
  const others = `${signingKey("old").line}release ${KEY.line}`;
  assert.equal((await scanSigned(undefined, { keys: others })).report.outcome, "ok");
});

test("a VERSION file of any length counts with its whole content", async () => {
  const long = (dir: string) => {
    appendFileSync(join(dir, "controller/VERSION"), `${"#".repeat(5000)}\n`);
    signFolder(dir, KEY);
  };
  const { report } = await scanSigned(long);
  assert.equal(report.outcome, "ok", JSON.stringify(report.error));
  const changed = await scanSigned((dir) => {
    long(dir);
    appendFileSync(join(dir, "controller/VERSION"), "#");
  });
  assert.ok(changed.found.includes("checksum.mismatch"), String(changed.found));
});

test("a list without a signature says nothing of files that are not there", async () => {
  await using on = await volume({});
  await using other = await volume({ keys: KEY.line });
  mkdirSync(join(on.dir, "controller"));
  await buildArchive(join(on.dir, LINUX), { payloadBytes: 1000 });
  signFolder(join(on.dir, "controller"), KEY);
  writeFileSync(join(on.dir, "SHA256SUMS"), `${"0".repeat(64)}  VERSION\n`);
  const env = { PACKAGES_DIR: on.dir, WAIT_TIMEOUT: "0", VERIFY_KEY_FILE: join(other.dir, "keys") };
  const report = await scanInProcess([], env);
  assert.equal(report.outcome, "ok", JSON.stringify(report.error));
  writeFileSync(join(on.dir, "VERSION"), "1.2.3\n");
  assert.equal((await scanInProcess([], env)).error?.reason, "signature.missing");
});

test("a list of 20,000 files is read", async () => {
  const { report } = await scanSigned((dir) => {
    const digest = "0".repeat(64);
    const lines = Array.from({ length: 20_000 }, (_, index) => `${digest}  ./other/library-${index}.so\n`);
    appendFileSync(join(dir, "SHA256SUMS"), lines.join(""));
    resign(dir, KEY);
  });
  assert.equal(report.outcome, "ok", JSON.stringify(report.error));
});

describe("under VERIFY_KEY_FILE nothing else is", () => {
  const cases: Record<string, [change: (dir: string) => void, reason: string]> = {
    "one byte of an archive": [(dir) => flip(join(dir, LINUX)), "checksum.mismatch"],
    "one byte of an APM probe": [(dir) => flip(join(dir, PROBE), 4), "checksum.mismatch"],
    "one byte of a program in a slot": [
      (dir) => appendFileSync(join(dir, "collector/linux/telegraf"), "x"),
      "checksum.mismatch",
    ],
    "one byte of VERSION": [(dir) => flip(join(dir, "controller/VERSION"), 24), "checksum.mismatch"],
    "VERSION removed": [(dir) => rmSync(join(dir, "controller/VERSION")), "signature.invalid"],
    "a folder in place of VERSION": [
      (dir) => {
        rmSync(join(dir, "controller/VERSION"));
        mkdirSync(join(dir, "controller/VERSION"));
      },
      "signature.invalid",
    ],
    "a dangling link in place of VERSION": [
      (dir) => {
        rmSync(join(dir, "controller/VERSION"));
        symlinkSync("nothing", join(dir, "controller/VERSION"));
      },
      "signature.invalid",
    ],
    "a file removed from a collector's folder": [
      (dir) => rmSync(join(dir, "collector/linux/packetbeat/packetbeat.yml")),
      "signature.invalid",
    ],
    "a file added to a collector's folder": [
      (dir) => writeFileSync(join(dir, "collector/linux/packetbeat/extra.yml"), "x"),
      "signature.unlisted",
    ],
    "a file removed from a program's libraries": [
      (dir) => rmSync(join(dir, "collector/linux/_internal/libpython.so")),
      "signature.invalid",
    ],
    "a program's libraries removed": [
      (dir) => rmSync(join(dir, "collector/linux/_internal"), { recursive: true }),
      "signature.invalid",
    ],
    "the libraries of a program that packages.json declares removed": [
      (dir) => {
        const declared = {
          file: "collector/linux/ansible-executor",
          type: "collector",
          object: "Ansible-Executor",
        };
        writeFileSync(join(dir, "packages.json"), JSON.stringify({ packages: [declared] }));
        signFolder(dir, KEY);
        rmSync(join(dir, "collector/linux/_internal"), { recursive: true });
      },
      "signature.invalid",
    ],
    "a file in place of a program's libraries": [
      (dir) => {
        rmSync(join(dir, "collector/linux/_internal"), { recursive: true });
        writeFileSync(join(dir, "collector/linux/_internal"), "x");
      },
      "signature.invalid",
    ],
    "a byte of a program's libraries": [
      (dir) => appendFileSync(join(dir, "collector/linux/_internal/base.zip"), "x"),
      "checksum.mismatch",
    ],
    "a packages.json added": [
      (dir) => writeFileSync(join(dir, "packages.json"), '{"packages": []}'),
      "signature.unlisted",
    ],
    "the list": [(dir) => flip(join(dir, "SHA256SUMS"), 0), "signature.invalid"],
    "a list that fits a changed file": [
      (dir) => {
        const signature = readFileSync(join(dir, "SHA256SUMS.sig"));
        flip(join(dir, LINUX));
        signFolder(dir, signingKey());
        writeFileSync(join(dir, "SHA256SUMS.sig"), signature);
      },
      "signature.invalid",
    ],
    "the signature": [(dir) => flip(join(dir, "SHA256SUMS.sig"), 100), "signature.invalid"],
    "another key": [(dir) => resign(dir, signingKey()), "signature.key"],
    "another namespace": [(dir) => resign(dir, KEY, { namespace: "git" }), "signature.invalid"],
    "no signature": [(dir) => rmSync(join(dir, "SHA256SUMS.sig")), "signature.missing"],
    "no list, but NAME.sha256": [
      (dir) => {
        const line = readFileSync(join(dir, "SHA256SUMS"), "utf8")
          .split("\n")
          .find((one) => one.includes(LINUX));
        writeFileSync(join(dir, `${LINUX}.sha256`), `${line?.slice(0, 64)}\n`);
        for (const name of ["SHA256SUMS", "SHA256SUMS.sig"]) rmSync(join(dir, name));
      },
      "signature.missing",
    ],
    "an archive that is not listed": [
      (dir) => renameSync(join(dir, LINUX), join(dir, "fusion-collectors-linux-amd64.zip")),
      "signature.unlisted",
    ],
    "an unsigned list nearer than the signed one": [
      (dir) => writeFileSync(join(dir, "controller/SHA256SUMS"), readFileSync(join(dir, "SHA256SUMS"))),
      "signature.missing",
    ],
  };
  for (const [name, [change, reason]] of Object.entries(cases)) {
    test(name, async () => {
      const { report, found } = await scanSigned(change);
      assert.equal(report.exitCode, 65, JSON.stringify(report.error));
      assert.ok(found.includes(reason), `${found} instead of ${reason}`);
      // Without the setting only a checksum counts.
      const without = await scanSigned(change, { env: { VERIFY_KEY_FILE: "" } });
      assert.ok(!without.found.some((one) => one.startsWith("signature.")), String(without.found));
    });
  }

  test("two files of one name, exchanged between their folders", async () => {
    const exchange = (dir: string) => {
      const names = ["a", "b"].map((folder) => join(dir, folder, "fusion-collectors-1.0.0.tar.gz"));
      const [first = "", second = ""] = names;
      renameSync(first, `${first}.part`);
      renameSync(second, first);
      renameSync(`${first}.part`, second);
    };
    await using on = await volume({});
    await using other = await volume({ keys: KEY.line });
    for (const folder of ["a", "b"]) {
      mkdirSync(join(on.dir, folder));
      const path = join(on.dir, folder, "fusion-collectors-1.0.0.tar.gz");
      await buildArchive(path, { payloadBytes: folder === "a" ? 1000 : 2000 });
    }
    signFolder(on.dir, KEY);
    exchange(on.dir);
    const env = { PACKAGES_DIR: on.dir, WAIT_TIMEOUT: "0", VERIFY_KEY_FILE: join(other.dir, "keys") };
    const found = [...reasonsIn({ report: await scanInProcess([], env), events: [] })];
    assert.ok(found.includes("checksum.mismatch"), String(found));
  });
});

describe("a key file that cannot be used is exit 78", () => {
  const cases: Record<string, [keys: string, reason: string]> = {
    empty: ["# none\n", "config.keys.empty"],
    "an RSA key": ["ssh-rsa AAAAB3NzaC1yc2E= me\n", "config.keys.line"],
    "an option that is not obeyed": [`release cert-authority ${KEY.line}`, "config.keys.line"],
  };
  for (const [name, [keys, reason]] of Object.entries(cases)) {
    test(name, async () => {
      const { report } = await scanSigned(undefined, { keys });
      assert.deepEqual([report.exitCode, report.error?.reason], [78, reason]);
    });
  }

  test("in PACKAGES_DIR, whether the file or a link that leads to it", async () => {
    await using on = await volume({ keys: KEY.line });
    await using other = await volume({ keys: KEY.line });
    symlinkSync(join(on.dir, "keys"), join(other.dir, "inside"));
    symlinkSync(join(other.dir, "keys"), join(on.dir, "outside"));
    symlinkSync(join(on.dir, "outside"), join(other.dir, "through"));
    symlinkSync(on.dir, join(other.dir, "packages"));
    const places = [
      join(on.dir, "keys"),
      join(on.dir, "outside"),
      ...["inside", "through", "packages/keys"].map((one) => join(other.dir, one)),
    ];
    for (const PACKAGES_DIR of [on.dir, join(other.dir, "packages")]) {
      for (const path of places) {
        const env = { PACKAGES_DIR, VERIFY_KEY_FILE: path };
        assert.equal((await scanInProcess([], env)).error?.reason, "config.keys.inside", path);
      }
    }
    symlinkSync("keys", join(other.dir, "elsewhere"));
    const env = { PACKAGES_DIR: on.dir, VERIFY_KEY_FILE: join(other.dir, "elsewhere") };
    assert.notEqual((await scanInProcess([], env)).exitCode, 78);
  });

  test("the null device counts as not set, a missing file does not", async () => {
    const unsigned = (dir: string) => rmSync(join(dir, "SHA256SUMS.sig"));
    const none = await scanSigned(unsigned, { env: { VERIFY_KEY_FILE: "/dev/null" } });
    assert.equal(none.report.outcome, "ok");
    const missing = await scanSigned(unsigned, { env: { VERIFY_KEY_FILE: "/no/such/keys" } });
    assert.deepEqual([missing.report.exitCode, missing.report.error?.reason], [78, "config.file.missing"]);
  });
});

test("the bytes that were sent are compared, not those of the scan", async () => {
  await using on = await volume({});
  const path = join(on.dir, "fusion-collectors-1.0.0.tar.gz");
  await buildArchive(path, { payloadBytes: 1000 });
  signFolder(on.dir, KEY);
  const signatures = new Signatures(parseKeys(KEY.line).keys);
  const { files } = await listVolume(on.dir);
  const { archives, problems } = await readFiles(files, { signatures });
  assert.deepEqual(problems, []);
  const [archive] = archives;
  assert.ok(archive);
  const direct = { archive } as Package;
  const derived = { archive, derived: { kind: "repacked" } } as unknown as Package;
  const sent = (sha256: string) => new Map([[archive.file, sha256]]);
  for (const pkg of [direct, derived]) {
    await checkSignatures([pkg], sent(archive.digests.files.get(archive.file) ?? ""), signatures);
    await assert.rejects(checkSignatures([pkg], sent("0".repeat(64)), signatures), {
      reason: "checksum.mismatch",
    });
    await assert.rejects(checkSignatures([pkg], new Map(), signatures), /no digest/);
  }
});
