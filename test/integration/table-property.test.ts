import assert from "node:assert/strict";
import { test } from "node:test";
import { LONG, random } from "../support/rounds.ts";
import { explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();
const ROUNDS = LONG ? 200 : 6;
const TABLE = "node_mgmt_packageversion";

/** A type, what ROW_DEFAULTS may say for it, and how Postgres shows that. */
const TYPES: [type: string, given: string, shown: string][] = [
  ["text", String.raw`a\,b\\c=d`, "a,b\\c=d"],
  ["integer", "42", "42"],
  ["boolean", "yes", "true"],
  ["timestamp", "2026-05-06 07:08:09", "2026-05-06 07:08:09"],
  ["jsonb", String.raw`{"a": [1\, 2]}`, '{"a": [1, 2]}'],
];

interface Column {
  name: string;
  sql: string;
  needed: boolean;
  unique: boolean;
  given: string | undefined;
  shown: string;
}

/** A migration that nobody has announced: one to three columns. */
function makeColumns(round: number): Column[] {
  const { chance, pick } = random(`columns ${round}`);
  return ["x", "Y z", 'q"'].slice(0, pick([1, 2, 3])).map((name): Column => {
    const [type, given, shown] = pick(TYPES);
    const kind = pick(["nullable", "default", "needed", "needed"] as const);
    const ending = { nullable: "", default: " NOT NULL DEFAULT $$", needed: " NOT NULL" }[kind];
    const quoted = `"${name.replaceAll('"', '""')}"`;
    return {
      name,
      sql: `${quoted} ${type}${ending.replace("$$", `'${shown.replaceAll("'", "''")}'`)}`,
      needed: kind === "needed",
      unique: chance(0.15),
      given: chance(0.65) ? given : undefined,
      shown,
    };
  });
}

async function check(round: number, site: Site): Promise<void> {
  const columns = makeColumns(round);
  for (const { name, sql, unique } of columns) {
    await site.db.query(`ALTER TABLE ${TABLE} ADD COLUMN ${sql}`);
    const quoted = `"${name.replaceAll('"', '""')}"`;
    if (unique)
      await site.db.query(
        `CREATE UNIQUE INDEX ON ${TABLE} (os, cpu_architecture, object, version, ${quoted})`,
      );
  }
  const given = columns.filter((column) => column.given !== undefined);
  const ROW_DEFAULTS = [...given.map(({ name, given: value }) => `${name}=${value}`), "absent=1"].join(",");
  const open = columns.filter((column) => column.needed && column.given === undefined);
  const reason = columns.some(({ unique }) => unique)
    ? "table.unique"
    : open.length > 0
      ? "table.unknown"
      : undefined;

  const before = await site.state();
  for (const command of ["wait", "plan"]) {
    await site.ok([command]);
  }
  assert.deepEqual(await site.state(), before);
  const init = await site.run([], { ROW_DEFAULTS });
  assert.equal(init.code, reason ? 78 : 0, explain(init));
  assert.equal(init.report?.error?.reason, reason);
  if (reason) {
    assert.deepEqual(await site.state(), before);
    const named = reason === "table.unique" ? columns.filter(({ unique }) => unique) : open;
    for (const { name } of named)
      assert.ok(init.report?.error?.message.includes(name), init.report?.error?.message);
    return;
  }
  const settled = await site.state();
  const rows = (await site.db.query(`SELECT to_jsonb(t) AS row FROM ${TABLE} t`)) as {
    row: Record<string, unknown>;
  }[];
  assert.equal(rows.length, 4);
  for (const { name, shown, given: value } of columns) {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const [found] = await site.db.query<{ all: boolean }>(
      `SELECT bool_and(${quoted}::text IS NOT DISTINCT FROM $1) AS all FROM ${TABLE}`,
      [shown],
    );
    if (value !== undefined)
      assert.equal(found?.all, true, `${name} is not ${shown}: ${JSON.stringify(rows[0])}`);
  }
  for (const command of ["init", "verify", "gate", "plan"]) {
    // without the setting: a run that inserts nothing needs it all the same, those that read do not
    await site.ok([command], command === "init" ? { ROW_DEFAULTS } : {});
  }
  assert.deepEqual(await site.state(), settled);
}

test(`columns that nobody has announced (${ROUNDS} rounds)`, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const site = await servers.site({ state: round % 3 === 0 ? "D" : "E" });
    await site.archive();
    try {
      await check(round, site);
    } catch (error) {
      throw new Error(`round ${round}: ${(error as Error).message}`, { cause: error });
    }
  }
});
