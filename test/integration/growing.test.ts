import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { binaryHeader } from "../support/binaries.ts";
import { rawZip } from "../support/raw-zip.ts";
import { ARCHIVE, explain, sha256, useServers } from "../support/site.ts";

const servers = useServers();
const PROGRAM = Buffer.concat([binaryHeader("linux", "x86_64"), Buffer.from("of which the end comes last")]);
const FOLDER = "collector/linux/filebeat/filebeat";
const ZIPPED = rawZip([{ name: "filebeat/filebeat", data: PROGRAM, mode: 0o100755 }]);

/** A file as it is when the run begins, and what it is a moment later. */
const WRITTEN: [
  what: string,
  file: string,
  first: string | Buffer,
  then: (sum: string) => string | Buffer,
][] = [
  ["an archive's checksum", `${ARCHIVE}.sha256`, "", (sum) => `${sum}  ${ARCHIVE}\n`],
  [
    "a list of checksums, cut within a digest",
    "SHA256SUMS",
    "0123456789abcdef",
    (sum) => `${sum}  ${ARCHIVE}\n`,
  ],
  ["packages.json", "packages.json", '{"packages": [', () => '{"packages": []}'],
  ["a program in a collector's folder", FOLDER, PROGRAM.subarray(0, 100), () => PROGRAM],
  ["one of which nothing is there yet", FOLDER, "", () => PROGRAM],
  ["a collector's zip", "collector/linux/filebeat.zip", ZIPPED.subarray(0, 90), () => ZIPPED],
  [
    "an installer, in room that was reserved for it",
    "bklite-controller-installer",
    Buffer.alloc(PROGRAM.length),
    () => PROGRAM,
  ],
];

describe("the job waits for what is still being written", { concurrency: 2 }, () => {
  for (const [what, file, first, then] of WRITTEN) {
    test(what, async () => {
      const site = await servers.site({ state: "C" });
      const archive = await site.archive(ARCHIVE);
      if (file === FOLDER) site.put(`${dirname(FOLDER)}/filebeat.yml`, "a: b\n");
      site.put(file, first);
      const job = site.start();
      await sleep(1500);
      site.put(file, then(await sha256(archive)));
      const run = await job.done;
      assert.equal(run.code, 0, explain(run));
      assert.ok(!run.report?.warnings.some(({ reason }) => reason.startsWith("checksum.")), explain(run));
    });
  }

  test("and is exit 74 where a program in a folder does not come to its end", async () => {
    const site = await servers.site({ state: "C" });
    site.put(FOLDER, PROGRAM.subarray(0, 100));
    const run = await site.run([], { WAIT_TIMEOUT: "2" });
    assert.equal(run.code, 74, explain(run));
    assert.equal(run.report?.error?.reason, "file.growing");
    assert.match(run.report?.error?.message ?? "", /collector\/linux\/filebeat\/filebeat/);
  });
});

describe("a link that leads nowhere", { concurrency: 2 }, () => {
  for (const [name, reason] of [
    ["packages.json", "manifest.irregular"],
    ["SHA256SUMS", "checksum.irregular"],
    [`${ARCHIVE}.sha256`, "checksum.irregular"],
  ] as const) {
    for (const target of ["nowhere", name, "x".repeat(300)]) {
      test(`for ${name} is exit 65, for it was meant: ${target.slice(0, 30)}`, async () => {
        const site = await servers.site({ state: "C" });
        await site.archive(ARCHIVE);
        await symlink(target, join(site.volume, name));
        const run = await site.run();
        assert.equal(run.code, 65, explain(run));
        assert.equal(run.report?.error?.reason, reason);
      });
    }
  }

  test("for an archive is a warning, whatever its target, and for the volume exit 66", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive(ARCHIVE);
    for (const [version, target] of [
      ["2.0.0", "nowhere"],
      ["3.0.0", "x".repeat(300)],
    ] as const)
      await symlink(target, join(site.volume, `fusion-collectors-${version}.zip`));
    await symlink("loop", join(site.volume, "loop"));
    const run = await site.ok();
    assert.equal(run.report?.warnings.filter(({ reason }) => reason === "volume.near.link").length, 2);
    const volume = await site.run([], { PACKAGES_DIR: join(site.volume, "loop") });
    assert.equal(volume.code, 66, explain(volume));
  });
});
