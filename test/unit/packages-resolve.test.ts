import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EXIT } from "../../src/exit.ts";
import type { CollectorDefinition, ResolveOptions } from "../../src/packages/package.ts";
import { resolvePackages } from "../../src/packages/resolve.ts";
import { type ArchiveOptions, buildArchive } from "../support/archives.ts";
import { binaryHeader, elfHeader } from "../support/binaries.ts";
import { problemOf, problemsOf, scan, volume } from "../support/volume.ts";

const LINUX = "fusion-collectors-linux-amd64.zip";

const DEFAULTS: ResolveOptions = { options: {}, collectors: "auto", definitions: [], archColumn: false };

/** Builds the archives, and resolves them as a run with these settings does. */
async function resolve(archives: Record<string, ArchiveOptions>, wanted: Partial<ResolveOptions> = {}) {
  await using on = await volume();
  for (const [file, options] of Object.entries(archives)) await buildArchive(on.path(file), options);
  return await resolvePackages(await scan(on.dir), { ...DEFAULTS, ...wanted });
}

/** os, arch, object, version of everything that comes out. */
async function identities(archives: Record<string, ArchiveOptions>, wanted: Partial<ResolveOptions> = {}) {
  const { packages, collectors } = await resolve(archives, wanted);
  return [...packages, ...collectors].map(
    ({ os, arch, object, version }) => `${os} ${arch} ${object} ${version}`,
  );
}

async function objects(options: ArchiveOptions, wanted: Partial<ResolveOptions> = {}, file = LINUX) {
  const { collectors } = await resolve({ [file]: options }, wanted);
  return collectors.map(({ object, executable }) => `${object} ${executable}`);
}

describe("a package's identity", () => {
  test("the guide's archive gives the guide's rows", async () => {
    const { packages, collectors } = await resolve({ [LINUX]: {} });
    const rows = [...packages, ...collectors].map(({ archive, ...row }) => ({ ...row, file: archive.file }));
    const shared = { os: "linux", arch: "x86_64", version: "1.0.0", name: LINUX, file: LINUX };
    assert.deepEqual(rows, [
      { type: "controller", object: "Controller", description: "", ...shared },
      { type: "collector", object: "Telegraf", executable: "bin/telegraf", ...shared },
      { type: "collector", object: "Vector", executable: "bin/vector", ...shared },
      { type: "collector", object: "NATS-Executor", executable: "bin/nats-executor", ...shared },
    ]);
  });

  const VERSION = 'export LINUX_SIDECAR_VERSION="v1.1.0"\r\nWINDOWS_SIDECAR_VERSION=1.2.0\n';
  const PRECEDENCE: [
    what: string,
    file: string,
    archive: ArchiveOptions,
    wanted: Partial<ResolveOptions>,
    version: string,
  ][] = [
    ["nothing says a version", "fusion-collectors.zip", {}, {}, "1.0.0"],
    ["VERSION, bare", "fusion-collectors.zip", { version: "\ufeff2.0.1\n" }, {}, "2.0.1"],
    ["VERSION, with a v and a suffix", "fusion-collectors.tgz", { version: "v2.0.1-rc1" }, {}, "2.0.1-rc1"],
    ["VERSION: latest", "fusion-collectors.zip", { version: "latest\n" }, {}, "latest"],
    ["VERSION, linux's line", "fusion-collectors.zip", { version: VERSION }, {}, "1.1.0"],
    [
      "VERSION, windows's line",
      "fusion-collectors-windows.zip",
      { os: "windows", version: VERSION },
      {},
      "1.2.0",
    ],
    ["VERSION without a version", "fusion-collectors.zip", { version: "unknown\n# 3.0.0\n" }, {}, "1.0.0"],
    [
      "VERSION and PACKAGE_VERSION",
      "fusion-collectors.zip",
      { version: "2.0.1" },
      { packageVersion: "3.0.0" },
      "3.0.0",
    ],
    [
      "a name and PACKAGE_VERSION",
      "fusion-collectors-4.0.0.zip",
      { version: "2.0.1" },
      { packageVersion: "3.0.0" },
      "4.0.0",
    ],
    [
      "a name and the command line",
      "fusion-collectors-4.0.0.tar.gz",
      { version: "2.0.1" },
      { packageVersion: "3.0.0", options: { version: "5.0.0" } },
      "5.0.0",
    ],
  ];
  for (const [what, file, archive, wanted, version] of PRECEDENCE) {
    test(`version: ${what}`, async () => {
      const { packages, collectors } = await resolve({ [file]: archive }, wanted);
      assert.ok(collectors.length > 0);
      for (const one of [...packages, ...collectors]) assert.equal(one.version, version);
    });
  }

  test("version: the nearest VERSION file beside or above that has a line for the os, after the archive's own", async () => {
    await using on = await volume({
      "controller/VERSION": VERSION,
      VERSION: "9.0.0\n",
      "controller/near/VERSION": "WINDOWS_SIDECAR_VERSION=v1.9.0\n",
    });
    const at = (name: string) => on.path(`controller/${name}`);
    await buildArchive(at("fusion-collectors-linux-amd64.zip"), {});
    await buildArchive(at("fusion-collectors-windows-amd64.zip"), { os: "windows" });
    await buildArchive(at("fusion-collectors-linux-arm64.zip"), { arch: "arm64", version: "7.0.0" });
    await buildArchive(at("near/fusion-collectors-windows-amd64.zip"), { os: "windows" });
    await buildArchive(at("near/by/fusion-collectors-linux-amd64.zip"), {});
    await buildArchive(on.path("fusion-collectors-linux-arm64.zip"), { arch: "arm64" });
    const { packages } = await resolvePackages(await scan(on.dir), { ...DEFAULTS, archColumn: true });
    assert.deepEqual(
      packages.map(({ archive, version }) => `${archive.file} ${version}`),
      [
        "controller/fusion-collectors-linux-amd64.zip 1.1.0",
        "controller/fusion-collectors-linux-arm64.zip 7.0.0",
        "controller/fusion-collectors-windows-amd64.zip 1.2.0",
        "controller/near/by/fusion-collectors-linux-amd64.zip 1.1.0",
        "controller/near/fusion-collectors-windows-amd64.zip 1.9.0",
        "fusion-collectors-linux-arm64.zip 9.0.0",
      ],
    );
  });

  test("os and architecture from the name, else linux x86_64; the command line wins", async () => {
    const none = { collectors: "none" as const };
    assert.deepEqual(await identities({ "fusion-collectors-arm64.zip": { arch: "arm64" } }, none), [
      "linux arm64 Controller 1.0.0",
    ]);
    assert.deepEqual(await identities({ "fusion-collectors-windows.zip": { os: "windows" } }, none), [
      "windows x86_64 Controller 1.0.0",
    ]);
    const options = { os: "windows", arch: "arm64", object: "Agent" } as const;
    assert.deepEqual(await identities({ [LINUX]: { os: "windows", arch: "arm64" } }, { ...none, options }), [
      "windows arm64 Agent 1.0.0",
    ]);
  });
});

describe("two archives", () => {
  test("of different os's or versions are two packages", async () => {
    const archives = {
      "fusion-collectors-linux-amd64.zip": { collectors: [] },
      "fusion-collectors-windows-amd64.zip": { os: "windows", collectors: [] },
      "fusion-collectors-linux-amd64-2.0.0.zip": { collectors: [] },
    } as const;
    assert.equal((await identities(archives)).length, 3);
  });

  test("of one identity are rejected, each naming the other", async () => {
    const archives = { "a/fusion-collectors-linux-amd64.zip": {}, "b/fusion-collectors-1.0.0.tar.gz": {} };
    for (const [archColumn, identity] of [
      [false, "linux Controller 1.0.0"],
      [true, "linux x86_64 Controller 1.0.0"],
    ] as const) {
      const problems = await problemsOf(resolve(archives, { archColumn }));
      assert.deepEqual(
        problems.map(({ file, code, reason }) => [file, code, reason]),
        [
          [
            "a/fusion-collectors-linux-amd64.zip",
            EXIT.invalidPackage,
            `has the same identity as b/fusion-collectors-1.0.0.tar.gz: ${identity}`,
          ],
          [
            "b/fusion-collectors-1.0.0.tar.gz",
            EXIT.invalidPackage,
            `has the same identity as a/fusion-collectors-linux-amd64.zip: ${identity}`,
          ],
        ],
      );
    }
  });

  for (const standalone of [true, false]) {
    test(`with one collector in both and two objects are rejected, standalone ${standalone}`, async () => {
      await using on = await volume();
      const at = (name: string) => on.path(name);
      for (const name of ["fusion-collectors-1.0.0.zip", "fusion-collectors-b-1.0.0.zip"])
        await buildArchive(at(name), { collectors: ["telegraf"] });
      const archives = (await scan(on.dir)).map((archive, index) => ({
        ...archive,
        declared: { object: `Controller${index}` },
      }));
      const { problems } = await resolvePackages(archives, { ...DEFAULTS, archColumn: true, standalone });
      assert.deepEqual(
        problems.map(({ file, reason, params }) => [file, reason, (params as { identity: string }).identity]),
        [
          ["fusion-collectors-1.0.0.zip", "package.clash", "linux x86_64 Telegraf 1.0.0"],
          ["fusion-collectors-b-1.0.0.zip", "package.clash", "linux x86_64 Telegraf 1.0.0"],
        ],
      );
    });
  }

  test("of two architectures need a table that tells them apart", async () => {
    const archives = {
      "fusion-collectors-linux-amd64.zip": {},
      "fusion-collectors-linux-arm64.zip": { arch: "arm64" },
    } as const;
    assert.equal((await identities(archives, { archColumn: true })).length, 8);
    const problems = await problemsOf(resolve(archives, { archColumn: false }));
    assert.deepEqual(
      problems.map(({ file, reason }) => [file, reason.split(",")[0]]),
      [
        [
          "fusion-collectors-linux-amd64.zip",
          "is for x86_64 and fusion-collectors-linux-arm64.zip for arm64",
        ],
        [
          "fusion-collectors-linux-arm64.zip",
          "is for arm64 and fusion-collectors-linux-amd64.zip for x86_64",
        ],
      ],
    );
    assert.match(problems[0]?.hint ?? "", /cpu_architecture/);
  });
});

describe("the collectors in an archive", () => {
  const every = [
    "telegraf",
    "vector",
    "nats-executor",
    "metricbeat",
    "filebeat/filebeat",
    "packetbeat",
    "auditbeat/auditbeat",
    "ansible-executor",
    "jmx_jvm.jar",
    "kafka_exporter",
    "oracle_exporter",
    "unheard-of",
  ];
  const known = [
    "Telegraf bin/telegraf",
    "Vector bin/vector",
    "NATS-Executor bin/nats-executor",
    "Metricbeat bin/metricbeat",
    "Filebeat bin/filebeat/filebeat",
    "Packetbeat bin/packetbeat",
    "Auditbeat bin/auditbeat/auditbeat",
    "Ansible-Executor bin/ansible-executor",
    "JVM-JMX bin/jmx_jvm.jar",
    "Kafka-Exporter bin/kafka_exporter",
    "Oracle-Exporter bin/oracle_exporter",
  ];

  test("auto: those that are there, after the built-in table", async () => {
    assert.deepEqual(await objects({ collectors: every }), known);
    assert.deepEqual(await objects({ collectors: every }, {}, "fusion-collectors.tar.gz"), known);
    const onWindows = { os: "windows", collectors: [...every, "winlogbeat"] } as const;
    assert.deepEqual(
      await objects(onWindows, {}, "fusion-collectors-windows.zip"),
      known
        .toSpliced(known.indexOf("Ansible-Executor bin/ansible-executor"), 0, "Winlogbeat bin/winlogbeat")
        .map((one) => (one.endsWith(".jar") ? one : `${one}.exe`)),
    );
  });

  test("winlogbeat is Windows's alone, and case does not matter there", async () => {
    assert.deepEqual(await objects({ collectors: ["winlogbeat"] }), []);
    const files = [{ name: "bin/Telegraf.EXE", content: "MZ" }];
    assert.deepEqual(
      await objects({ os: "windows", collectors: [], entries: files }, {}, "fusion-collectors-windows.zip"),
      ["Telegraf bin/Telegraf.EXE"],
    );
    assert.deepEqual(await objects({ collectors: [], entries: [{ name: "bin/Telegraf", content: "" }] }), []);
  });

  test("auto: after the platform's own definitions for the os and architecture, where it has any", async () => {
    const definitions: CollectorDefinition[] = [
      { object: "My-Telegraf", os: "linux", arch: undefined, executable: "bin/telegraf" },
      { object: "My-Telegraf", os: "linux", arch: "x86_64", executable: "bin/vector" },
      { object: "Filebeat", os: "linux", arch: "x86_64", executable: "bin/filebeat" },
      { object: "Vector", os: "linux", arch: "arm64", executable: "bin/vector" },
      { object: "Sidecar", os: "linux", arch: undefined, executable: "" },
    ];
    const archive = { collectors: ["telegraf", "vector", "filebeat/filebeat"] };
    assert.deepEqual(await objects(archive, { definitions }), [
      "My-Telegraf bin/telegraf",
      "Filebeat bin/filebeat/filebeat",
    ]);
    const windows = definitions.map((one) => ({ ...one, os: "windows" as const }));
    assert.deepEqual(await objects({ collectors: ["telegraf"] }, { definitions: windows }), [
      "Telegraf bin/telegraf",
    ]);
  });

  test("none, or those that are named, whatever their case", async () => {
    assert.deepEqual(await objects({}, { collectors: "none" }), []);
    assert.deepEqual(await objects({}, { collectors: ["vector", "Telegraf"] }), [
      "Vector bin/vector",
      "Telegraf bin/telegraf",
    ]);
  });

  test("a named one that is not there is rejected, in every archive that lacks it", async () => {
    const archives = {
      "fusion-collectors-1.0.0.zip": { collectors: ["telegraf", "vector"] },
      "fusion-collectors-2.0.0.zip": { collectors: ["filebeat"] },
      "fusion-collectors-3.0.0.tar.gz": { collectors: [] },
    };
    const problems = await problemsOf(resolve(archives, { collectors: ["Filebeat"] }));
    assert.deepEqual(
      problems.map(({ file, code, reason }) => [file, code, reason]),
      [
        [
          "fusion-collectors-1.0.0.zip",
          EXIT.invalidPackage,
          "does not contain the collector Filebeat, which COLLECTORS names; it contains Telegraf, Vector",
        ],
        [
          "fusion-collectors-3.0.0.tar.gz",
          EXIT.invalidPackage,
          "does not contain the collector Filebeat, which COLLECTORS names; it contains no known collector",
        ],
      ],
    );
  });
});

describe("an archive is rejected that", () => {
  const entry = (name: string, content: Buffer) => ({ entries: [{ name, content, mode: 0o755 }] });
  test("contains neither the sidecar nor a known collector", async () => {
    const strange: ArchiveOptions = { sidecar: false, collectors: ["mystery"] };
    const problem = await problemOf(resolve({ [LINUX]: strange }, { collectors: "none" }));
    assert.match(problem.reason, /^contains neither collector-sidecar nor any known linux collector$/);
    const definitions = [
      { object: "Mystery", os: "linux", arch: undefined, executable: "bin/mystery" },
    ] as const;
    const known = { ...strange, sidecar: true };
    assert.equal((await identities({ [LINUX]: known }, { definitions })).length, 2);
  });

  test("lacks what BK-Lite's installer starts on a node; install.ps1 is nothing", async () => {
    const script = { name: "install.sh", content: "" };
    const CASES: [file: string, archive: ArchiveOptions, missing: RegExp | undefined][] = [
      [LINUX, { sidecar: false }, /^has no collector-sidecar in its top folder/],
      [LINUX, { without: ["install.sh"] }, /^has no install\.sh in/],
      [LINUX, { sidecar: false, without: ["install.sh"] }, /^has no install\.sh and no collector-sidecar in/],
      [
        "fusion-collectors-windows.zip",
        { os: "windows", sidecar: false },
        /^has no collector-sidecar\.exe in/,
      ],
      ["fusion-collectors-windows.zip", { os: "windows", without: ["install.ps1"] }, undefined],
      [
        "fusion-collectors.tar.gz",
        { without: ["install.sh"], entries: [{ ...script, name: "bin/install.sh" }] },
        /^has no install\.sh in/,
      ],
    ];
    for (const [file, archive, missing] of CASES) {
      if (missing === undefined) {
        assert.ok((await identities({ [file]: archive })).length > 0);
        continue;
      }
      const problem = await problemOf(resolve({ [file]: archive }));
      assert.deepEqual([problem.id, problem.code], ["package.incomplete", EXIT.invalidPackage]);
      assert.match(problem.reason, missing);
    }
  });

  test("holds a program that is cut short, in a zip and in a tar.gz", async () => {
    const whole = Buffer.concat([binaryHeader("linux", "x86_64"), Buffer.alloc(500)]);
    for (const file of [LINUX, "fusion-collectors.tar.gz"]) {
      for (const name of ["bin/telegraf", "collector-sidecar"]) {
        const problem = await problemOf(resolve({ [file]: entry(name, whole.subarray(0, 100)) }));
        assert.deepEqual([problem.file, problem.id], [file, "program.truncated"]);
        assert.match(problem.reason, new RegExp(`^contains ${name}, which is a program that was cut short`));
        assert.ok((await identities({ [file]: entry(name, whole) })).length > 0);
      }
    }
  });

  const macho = Buffer.concat([Buffer.from("cffaedfe", "hex"), Buffer.alloc(64)]);
  const CONTRADICTIONS: [what: string, file: string, archive: ArchiveOptions, reason: RegExp][] = [
    [
      "is for windows and says nothing",
      "fusion-collectors.zip",
      { os: "windows" },
      /^is treated as linux x86_64, but collector-sidecar\.exe is a program for windows x86_64$/,
    ],
    [
      "is for linux and says windows",
      "fusion-collectors-windows.tgz",
      {},
      /collector-sidecar is a program for linux x86_64$/,
    ],
    [
      "is for arm64 and says nothing",
      "fusion-collectors.zip",
      { arch: "arm64" },
      /a program for linux arm64$/,
    ],
    [
      "is for x86_64 and says arm64",
      "fusion-collectors-arm64.tar.gz",
      {},
      /treated as linux arm64, .* linux x86_64$/,
    ],
    [
      "holds one foreign collector",
      LINUX,
      entry("bin/vector", elfHeader(183)),
      /but bin\/vector is a program for linux arm64$/,
    ],
    [
      "holds a program for a Mac",
      LINUX,
      entry("bin/telegraf", macho),
      /bin\/telegraf is a program for macOS$/,
    ],
    [
      "holds a program for MIPS",
      LINUX,
      entry("bin/telegraf", elfHeader(8)),
      /for linux, another architecture$/,
    ],
    [
      "holds a 32-bit one for arm64",
      "fusion-collectors-arm64.zip",
      { arch: "arm64", ...entry("bin/vector", elfHeader(3)) },
      /for linux x86$/,
    ],
  ];
  for (const [what, file, archive, reason] of CONTRADICTIONS) {
    test(what, async () => {
      const problem = await problemOf(resolve({ [file]: archive }, { collectors: "none" }));
      assert.equal(problem.file, file);
      assert.equal(problem.code, EXIT.invalidPackage);
      assert.match(problem.reason, reason);
    });
  }

  test("but not for scripts, 32-bit programs on x86_64, or foreign programs that are no collector", async () => {
    const entries = [
      { name: "collector-sidecar", content: "#!/bin/sh\n" },
      { name: "bin/telegraf", content: elfHeader(3) },
      { name: "bin/helper", content: elfHeader(183) },
      { name: "bin/vector", content: "" },
    ];
    assert.equal((await identities({ [LINUX]: { entries } })).length, 4);
  });

  test("has a field longer than its column", async () => {
    const long = "x".repeat(101);
    const name = `fusion-collectors-${"n".repeat(79)}.zip`;
    assert.equal(name.length, 101);
    assert.match(
      (await problemOf(resolve({ [name]: {} }))).reason,
      /a name of 101 characters; .* holds 100$/,
    );
    const version = await problemOf(resolve({ [LINUX]: {} }, { packageVersion: long }));
    assert.match(version.reason, /a version of 101 characters/);
    const object = await problemOf(resolve({ [LINUX]: {} }, { options: { object: long } }));
    assert.match(object.reason, /an object of 101 characters/);
    const inside = await problemOf(resolve({ [LINUX]: { version: `1.0.0-${long}` } }));
    assert.match(inside.reason, /a version of 107 characters/);
  });

  test("and everything that is wrong is reported together", async () => {
    const archives = {
      "fusion-collectors-1.0.0.zip": { os: "windows" },
      "fusion-collectors-2.0.0.zip": { sidecar: false, collectors: [] },
      "fusion-collectors-3.0.0.zip": {},
      "x/fusion-collectors-3.0.0.zip": { arch: "arm64", collectors: ["telegraf"] },
    } as const;
    const problems = await problemsOf(resolve(archives, { collectors: ["Vector"] }));
    assert.deepEqual(
      problems.map(({ file, reason }) => `${file} ${reason.split(" ").slice(0, 3).join(" ")}`),
      [
        "fusion-collectors-1.0.0.zip is treated as",
        "fusion-collectors-1.0.0.zip does not contain",
        "fusion-collectors-2.0.0.zip contains neither collector-sidecar",
        "fusion-collectors-2.0.0.zip does not contain",
        "x/fusion-collectors-3.0.0.zip is treated as",
        "x/fusion-collectors-3.0.0.zip does not contain",
        "fusion-collectors-3.0.0.zip has the same",
        "x/fusion-collectors-3.0.0.zip has the same",
      ],
    );
  });
});
