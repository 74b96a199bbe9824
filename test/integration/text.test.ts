import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { LANGUAGES } from "../../src/messages/define.ts";
import { assertClean, HOSTILE } from "../support/hostile-text.ts";
import { explain, type Site, useServers } from "../support/site.ts";
import { createCollectorTable, insertRow } from "../support/tables.ts";

const servers = useServers();

/** Postgres takes neither NUL nor half a character. */
const STORABLE = HOSTILE.map((text) => text.toWellFormed().replaceAll("\0", ""));

const collector = (name: string, index: number) => ({
  name,
  node_operating_system: "linux",
  executable_path: "/opt/fusion-collectors/bin/telegraf",
  package_name: `telegraf-${index}`,
});

/** A site whose rows and definitions bring everything that a name can do. */
async function hostileSite(): Promise<Site> {
  const site = await servers.site({ state: "C" });
  await site.archive();
  const names = [...STORABLE, "../../installer", "A/B"];
  const definitions = [...names.map(collector), { ...collector("Telegraf", 99), package_name: "telegraf" }];
  await createCollectorTable(site.db, { state: "C", rows: definitions });
  for (const [index, text] of STORABLE.entries()) {
    const user = { created_by: index % 2 ? "system" : "admin", type: index % 3 ? "collector" : "controller" };
    await insertRow(site.db, { ...user, object: text, version: String(index) });
    await insertRow(site.db, { ...user, object: `o${index}`, version: text.slice(0, 99) });
    await insertRow(site.db, { ...user, object: `n${index}`, name: text });
  }
  return site;
}

describe("names that forge, turn round or hide text", () => {
  for (const LOG_LANG of LANGUAGES) {
    test(`reach no output as they are, and become no key and no row: ${LOG_LANG}`, async () => {
      const site = await hostileSite();
      const before = await site.rows();
      for (const LOG_FORMAT of ["pretty", "json"]) {
        for (const args of [["plan"], [], ["verify"], ["verify", "--json"], ["scan"]]) {
          const result = await site.ok(args, { LOG_LANG, LOG_FORMAT, COLUMNS: "200" });
          assertClean(result, site.env.REPORT_FILE);
          if (LOG_FORMAT === "pretty") assert.doesNotMatch(result.stdout, /^(?:12:00:00|\{"level")/m);
        }
      }
      const keys = (await site.objects.list()).map(({ name }) => name);
      assert.deepEqual(
        keys.filter((key) => key.split("/").length !== 5 || /\.\.|[^ -~]/.test(key)),
        [],
      );
      const rows = await site.rows();
      assert.deepEqual(rows.slice(0, before.length), before);
      assert.deepEqual(
        rows
          .slice(before.length)
          .map(({ object }) => object)
          .sort(),
        ["Controller", "Telegraf"],
      );
      const { report } = await site.run(["verify"], { LOG_LANG });
      const listed = report?.platforms.flatMap(({ collectors }) => collectors.listed) ?? [];
      assert.ok(listed.includes(STORABLE[1] ?? ""), "a row that cannot be part of a key is listed");
    });
  }

  test("on the volume and on the command line", async () => {
    const site = await servers.site();
    mkdirSync(join(site.volume, "\u009b31m\u202efolder"));
    for (const [index, text] of STORABLE.entries()) {
      const name = text.replaceAll("/", "");
      writeFileSync(
        join(site.volume, `fusion-collectors-${index}${name}.zip`),
        "<!DOCTYPE html><html></html>",
      );
    }
    for (const LOG_FORMAT of ["pretty", "json"]) {
      const result = await site.run(["scan"], { LOG_FORMAT });
      assert.equal(result.code, 65, explain(result));
      assertClean(result, site.env.REPORT_FILE);
      for (const text of STORABLE) {
        for (const args of [[text], ["--file", text], ["--os", text], [`--${text}`], ["help", text]]) {
          // "--x=y" gives a value
          if (args[0]?.includes("=")) continue;
          if (LOG_FORMAT === "pretty" || text === STORABLE[0])
            assertClean(await site.run([...args, "--json"], { LOG_FORMAT }), site.env.REPORT_FILE);
        }
      }
    }
  });
});
