import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { Reader } from "../../src/config/env.ts";
import { readVolumeConfig } from "../../src/config/job-settings.ts";
import { JobError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import type { ScanContext } from "../../src/job.ts";
import { createLog } from "../../src/output/log.ts";
import { describeProblem } from "../../src/output/report.ts";
import { openTerminal } from "../../src/output/terminal.ts";
import { judge } from "../../src/packages/resolve.ts";
import { listFiles, scanFiles } from "../../src/reconcile/prepare.ts";
import { buildArchive } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { type Random, random, rounds } from "../support/rounds.ts";
import { sha256 } from "../support/site.ts";
import { volume } from "../support/volume.ts";
import { hostileName } from "./names.ts";

/** 10,000 with `--rounds 50`. */
const ROUNDS = rounds(2) * 200;
/** Milliseconds; a round that takes longer hangs. */
const LIMIT = 30_000;
const NAME = "fusion-collectors-linux-amd64-1.2.3.zip";
const { signal } = new AbortController();

let archive: Buffer;
let digest: string;

before(async () => {
  const folder = tempDir("fuzz-volume");
  const path = join(folder.path, NAME);
  await buildArchive(path, { payloadBytes: 2000 });
  archive = readFileSync(path);
  digest = await sha256(path);
  folder.remove();
});

/** A line of a checksum list as tools write it, as people break it, or of anything. */
function checksumLine(dice: Random): string {
  const sum = dice.pick([digest, digest.toUpperCase(), digest.slice(1), "0".repeat(64), ""]);
  const name = dice.pick([NAME, `./${NAME}`, `dist\\${NAME}`, hostileName(dice)]);
  return dice.pick([
    `${sum}  ${name}`,
    `${sum} *${name}`,
    `SHA256 (${name}) = ${sum}`,
    `SHA2-256(${name})= ${sum}`,
    `\\${sum}  ${name}`,
    `${sum}${" ".repeat(dice.int(5000))}${name}`,
    hostileName(dice, 6000),
    "#",
  ]);
}

function checksums(dice: Random): Buffer {
  const lines = Array.from({ length: dice.int(5) }, () => checksumLine(dice));
  const text = lines.join(dice.pick(["\n", "\r\n", "\r"]));
  const bytes = Buffer.from(text, dice.pick(["utf8", "utf16le", "latin1"]));
  return Buffer.concat([
    dice.pick([Buffer.alloc(0), Buffer.from([0xff, 0xfe]), Buffer.from([0xef, 0xbb, 0xbf])]),
    bytes,
  ]);
}

/** A file's name in bytes: text, GBK, Shift-JIS, or noise, with an ending that is looked for. */
function byteName(dice: Random): Buffer {
  const stem = dice.pick([
    Buffer.from(hostileName(dice, 60)),
    Buffer.from("b1b8b7dd", "hex"),
    Buffer.from("83748340", "hex"),
    Buffer.from(Array.from({ length: 1 + dice.int(40) }, () => dice.int(256))),
    Buffer.from("fusion-collectors-linux-amd64-2.0.0"),
  ]);
  const ending = dice.pick(["", ".zip", ".tar.gz", ".sha256", ".zip.001", ".part"]);
  const name = Buffer.concat([stem, Buffer.from(ending)]).filter((byte) => byte !== 0 && byte !== 0x2f);
  return Buffer.from(name.length === 0 || /^\.+$/.test(String(name)) ? "x" : name.subarray(0, 250));
}

function manifest(dice: Random): string {
  const value = () =>
    dice.pick<unknown>([hostileName(dice), NAME, 1, null, [], {}, true, "1.0.0", "collector"]);
  const entry = () =>
    Object.fromEntries(
      ["file", "type", "os", "arch", "object", "version", "description"]
        .filter(() => dice.int(2) === 0)
        .map((field) => [dice.int(20) === 0 ? hostileName(dice, 20) : field, value()]),
    );
  const text = JSON.stringify({ packages: Array.from({ length: dice.int(3) }, entry) });
  return dice.int(3) === 0 ? text.slice(0, dice.int(text.length)) : text;
}

const silent = createLog({
  level: "fatal",
  format: "json",
  terminal: openTerminal(2, process, {}),
  redact: (text) => text,
  language: "en",
});

/** Reads and judges the volume as `scan` does; returns the exit code that it would end with. */
async function verdictOn(packagesDir: string): Promise<number> {
  const config = readVolumeConfig(new Reader({ PACKAGES_DIR: packagesDir, WAIT_TIMEOUT: "0" }));
  try {
    const job = { args: {}, config, log: silent, signal } as ScanContext;
    const archives = await scanFiles(await listFiles(job), job, signal);
    const { problems } = await judge(archives, {}, config, signal);
    for (const problem of problems) describeProblem(problem, "zh");
    return problems.length > 0 ? EXIT.invalidPackage : EXIT.ok;
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    return error.code;
  }
}

test(`${ROUNDS} volumes with odd lists, names and manifests: each gets a verdict`, async () => {
  const seen = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    const dice = random(`fuzz-volume ${round}`);
    await using on = await volume();
    const put = (name: string | Buffer, data: string | Buffer) => {
      const path = Buffer.concat([Buffer.from(`${on.dir}/`), Buffer.from(name)]);
      writeFileSync(path, data);
    };
    put(NAME, archive);
    if (dice.int(2) === 0) put("SHA256SUMS", checksums(dice));
    if (dice.int(2) === 0) put(`${NAME}.sha256`, checksums(dice));
    if (dice.int(3) === 0) put("VERSION", hostileName(dice, 3000));
    if (dice.int(3) === 0) put("packages.json", manifest(dice));
    for (let files = dice.int(4); files > 0; files--)
      put(byteName(dice), dice.pick([archive, Buffer.from(hostileName(dice)), Buffer.alloc(0)]));
    const late = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error(`round ${round} hangs`)), LIMIT).unref(),
    );
    const code = await Promise.race([verdictOn(on.dir), late]);
    // 74: what is cut short and was written a moment ago may still be growing
    const verdicts: number[] = [EXIT.ok, EXIT.invalidPackage, EXIT.noInput, EXIT.fileRead];
    assert.ok(verdicts.includes(code), `round ${round}: exit ${code}`);
    seen.add(code);
  }
  assert.ok(seen.has(EXIT.ok) && seen.has(EXIT.invalidPackage), `only ${[...seen].join(", ")}`);
});
