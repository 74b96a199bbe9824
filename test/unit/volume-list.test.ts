import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, link, mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { JobError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import { findFile, type Ignored, listVolume } from "../../src/volume/list.ts";
import { readManifest } from "../../src/volume/manifest.ts";
import { elfHeader } from "../support/binaries.ts";
import { volume } from "../support/volume.ts";

const names = (ignored: readonly Ignored[]) => ignored.map(({ file }) => file);

describe("what is on the volume", () => {
  test("archives up to four folders deep, by path; everything else is left alone", async () => {
    await using on = await volume({
      "fusion-collectors-windows-amd64.zip": "1234",
      "controller/fusion-collectors-linux-amd64.zip": "123",
      "a/b/c/fusion-collectors.tgz": "",
      "a/b/c/d/fusion-collectors.tgz": "",
      "a/b/c/d/e/fusion-collectors.tgz": "",
      "fusion-collectors.zip.part": "",
      "fusion-collectors.zip.tmp": "",
      ".fusion-collectors.zip": "",
      ".hidden/fusion-collectors.zip": "",
      "lost+found/fusion-collectors.zip": "",
      "README.md": "",
      SHA256SUMS: "",
      "fusion-collectors-windows-amd64.zip.sha256": "",
      "other.sha256": "",
    });
    const { files, ignored, warnings } = await listVolume(on.dir);
    assert.deepEqual(warnings, [
      { file: "a/b/c/d/e/fusion-collectors.tgz", reason: "volume.near.deep", params: { depth: 4 } },
    ]);
    assert.deepEqual(files, [
      {
        file: "a/b/c/d/fusion-collectors.tgz",
        path: on.path("a/b/c/d/fusion-collectors.tgz"),
        root: on.dir,
        name: "fusion-collectors.tgz",
        size: 0,
      },
      {
        file: "a/b/c/fusion-collectors.tgz",
        path: on.path("a/b/c/fusion-collectors.tgz"),
        root: on.dir,
        name: "fusion-collectors.tgz",
        size: 0,
      },
      {
        file: "controller/fusion-collectors-linux-amd64.zip",
        path: on.path("controller/fusion-collectors-linux-amd64.zip"),
        root: on.dir,
        name: "fusion-collectors-linux-amd64.zip",
        size: 3,
      },
      {
        file: "fusion-collectors-windows-amd64.zip",
        path: on.path("fusion-collectors-windows-amd64.zip"),
        root: on.dir,
        name: "fusion-collectors-windows-amd64.zip",
        size: 4,
      },
    ]);
    assert.deepEqual(names(ignored), ["README.md", "a/b/c/d/e"]);
  });

  test("what has a name or a place of its own counts too, and a VERSION file belongs to what lies beside it", async () => {
    await using on = await volume({
      "pkgs/controller/VERSION": "1.0.0",
      "pkgs/controller/linux/bklite-controller-installer": "",
      "Bklite-Controller-Bootstrap.EXE": "",
      "apm/opentelemetry-javaagent.jar": "",
      "collector/linux/telegraf": "",
      "collector/linux/telegraf.part": "",
      "collector/linux/arm64/vector": "",
      "collector/windows/filebeat/filebeat.exe": "",
      "collector/darwin/telegraf": elfHeader(62),
      "collector/telegraf": elfHeader(62),
      "bklite-controller-installer-linux-arm64": "",
      "opentelemetry-javagent.jar": "",
      "fusion-colectors-1.2.3.zip": "",
    });
    const { files, ignored, warnings } = await listVolume(on.dir);
    const said = files.map(({ file, slot, isFolder }) => [file, slot ?? null, isFolder ?? false]);
    assert.deepEqual(said, [
      ["Bklite-Controller-Bootstrap.EXE", null, false],
      ["apm/opentelemetry-javaagent.jar", null, false],
      ["collector/linux/arm64/vector", { os: "linux", arch: "arm64" }, false],
      ["collector/linux/telegraf", { os: "linux" }, false],
      ["collector/windows/filebeat", { os: "windows" }, true],
      ["pkgs/controller/linux/bklite-controller-installer", null, false],
    ]);
    assert.deepEqual(names(ignored), [
      "bklite-controller-installer-linux-arm64",
      "collector/darwin/telegraf",
      "collector/telegraf",
      "fusion-colectors-1.2.3.zip",
      "opentelemetry-javagent.jar",
    ]);
    assert.deepEqual(
      warnings.map(({ file, reason, params }) => [file, reason, params]),
      [
        [
          "bklite-controller-installer-linux-arm64",
          "volume.near.name",
          { meant: "bklite-controller-installer" },
        ],
        ["collector/darwin/telegraf", "collector.place", {}],
        ["collector/telegraf", "collector.place", {}],
        ["fusion-colectors-1.2.3.zip", "volume.near.name", { meant: "fusion-collectors-1.2.3.zip" }],
        ["opentelemetry-javagent.jar", "volume.near.name", { meant: "opentelemetry-javaagent.jar" }],
      ],
    );
  });

  test("links count if they end at a regular file; folders, FIFOs and sockets with an archive's name do not", async () => {
    await using on = await volume({ "real.bin": "123456", "folder/fusion-collectors-deep.zip": "" });
    await symlink("real.bin", on.path("fusion-collectors-link.zip"));
    await symlink("fusion-collectors-link.zip", on.path("fusion-collectors-link-to-link.zip"));
    await link(on.path("real.bin"), on.path("fusion-collectors-hard.zip"));
    await symlink("nowhere", on.path("fusion-collectors-dangling.zip"));
    await symlink("fusion-collectors-loop.zip", on.path("fusion-collectors-loop.zip"));
    await symlink("folder", on.path("fusion-collectors-folder-link.zip"));
    await mkdir(on.path("fusion-collectors-folder.zip"));
    execFileSync("mkfifo", [on.path("fusion-collectors-fifo.zip")]);
    const server = createServer().listen(on.path("fusion-collectors-socket.zip"));
    try {
      const { files, ignored } = await listVolume(on.dir);
      assert.deepEqual(
        files.map(({ file, size }) => [file, size]),
        [
          ["folder/fusion-collectors-deep.zip", 0],
          ["fusion-collectors-hard.zip", 6],
          ["fusion-collectors-link-to-link.zip", 6],
          ["fusion-collectors-link.zip", 6],
        ],
      );
      assert.deepEqual(names(ignored), [
        "fusion-collectors-dangling.zip",
        "fusion-collectors-fifo.zip",
        "fusion-collectors-folder-link.zip",
        "fusion-collectors-loop.zip",
        "fusion-collectors-socket.zip",
        "real.bin",
      ]);
    } finally {
      server.close();
    }
  });

  test("an empty volume is an empty list", async () => {
    await using on = await volume();
    assert.deepEqual(await listVolume(on.dir), { files: [], ignored: [], warnings: [], others: [] });
  });

  test("system folders and unfinished downloads are ignored, whatever their capitals, and never entered", async (t) => {
    const uid = 65532;
    if (process.getuid?.() === 0) process.seteuid?.(uid);
    t.after(() => process.seteuid?.(process.getuid?.() ?? 0));
    const folders = [
      ...["$RECYCLE.BIN", "$Recycle.Bin", "RECYCLER", "System Volume Information", "@eaDir", "#recycle"],
      ...[
        "#snapshot",
        "~snapshot",
        "@GMT-2026.01.01-00.00.00",
        "@Recycle",
        "@Recently-Snapshot",
        "lost+found",
      ],
      ...["_gsdata_", "FOUND.000", ".snapshot"],
    ];
    const endings = [
      ...[".part", ".tmp", ".crdownload", ".aria2", ".td", ".xltd", ".downloading", ".!qB", ".!ut"],
      ...[".baiduyun.p.downloading", ".td.cfg", ":Zone.Identifier"],
    ];
    const zip = "fusion-collectors.zip";
    await using on = await volume(Object.fromEntries(endings.map((end) => [`${zip}${end}`, ""])));
    for (const folder of folders) {
      for (const at of [folder, `pkgs/${folder}`, `collector/linux/${folder}`]) {
        await mkdir(on.path(at), { recursive: true });
        await writeFile(on.path(`${at}/${zip}`), "");
        await chmod(on.path(at), 0);
      }
    }
    try {
      const { files, ignored, warnings } = await listVolume(on.dir);
      assert.deepEqual({ files, ignored, warnings }, { files: [], ignored: [], warnings: [] });
    } finally {
      for (const folder of folders)
        for (const at of [folder, `pkgs/${folder}`, `collector/linux/${folder}`])
          await chmod(on.path(at), 0o700);
    }
  });

  test("a name that is not UTF-8 is GBK, or has _ for each byte", async () => {
    await using on = await volume();
    const write = (name: string) =>
      writeFile(Buffer.concat([Buffer.from(`${on.dir}/`), Buffer.from(name, "latin1")]), "x");
    await write("fusion-collectors-1.0.0 - \xb8\xb1\xb1\xbe.zip");
    await write("fusion-collectors-2.0.0-\xff\xc3\xa9\xfe.zip");
    await write("\xcb\xb5\xc3\xf7.txt");
    await mkdir(Buffer.concat([Buffer.from(`${on.dir}/`), Buffer.from("b1b8b7dd", "hex")]));
    const { files, ignored } = await listVolume(on.dir);
    assert.deepEqual(
      files.map(({ file, bytes }) => [file, bytes]),
      [
        ["fusion-collectors-1.0.0 - 副本.zip", "fusion-collectors-1.0.0 - \\xb8\\xb1\\xb1\\xbe.zip"],
        ["fusion-collectors-2.0.0-_é_.zip", "fusion-collectors-2.0.0-\\xff\\xc3\\xa9\\xfe.zip"],
      ],
    );
    assert.deepEqual(ignored, [{ file: "说明.txt", bytes: "\\xcb\\xb5\\xc3\\xf7.txt" }]);
  });

  test("a file whose name is not UTF-8 is found as it is shown, and as its bytes come from a shell", async () => {
    await using on = await volume();
    const folder = Buffer.concat([Buffer.from(`${on.dir}/`), Buffer.from("b1b8b7dd", "hex")]);
    await mkdir(folder);
    const raw = Buffer.concat([Buffer.from("a - "), Buffer.from("b8b1b1be", "hex"), Buffer.from(".zip")]);
    await writeFile(Buffer.concat([folder, Buffer.from("/"), raw]), "abc");
    const shown = "备份/a - 副本.zip";
    const entry = { packages: [{ file: shown, version: "3.0.0" }] };
    await writeFile(on.path("packages.json"), JSON.stringify(entry));
    const typed = `${Buffer.from("b1b8b7dd", "hex")}/${raw}`;
    const bytes = "a - \\xb8\\xb1\\xb1\\xbe.zip";
    for (const path of [on.path(shown), on.path(typed)]) {
      const found = await findFile(path, on.dir, {});
      assert.deepEqual([found.name, found.bytes, found.size], ["a - 副本.zip", bytes, 3]);
    }
    await assert.rejects(findFile(on.path("备份/b.zip"), on.dir, {}), { reason: "file.missing" });
    const manifest = await readManifest(on.dir);
    assert.deepEqual(
      manifest?.files.map((one) => [one.file, one.name, one.bytes, one.size]),
      [[shown, "a - 副本.zip", bytes, 3]],
    );
  });

  test("a volume that is not there, or is a file, is exit 66 and named", async () => {
    await using on = await volume({ file: "" });
    for (const path of [on.path("missing"), on.path("file")]) {
      await assert.rejects(listVolume(path), (error: unknown) => {
        assert.ok(error instanceof JobError);
        assert.equal(error.code, EXIT.noInput);
        assert.ok(error.message.includes(path));
        assert.match(error.hint, /PACKAGES_DIR/);
        return true;
      });
    }
  });

  test("a folder that may not be read is exit 66 and named", async (t) => {
    // root may read everything, so the operating system is asked as somebody else
    const uid = 65532;
    if (process.getuid?.() === 0) process.seteuid?.(uid);
    t.after(() => process.seteuid?.(process.getuid?.() ?? 0));
    await using on = await volume({ "closed/fusion-collectors.zip": "" });
    await chmod(on.path("closed"), 0);
    try {
      await assert.rejects(listVolume(on.dir), (error: unknown) => {
        assert.ok(error instanceof JobError);
        assert.equal(error.code, EXIT.noInput);
        assert.ok(error.message.includes(on.path("closed")));
        assert.equal(error.reason, "volume.denied");
        assert.match(error.message, /permission denied/);
        assert.match(error.hint, /readable/);
        return true;
      });
    } finally {
      await chmod(on.path("closed"), 0o700);
    }
  });
});
