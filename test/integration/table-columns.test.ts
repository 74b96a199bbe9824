import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JobResult } from "../support/run.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";
import { insertRow } from "../support/tables.ts";

const servers = useServers();
const TABLE = "node_mgmt_packageversion";
const SCHEMA = '"public"."node_mgmt_packageversion"';

async function ends(run: Promise<JobResult>, code: number): Promise<JobResult> {
  const result = await run;
  assert.equal(result.code, code, explain(result));
  return result;
}

/** A run that is rejected before anything was sent: its error's reason, and its words with the remedy's. */
async function refused(site: Site, env: Record<string, string> = {}, code = 78): Promise<[string, string]> {
  const before = await site.state();
  const { error } = (await ends(site.run([], env), code)).report ?? {};
  assert.deepEqual(await site.state(), before, "something was written");
  return [error?.reason ?? "", `${error?.message} ${error?.hint}`];
}

async function stateE(...columns: string[]): Promise<Site> {
  const site = await servers.site({ state: "E" });
  for (const column of columns) await site.db.query(`ALTER TABLE ${TABLE} ADD COLUMN ${column}`);
  await site.archive();
  return site;
}

const valuesOf = async (site: Site, column: string) =>
  (await site.db.query<Record<string, unknown>>(`SELECT ${column} FROM ${TABLE}`)).map((row) => row[column]);

describe("a column that the job does not know", { concurrency: 2 }, () => {
  test("that may be null, has a default, or is made by the database is left alone", async () => {
    const site = await stateE(
      "x varchar(10)",
      "y int NOT NULL DEFAULT 7",
      "z text GENERATED ALWAYS AS (object || '!') STORED",
    );
    await ends(site.run(), 0);
    assert.deepEqual(new Set(await valuesOf(site, "y")), new Set([7]));
    assert.deepEqual(new Set(await valuesOf(site, "x")), new Set([null]));
  });

  test("that must not be null: init names column, type and setting; every other command works", async () => {
    const site = await stateE();
    await ends(site.run(), 0);
    await site.db.query(`ALTER TABLE ${TABLE} ADD COLUMN x varchar(10) NOT NULL DEFAULT 'a'`);
    await site.db.query(`ALTER TABLE ${TABLE} ALTER x DROP DEFAULT`);
    const [reason, words] = await refused(site);
    assert.equal(reason, "table.unknown");
    assert.match(words, /x character varying\(10\).*ROW_DEFAULTS=x=/);
    for (const command of ["verify", "gate", "wait"]) await ends(site.run([command]), 0);
    const plan = await ends(site.run(["plan"]), 0);
    assert.ok(plan.report?.warnings.some((warning) => warning.reason === "table.unknown"));
    await ends(site.run([], { ROW_DEFAULTS: "x=b" }), 0);
    assert.deepEqual(new Set(await valuesOf(site, "x")), new Set(["a"]), "only an INSERT takes the value");
  });

  test("takes its value from ROW_DEFAULTS, whatever its type; a column that is not there is ignored", async () => {
    const columns = [
      "t varchar(10) NOT NULL",
      "n int NOT NULL",
      "b boolean NOT NULL",
      "at timestamptz NOT NULL",
      "j jsonb NOT NULL",
      '"Odd name" text NOT NULL',
    ];
    const site = await stateE(...columns);
    const ROW_DEFAULTS = String.raw`t=a\,b\\, n=12,b=true,at=2026-01-02 03:04:05+00,j={"a":1\,"b":[]},Odd name=,later=1`;
    await ends(site.run([], { ROW_DEFAULTS }), 0);
    const [row] = await site.db.query(`SELECT t, n, b, at::text, j, "Odd name" FROM ${TABLE} LIMIT 1`);
    assert.deepEqual(row, {
      t: "a,b\\",
      n: 12,
      b: true,
      at: "2026-01-02 03:04:05+00",
      j: { a: 1, b: [] },
      "Odd name": "",
    });
    const before = await site.state();
    await ends(site.run([], { ROW_DEFAULTS }), 0);
    assert.deepEqual(await site.state(), before);
  });

  test("has a type of its own: the type is named as the database has it", async () => {
    const site = await stateE();
    await site.db.query("CREATE TYPE channel AS ENUM ('stable', 'beta')");
    await site.db.query(`ALTER TABLE ${TABLE} ADD "Order" channel NOT NULL, ADD tags varchar(5)[] NOT NULL`);
    const [reason, words] = await refused(site);
    assert.equal(reason, "table.unknown");
    assert.match(words, /: Order channel, tags varchar\[\] .*ROW_DEFAULTS=Order=VALUE,tags=VALUE/);
    await ends(site.run([], { ROW_DEFAULTS: String.raw`Order=beta,tags={a\,b}` }), 0);
    assert.deepEqual((await valuesOf(site, "tags"))[0], ["a", "b"]);
  });

  for (const [column, value] of [
    ["n int NOT NULL", "n=many"],
    ["t varchar(3) NOT NULL", "t=abcd"],
    ["j jsonb NOT NULL", "j={"],
    ["n int NOT NULL CHECK (n > 0)", "n=-1"],
  ] as const) {
    test(`row.defaults.refused: ${column} with ${value} is 78 with the database's words, before anything is sent`, async () => {
      const site = await stateE(column);
      const [reason, words] = await refused(site, { ROW_DEFAULTS: value });
      assert.equal(reason, "row.defaults.refused");
      assert.match(words, /invalid input syntax|value too long|violates check constraint/);
    });
  }

  test("row.defaults.known: what the job fills by itself may not be given", async () => {
    const site = await stateE();
    const [reason, words] = await refused(site, { ROW_DEFAULTS: "status=pending" });
    assert.equal(reason, "row.defaults.known");
    assert.match(words, /status/);
    await ends(site.run(["wait"], { ROW_DEFAULTS: "status=pending" }), 0);
  });

  for (const [what, sql] of [
    ["constraint", `ALTER TABLE ${TABLE} ADD CONSTRAINT u UNIQUE (os, object, version, x)`],
    ["index", `CREATE UNIQUE INDEX u ON ${TABLE} (os, object, version, x)`],
    ["index's expression", `CREATE UNIQUE INDEX u ON ${TABLE} (os, object, version, lower(x))`],
    ["index's condition", `CREATE UNIQUE INDEX u ON ${TABLE} (os, object, version) WHERE x = 'live'`],
    ["exclusion", `ALTER TABLE ${TABLE} ADD EXCLUDE USING btree (os WITH =, version WITH =, x WITH =)`],
  ]) {
    test(`table.unique: in a unique ${what} is 78 for init, whatever ROW_DEFAULTS says; others work`, async () => {
      const site = await stateE("x text NOT NULL");
      await site.db.query(sql ?? "");
      const [reason, words] = await refused(site, { ROW_DEFAULTS: "x=a" });
      assert.equal(reason, "table.unique");
      assert.match(words, /\bx\b/);
      for (const command of ["wait", "plan"]) await ends(site.run([command]), 0);
    });
  }

  test("that an index only carries is no part of it", async () => {
    const site = await stateE("x text");
    await site.db.query(
      `CREATE UNIQUE INDEX u ON ${TABLE} (os, cpu_architecture, object, version) INCLUDE (x)`,
    );
    await ends(site.run(), 0);
  });

  test("table.incomplete: a column that is missing is 78", async () => {
    const site = await stateE();
    await site.db.query(`ALTER TABLE ${TABLE} DROP COLUMN description`);
    const { error } = (await ends(site.run(), 78)).report ?? {};
    assert.deepEqual([error?.reason, error?.layer], ["table.incomplete", "table"]);
  });
});

describe("what the database does to a row while it is written is exit 78 that says so, and nothing is kept", {
  concurrency: 2,
}, () => {
  const trigger = (when: string, body: string) =>
    `CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$;
     CREATE ${when} ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION meddle()`;
  const CASES: [what: string, sql: string, reason: string, words: RegExp][] = [
    [
      "char(n)",
      `ALTER TABLE ${TABLE} ALTER version TYPE char(30)`,
      "row.altered",
      /version became "1\.0\.0 +"/,
    ],
    [
      "a trigger that changes the row",
      trigger("TRIGGER m BEFORE INSERT", "NEW.object := upper(NEW.object); RETURN NEW;"),
      "row.altered",
      /object became "CONTROLLER"/,
    ],
    [
      "a trigger that changes it afterwards",
      trigger("TRIGGER m AFTER INSERT", `UPDATE ${SCHEMA} SET name = 'x' WHERE id = NEW.id; RETURN NULL;`),
      "row.altered",
      /name became "x"/,
    ],
    [
      "a trigger that waits for the end of the transaction",
      trigger(
        "CONSTRAINT TRIGGER m AFTER INSERT",
        `UPDATE ${SCHEMA} SET name = 'x' WHERE id = NEW.id; RETURN NULL;`,
      ).replace("FOR EACH", "DEFERRABLE INITIALLY DEFERRED FOR EACH"),
      "row.altered",
      /name became "x"/,
    ],
    [
      "a trigger that suppresses it",
      trigger("TRIGGER m BEFORE INSERT", "RETURN NULL;"),
      "row.suppressed",
      /INSERT/,
    ],
    [
      "a trigger that removes it",
      trigger("TRIGGER m AFTER INSERT", `DELETE FROM ${SCHEMA} WHERE id = NEW.id; RETURN NULL;`),
      "row.suppressed",
      /INSERT/,
    ],
  ];
  for (const [what, sql, reason, words] of CASES) {
    test(what, async () => {
      const site = await stateE();
      await site.db.query(sql);
      const { error } = (await ends(site.run(), 78)).report ?? {};
      assert.equal(error?.reason, reason, error?.message);
      assert.match(error?.message ?? "", words);
      assert.deepEqual(await site.rows(), []);
    });
  }

  test("an update that is suppressed", async () => {
    const site = await stateE();
    await ends(site.run(), 0);
    await site.db.query(`UPDATE ${TABLE} SET sha256 = ''`);
    await site.db.query(trigger("TRIGGER m BEFORE UPDATE", "RETURN NULL;"));
    const before = await site.rows();
    const { error } = (await ends(site.run(), 78)).report ?? {};
    assert.deepEqual([error?.reason, /UPDATE/.test(error?.message ?? "")], ["row.suppressed", true]);
    assert.deepEqual(await site.rows(), before);
  });
});

describe("the database's own catalog", { concurrency: 2 }, () => {
  test("is read past another schema in front of it", async () => {
    const site = await stateE();
    const { name } = site.db;
    await site.db.query(`CREATE SCHEMA decoy;
      CREATE FUNCTION decoy.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '1999-01-01' $$;
      CREATE FUNCTION decoy.to_regclass(text) RETURNS regclass LANGUAGE sql AS $$ SELECT NULL::regclass $$;
      CREATE FUNCTION decoy.pg_try_advisory_lock(bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
      CREATE FUNCTION decoy.pg_backend_pid() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;
      CREATE FUNCTION decoy.has_table_privilege(oid, text) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
      CREATE TABLE decoy.pg_settings (name text, setting text);
      CREATE TABLE decoy.pg_locks (pid int);
      CREATE TABLE decoy.pg_policies (schemaname text);
      CREATE TABLE decoy.pg_index (indrelid oid);
      ALTER DATABASE "${name}" SET search_path = decoy, pg_catalog, public`);
    await ends(site.run(), 0);
    const rows = await site.rows();
    assert.equal(rows.length, 4);
    for (const row of rows) assert.ok(row.created_at.getFullYear() > 2000, String(row.created_at));
  });

  test("postgres.catalog: what another product does not know is 78 that names purpose, version and words, not waited for", async () => {
    const CASES: [sql: string, purpose: RegExp][] = [
      ["DROP SCHEMA information_schema CASCADE", /columns and privileges/],
      ["ALTER FUNCTION pg_catalog.pg_try_advisory_lock(bigint) RENAME TO away", /advisory lock/],
      ["ALTER FUNCTION pg_catalog.pg_stat_get_activity(int) RENAME TO away", /session's settings/],
      ["ALTER FUNCTION pg_catalog.row_security_active(oid) RENAME TO away", /columns and privileges/],
    ];
    for (const [sql, purpose] of CASES) {
      const site = await stateE();
      await site.db.query(sql);
      const { error } = (await ends(site.run(), 78)).report ?? {};
      assert.equal(error?.reason, "postgres.catalog", sql);
      assert.match(error?.message ?? "", purpose);
      assert.match(error?.message ?? "", /does not exist \(42(P01|883)\).*PostgreSQL \d+/);
    }
  });
});

test("rows of which another process changes one in between are not overwritten", async () => {
  const site = await stateE();
  await insertRow(site.db, { name: ARCHIVE, sha256: "f".repeat(64) });
  await site.db.query(`CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.sha256 <> OLD.sha256 AND OLD.updated_by <> 'alice' THEN RAISE EXCEPTION 'late' USING ERRCODE = '23505'; END IF;
      RETURN NEW; END $$;
    CREATE TRIGGER other BEFORE UPDATE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION other()`);
  const { error } = (await ends(site.run(), 75)).report ?? {};
  assert.equal(error?.reason, "row.contended");
  assert.equal((await site.rows())[0]?.sha256, "f".repeat(64));
});
