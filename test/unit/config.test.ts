import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type Environment, Reader } from "../../src/config/env.ts";
import { type Config, readConfig } from "../../src/config/job-settings.ts";
import { JobError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import { PROBE_LANGUAGES } from "../../src/identity.ts";
import { PROBES } from "../../src/volume/name.ts";

const folder = mkdtempSync(join(tmpdir(), "bkpi-config-"));
after(() => rmSync(folder, { recursive: true }));

const MINIMAL = { DB_HOST: "postgres", NATS_SERVERS: "nats:4222" };

function read(environment: Environment): Config {
  return readConfig(new Reader({ ...MINIMAL, ...environment }));
}

function complaint(environment: Environment): string {
  try {
    readConfig(new Reader(environment));
  } catch (error) {
    assert.ok(error instanceof JobError && error.code === EXIT.config);
    return error.message;
  }
  return assert.fail("the configuration was accepted");
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("defaults", () => {
  test("are SPEC's", () => {
    const { db, nats, ...rest } = read({});
    assert.deepEqual(rest, {
      packagesDir: "/packages",
      packageVersion: undefined,
      collectors: "auto",
      collectorPackages: "auto",
      repack: "auto",
      onConflict: "replace",
      require: [],
      requireProbes: [],
      requireRegions: [],
      regions: "auto",
      allowEmpty: false,
      verifyKeys: undefined,
      purgeOrphans: false,
      keepVersions: 0,
      archiveCheck: "full",
      natsTimeout: 60,
      waitTimeout: 300,
      runTimeout: 0,
    });
    assert.deepEqual(
      [db.servers, db.database, db.user, db.schema, db.ssl.mode],
      [[{ host: "postgres", port: 5432 }], "bklite", "postgres", "public", "disable"],
    );
    assert.deepEqual([nats.bucket, nats.replicas, nats.tls.insecure], ["bklite", 1, false]);
  });

  test("hold for empty values, as Compose passes them", () => {
    assert.equal(read({ DB_NAME: "", WAIT_TIMEOUT: "", NATS_TOKEN: "" }).db.database, "bklite");
  });
});

test("PACKAGE_VERSION: a v before a digit goes", () => {
  for (const [given, stored] of [
    ["v1.2.3", "1.2.3"],
    ["1.2.3", "1.2.3"],
    ["vNext", "vNext"],
  ])
    assert.equal(read({ PACKAGE_VERSION: given as string }).packageVersion, stored);
});

describe("NATS_SERVERS", () => {
  for (const character of ["，", "、", "；", ";", "　"]) {
    test(`a separator that is none is named: ${character}`, () => {
      const message = complaint({ ...MINIMAL, NATS_SERVERS: `a:4222${character}nats://u:geheim@b:4222` });
      assert.match(message, new RegExp(`NATS_SERVERS: contains "${character}"`));
      assert.ok(!message.includes("geheim"));
      assert.match(complaint({ ...MINIMAL, NATS_SERVERS: `a${character}b` }), new RegExp(`"${character}"`));
    });
  }
  test("but a password may hold one", () => {
    assert.equal(read({ NATS_SERVERS: "nats://u:a；b@host:4222" }).nats.servers.length, 1);
  });

  const first = (servers: string, more: Environment = {}) =>
    read({ NATS_SERVERS: servers, ...more }).nats.servers[0];

  test("accepts bare hosts, both schemes, lists and IPv6", () => {
    assert.deepEqual(first("nats"), { host: "nats", port: 4222, tls: false, auth: undefined });
    assert.deepEqual(first("tls://n:5000"), { host: "n", port: 5000, tls: true, auth: undefined });
    assert.deepEqual(first("nats://[::1]:4223")?.host, "::1");
    assert.equal(read({ NATS_SERVERS: "a:1, nats://b:2 ,tls://c:3" }).nats.servers.length, 3);
    assert.equal(first("nats:4222", { NATS_TLS_ENABLED: "true" })?.tls, true);
  });

  test("uses the credentials inside a URL", () => {
    assert.deepEqual(first("tls://admin:s%40cret@nats:4222")?.auth, {
      kind: "password",
      user: "admin",
      password: "s@cret",
    });
    assert.deepEqual(first("nats://t0ken@nats:4222")?.auth, { kind: "token", token: "t0ken" });
  });

  test("rejects what is no NATS URL, by position and without its text", () => {
    for (const bad of ["http://nats:4222", "nats://u:p#w@nats", "nats://nats:99999", "a,,b"]) {
      const message = complaint({ ...MINIMAL, NATS_SERVERS: bad });
      assert.match(message, /NATS_SERVERS: entry \d/);
      assert.ok(!message.includes("p#w"), message);
    }
  });
});

describe("secrets in files", () => {
  test("lose one trailing newline, no more", () => {
    assert.equal(read({ DB_PASSWORD_FILE: file("pw", "hunter2\n\n") }).db.password, "hunter2\n");
    assert.equal(read({ DB_PASSWORD_FILE: file("crlf", "hunter2\r\n") }).db.password, "hunter2");
  });

  test("may not be given twice", () => {
    const message = complaint({ ...MINIMAL, DB_PASSWORD: "a", DB_PASSWORD_FILE: file("pw2", "b") });
    assert.match(message, /DB_PASSWORD and DB_PASSWORD_FILE are both set/);
  });

  test("are an error where the file is missing", () => {
    assert.match(
      complaint({ ...MINIMAL, NATS_TOKEN_FILE: join(folder, "none") }),
      /NATS_TOKEN_FILE: file .*none does not exist/,
    );
  });

  test("exist for every variable that SPEC marks, and for no other", () => {
    for (const name of ["DATABASE_URL", "DB_PASSWORD", "NATS_SERVERS", "NATS_PASSWORD", "NATS_TOKEN"]) {
      assert.match(
        complaint({ ...MINIMAL, [`${name}_FILE`]: "/nowhere", [name]: undefined }),
        new RegExp(`${name}_FILE`),
      );
    }
    assert.equal(read({ DB_HOST_FILE: "/nowhere" }).db.servers[0]?.host, "postgres");
  });
});

describe("DATABASE_URL", () => {
  test("stands in for the five", () => {
    const { db } = read({
      DATABASE_URL: "postgresql://u:p%40ss@db:6432/other?sslmode=require",
      DB_HOST: undefined,
    });
    assert.deepEqual(
      [db.servers, db.database, db.user, db.password, db.ssl.mode],
      [[{ host: "db", port: 6432 }], "other", "u", "p@ss", "require"],
    );
  });

  test("is rejected without showing it", () => {
    for (const bad of [
      "mysql://u:topsecret@db/x",
      "postgres://db?sslmode=prefer",
      "postgres://db/x?foo=topsecret",
      "topsecret",
    ]) {
      const message = complaint({ ...MINIMAL, DATABASE_URL: bad });
      assert.match(message, /DATABASE_URL: /);
      assert.ok(!message.includes("topsecret"), message);
    }
  });
});

test("all problems are reported together, by name and without values", () => {
  const bad = {
    DB_PORT: "five-and-secret",
    ON_CONFLICT: "maybe-secret",
    ALLOW_EMPTY: "sure-secret",
    NATS_REPLICAS: "9",
    NATS_NAMESPACE: "a.b",
    WAIT_TIMEOUT: "-3",
    NATS_TIMEOUT: "0",
    PACKAGE_VERSION: "1/0",
    COLLECTORS: "Telegraf,,Vector",
    REPORT_FILE: "/no/such/folder/report.json",
    NATS_TLS_CA_FILE: "/no/ca.crt",
    DB_SSLMODE: "prefer-secret",
    LOG_LEVEL: "loud-secret",
    LOG_FORMAT: "xml-secret",
    COLLECTOR_PACKAGES: "both-secret",
    ARCHIVE_CHECK: "never-secret",
    NATS_PASSWORD: "lonely-secret",
  };
  const message = complaint(bad);
  for (const name of [...Object.keys(bad), "DB_HOST", "NATS_SERVERS"])
    assert.match(message, new RegExp(`\\b${name}\\b`));
  assert.ok(!message.includes("-secret"), message);
});

test("two kinds of NATS credentials are one too many", () => {
  const message = complaint({ ...MINIMAL, NATS_TOKEN: "t", NATS_USER: "u", NATS_PASSWORD: "p" });
  assert.match(message, /NATS_TOKEN and NATS_USER are both set/);
});

test("COLLECTORS accepts names", () => {
  assert.deepEqual(read({ COLLECTORS: "Telegraf, Vector,Telegraf" }).collectors, ["Telegraf", "Vector"]);
  assert.equal(read({ COLLECTORS: "NONE" }).collectors, "none");
});

test("lists take the commas and semicolons of either keyboard", () => {
  for (const mark of [",", ", ", "，", "、", "；", ";"]) {
    assert.deepEqual(read({ COLLECTORS: `Telegraf${mark}Vector` }).collectors, ["Telegraf", "Vector"], mark);
    const { require, requireProbes, requireRegions } = read({
      REQUIRE: ["linux/amd64", "apm/dotnet", "region/12", "windows/x86_64"].join(mark),
    });
    assert.deepEqual(require, [
      { os: "linux", arch: "x86_64" },
      { os: "windows", arch: "x86_64" },
    ]);
    assert.deepEqual([requireProbes, requireRegions], [["dotnet"], [12]]);
  }
});

test("REQUIRE rejects what it does not know, and empty parts", () => {
  for (const REQUIRE of [
    "apm/jav",
    "apm",
    "region/a",
    "region/",
    "region/0",
    "region/02",
    "region/2.>",
    "region/9007199254740993",
    "linux/x86_64/1",
    "linux/x86_64,",
    "mac/arm64",
  ])
    assert.match(complaint({ ...MINIMAL, REQUIRE }), /^REQUIRE: should be a list/, REQUIRE);
});

test("REGIONS takes ids", () => {
  assert.deepEqual(read({ REGIONS: "2, 3，4" }).regions, [2, 3, 4]);
  assert.deepEqual([read({ REGIONS: "None" }).regions, read({ REGIONS: "Auto" }).regions], [[], "auto"]);
  for (const REGIONS of ["2,", "all", "2,none", "*", "leaf-2", "2.API.>"])
    assert.match(complaint({ ...MINIMAL, REGIONS }), /^REGIONS: should be auto, none, or ids/, REGIONS);
});

test("the languages of REQUIRE are those of the probes' files", () => {
  assert.deepEqual(Object.values(PROBES).toSorted(), [...PROBE_LANGUAGES].toSorted());
});

test("a time that no timer can hold is rejected: it would be over immediately", () => {
  for (const name of ["WAIT_TIMEOUT", "RUN_TIMEOUT", "NATS_TIMEOUT"]) {
    assert.match(
      complaint({ ...MINIMAL, [name]: "2147484" }),
      new RegExp(`${name}: should be \\d to 2147483 seconds`),
    );
  }
  assert.equal(read({ WAIT_TIMEOUT: "2147483" }).waitTimeout, 2_147_483);
});
