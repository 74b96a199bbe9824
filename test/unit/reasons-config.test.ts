import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Arguments, parseArguments } from "../../src/cli.ts";
import { Reader } from "../../src/config/env.ts";
import { readConfig } from "../../src/config/job-settings.ts";
import { JobError } from "../../src/errors.ts";
import type { ReasonId } from "../../src/messages/catalog.ts";

const MINIMAL = { DB_HOST: "postgres", NATS_SERVERS: "nats:4222" };

/** What is raised. */
function reasonOf(work: () => unknown): ReasonId {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof JobError, String(error));
    return error.reason;
  }
  return assert.fail("nothing was refused");
}

const SETTINGS: [id: ReasonId, environment: Record<string, string>][] = [
  ["config.missing", { DB_HOST: "" }],
  ["config.both", { NATS_TOKEN: "t", NATS_USER: "u", NATS_PASSWORD: "p" }],
  ["config.pair", { NATS_PASSWORD: "p" }],
  ["config.file.missing", { NATS_TLS_CA_FILE: "/no/such/ca.crt" }],
  ["config.file.unreadable", { DB_PASSWORD_FILE: "/" }],
  ["config.row-defaults", { ROW_DEFAULTS: "x" }],
  ["config.choice", { ON_CONFLICT: "relpace" }],
  ["config.number", { NATS_REPLICAS: "9" }],
  ["config.seconds", { WAIT_TIMEOUT: "5m" }],
  ["config.key-part", { PACKAGE_VERSION: "1/0" }],
  ["config.collectors", { COLLECTORS: "Telegraf,,Vector" }],
  ["config.platforms", { REQUIRE: "linux" }],
  ["config.regions", { REGIONS: "leaf-2" }],
  ["config.bucket-name", { NATS_NAMESPACE: "a.b" }],
  ["config.identifier", { DB_SCHEMA: "x".repeat(64) }],
  ["config.engine", { DB_ENGINE: "django.db.backends.mysql" }],
  ["config.stray", { DB_NAME: "bklite\r" }],
  ["config.report", { REPORT_FILE: "/no/such/folder/report.json" }],
  ["config.host", { DB_HOST: "postgres:5432/bklite" }],
  ["config.ports", { DB_PORT: "70000" }],
  ["config.url.database", { DB_HOST: "", DATABASE_URL: "mysql://h/d" }],
  ["config.url.parameter", { DB_HOST: "", DATABASE_URL: "postgres://h/d?search_path=x" }],
  ["config.url.sslmode", { DB_HOST: "", DATABASE_URL: "postgres://h/d?sslmode=prefer" }],
  ["config.separator", { NATS_SERVERS: "a:4222，b:4222" }],
  ["config.url.nats", { NATS_SERVERS: "http://nats:4222" }],
  ["config.several", { DB_HOST: "", NATS_SERVERS: "" }],
];

describe("a setting is rejected by", () => {
  for (const [id, environment] of SETTINGS) {
    test(id, () =>
      assert.equal(
        reasonOf(() => readConfig(new Reader({ ...MINIMAL, ...environment }))),
        id,
      ),
    );
  }
});

test("of several settings each has a line of its own, and what is to be done is said once", () => {
  const stray = { DB_NAME: "a ", DB_USER: "b ", ON_CONFLICT: "relpace" };
  assert.throws(
    () => readConfig(new Reader({ ...MINIMAL, ...stray })),
    (error) => {
      assert.ok(error instanceof JobError);
      const [head, ...lines] = error.message.split("\n");
      assert.match(head ?? "", /^3 settings are wrong:$/);
      assert.deepEqual(
        lines.map((line) => /^- (\w+)/.exec(line)?.[1]),
        ["DB_NAME", "DB_USER", "ON_CONFLICT"],
      );
      assert.equal(error.hint.split("\n").length, 4);
      return true;
    },
  );
});

const LINES: [id: ReasonId, argv: string][] = [
  ["usage.command", "planr"],
  ["usage.option", "--tpye=collector"],
  ["usage.argument", "plan more"],
  ["usage.value.missing", "--file"],
  ["usage.value.unexpected", "--json=yes"],
  ["usage.twice", "--file a.zip --file b.zip"],
  ["usage.value.choice", "--os linx"],
  ["usage.value.form", "--version 1/0"],
  ["usage.together", "--auto --file x.zip"],
  ["usage.only", "plan --wait"],
  ["usage.needs", "--file x --type collector"],
];

describe("a command line is rejected by", () => {
  for (const [id, argv] of LINES) {
    test(id, () =>
      assert.equal(
        reasonOf((): Arguments => parseArguments(argv.split(" ")) as Arguments),
        id,
      ),
    );
  }
});
