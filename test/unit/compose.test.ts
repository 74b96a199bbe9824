import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { STACK_NAMES, VARIABLES, withStackNames } from "../../src/config/env.ts";

const root = join(import.meta.dirname, "../..");
const { services, secrets } = parse(readFileSync(join(root, "compose.init.yml"), "utf8"));
const environment: Record<string, string> = services["package-init"].environment;

describe("compose.init.yml", () => {
  test("hands on every variable of the program under its own name, its _FILE where it has one, and nothing else", () => {
    const names = Object.entries(VARIABLES).flatMap(([name, { file }]) =>
      file ? [name, `${name}_FILE`] : [name],
    );
    names.push(...Object.values(STACK_NAMES), "LC_ALL", "LC_MESSAGES", "LANG", "TZ");
    assert.deepEqual(Object.keys(environment).sort(), names.sort());
    for (const [name, value] of Object.entries(environment)) {
      assert.match(value, new RegExp(`^\\$\\{${name}:?-[^}]*\\}$`));
    }
  });

  test("has no default of the program's in it: only the stack's own values", () => {
    const defaults = Object.entries(environment).filter(([name, value]) => value !== `\${${name}:-}`);
    const own = [
      ["DB_HOST", "postgres"],
      ["NATS_SERVERS", "tls://nats:4222"],
      ["NATS_TLS_CA_FILE", "/etc/nats/certs/ca.crt"],
      ["LOG_FORMAT", "pretty"],
    ];
    // An empty VERIFY_KEY_FILE must not turn off what VERIFY_KEY_PATH asks for.
    const keys = ["VERIFY_KEY_FILE", `\${VERIFY_KEY_FILE:-/etc/package-init/verify-keys}`];
    assert.deepEqual(defaults, [...own.map(([name, value]) => [name, `\${${name}-${value}}`]), keys]);
  });

  test("has a label for each mounted path: Compose v2 does not compare the paths of secrets", () => {
    const mounted = services["package-init"].secrets.map(
      ({ source }: { source: string }) => secrets[source].file,
    );
    assert.deepEqual(Object.values(services["package-init"].labels), mounted);
    for (const name of ["PACKAGES_PATH", "NATS_CERTS_PATH", "VERIFY_KEY_PATH"]) {
      assert.ok(mounted.some((path: string) => path.startsWith(`\${${name}:-`)));
    }
  });

  test("needs no other service, and web waits for it", () => {
    assert.deepEqual(Object.keys(services), ["package-init", "web"]);
    assert.equal(services["package-init"].depends_on, undefined);
    assert.deepEqual(services.web, {
      depends_on: { "package-init": { condition: "service_completed_successfully" } },
    });
  });
});

describe("the stack's own names", () => {
  const stack = { POSTGRES_PASSWORD: "p", NATS_ADMIN_USERNAME: "admin", NATS_ADMIN_PASSWORD: "n" };
  const login = ({ DB_PASSWORD, NATS_USER, NATS_PASSWORD }: Record<string, string | undefined>) => [
    DB_PASSWORD,
    NATS_USER,
    NATS_PASSWORD,
  ];

  test("are the logins where none is given; an empty value is none", () => {
    const empty = { DB_PASSWORD: "", DB_PASSWORD_FILE: "", NATS_USER: "", NATS_TOKEN: "" };
    assert.deepEqual(login(withStackNames({ ...stack, ...empty })), ["p", "admin", "n"]);
  });

  test("never mix with another login", () => {
    assert.deepEqual(login(withStackNames({ ...stack, DB_PASSWORD: "own" })), ["own", "admin", "n"]);
    assert.equal(withStackNames({ ...stack, DB_PASSWORD_FILE: "/f" }).DB_PASSWORD, undefined);
    for (const name of ["NATS_USER", "NATS_TOKEN", "NATS_TOKEN_FILE", "NATS_CREDS_FILE"]) {
      const given = withStackNames({ ...stack, [name]: "own" });
      assert.deepEqual([given[name], given.NATS_PASSWORD], ["own", undefined]);
    }
  });
});
