import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isKeyPart, isRowName } from "../../src/identity.ts";
import { LANGUAGES } from "../../src/messages/define.ts";
import { tempDir } from "../support/guard.ts";
import { assertClean, HIDDEN } from "../support/hostile-text.ts";
import { random, rounds } from "../support/rounds.ts";
import { explain, useServers } from "../support/site.ts";
import { createCollectorTable, insertRow } from "../support/tables.ts";
import { hostileName, SECRET, SECRET_PARTS } from "./names.ts";

/** 10,000 with `--rounds 50`. */
const ROUNDS = rounds(2) * 200;
/** Of the whole job, with servers. */
const RUNS = rounds(2) * 2;
/** Milliseconds without a byte: a round is ended after that. */
const LIMIT = 120_000;
const CHILD = join(import.meta.dirname, "text-child.ts");

/** Runs the child, which is killed when it says nothing for LIMIT; `look` sees each piece of its output. */
async function runChild(args: string[], look: (lines: string) => void, limit = LIMIT): Promise<void> {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let late = false;
  const end = () => {
    late = true;
    child.kill("SIGKILL");
  };
  let timer = setTimeout(end, limit);
  child.stderr.setEncoding("utf8").on("data", (piece) => {
    said += said.length < 10_000 ? piece : "";
  });
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    clearTimeout(timer);
    timer = setTimeout(end, limit);
    const whole = rest + piece;
    const cut = whole.lastIndexOf("\n") + 1;
    look(whole.slice(0, cut));
    rest = whole.slice(cut);
  });
  const [code] = await once(child, "close");
  clearTimeout(timer);
  look(rest);
  assert.deepEqual([late, code, args[0] === "rounds" ? said : ""], [false, 0, ""], said);
}

describe("names that an enemy gives", { concurrency: 2 }, () => {
  test(`${ROUNDS} rounds through every output: nothing hidden, no half of a secret, no key made of them`, async (t) => {
    const folder = tempDir("text");
    t.after(() => folder.remove());
    let round = "";
    let reasons = 0;
    let last = "";
    const wrong: string[] = [];
    await runChild(["rounds", String(ROUNDS), folder.path], (lines) => {
      reasons ||= JSON.parse(lines.split("\n")[0] || "{}").reasons ?? 0;
      for (const line of lines.split("\n")) {
        if (line.startsWith("round ")) round = line;
        const at = line.search(HIDDEN);
        if (at >= 0) wrong.push(`${round}: ${JSON.stringify(line.slice(Math.max(0, at - 100), at + 30))}`);
        if (SECRET_PARTS.some((part) => line.includes(part))) wrong.push(`${round}: ${line}`);
      }
      last = round;
    });
    assert.deepEqual(wrong.slice(0, 3), []);
    assert.equal(last, `round ${ROUNDS - 1}`);
    assert.ok(reasons > 300, `only ${reasons} reasons are said`);
  });

  test("ten times the text needs no more than twenty times as long", async () => {
    let found = "";
    const piece = (text: string) => {
      found += text;
    };
    await runChild(["linear"], piece, 10 * LIMIT);
    assert.deepEqual(JSON.parse(found), []);
  });
});

describe("a table that an enemy has written", () => {
  const servers = useServers();
  for (let round = 0; round < RUNS; round++) {
    test(`round ${round}`, async () => {
      const dice = random(`table ${round}`);
      const site = await servers.site({ state: "C" });
      await site.archive();
      const name = (longest: number) => hostileName(dice, longest).toWellFormed().replaceAll("\0", "");
      const rows = Array.from({ length: 1 + dice.int(5) }, (_, index) => ({
        name: index === 0 ? "Telegraf" : name(90),
        node_operating_system: "linux",
        executable_path: dice.pick([
          "/opt/fusion-collectors/bin/telegraf",
          `/opt/fusion-collectors/${name(90)}`,
        ]),
        package_name: name(90),
      }));
      await createCollectorTable(site.db, { state: "C", rows });
      for (let index = 0; index < 8; index++) {
        await insertRow(site.db, {
          created_by: dice.pick(["admin", "system"]),
          type: dice.pick(["controller", "collector", name(50)]),
          os: dice.pick(["linux", name(15)]),
          object: dice.pick(["Controller", name(90)]),
          version: `${index}${name(80)}`,
          name: name(90),
        });
      }
      const before = await site.rows();
      const env = {
        LOG_LANG: dice.pick(LANGUAGES),
        LOG_FORMAT: dice.pick(["pretty", "json"]),
        COLUMNS: dice.pick(["40", "80", "200"]),
        NATS_TOKEN: SECRET,
      };
      for (const args of [["plan"], [], ["verify", "--json"]]) {
        const result = await site.run(args, env);
        assertClean(result, site.env.REPORT_FILE);
        assert.ok([0, 65, 76].includes(result.code ?? -1), explain(result));
        for (const part of SECRET_PARTS) assert.ok(!`${result.stdout}${result.stderr}`.includes(part), part);
      }
      const after = await site.rows();
      assert.deepEqual(after.slice(0, before.length), before);
      for (const { object, version, name: file } of after.slice(before.length))
        assert.ok([object, version].every(isKeyPart) && isRowName(file), `${object} ${version} ${file}`);
      for (const { name: key } of await site.objects.list()) {
        const parts = key.split("/");
        assert.ok(parts.length === 5 && parts.every(isRowName), JSON.stringify(key));
      }
    });
  }
});
