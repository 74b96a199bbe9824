import { readFileSync, statSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { crc32, gunzipSync } from "node:zlib";
import { type Random, random } from "../support/rounds.ts";
import { judgeFiles, zipIsDamaged } from "./inspector.ts";

/**
 * `fuzz-child.ts ARCHIVE COPY ROUNDS`: mutates a valid archive, lets the job's own reader judge each mutant,
 * and compares with a full read of another kind. Prints what was found as JSON.
 */
const [path = "", copy = "", count = "0"] = process.argv.slice(2);
const format = path.endsWith(".zip") ? "zip" : "tar.gz";
const original = readFileSync(path);
const content = format === "zip" ? undefined : gunzipSync(original);
/** Milliseconds; a mutant of some kilobytes that takes longer has found a way to make the reader hang. */
const LIMIT = 5_000;

type Mutation = (bytes: Buffer, dice: Random) => Buffer<ArrayBuffer>;
const INTERESTING = [0, 1, 0x7f, 0x80, 0xff];
const MUTATIONS: Mutation[] = [
  function flipBit(bytes, dice) {
    const out = Buffer.from(bytes);
    const at = dice.int(out.length);
    out[at] = (out[at] ?? 0) ^ (1 << dice.int(8));
    return out;
  },
  function setByte(bytes, dice) {
    const out = Buffer.from(bytes);
    out[dice.int(out.length)] = dice.pick(INTERESTING);
    return out;
  },
  // where a zip keeps its directory, and a gzip its checksum
  function nearTheEnd(bytes, dice) {
    const out = Buffer.from(bytes);
    out[Math.max(0, out.length - 1 - dice.int(Math.min(out.length, 1500)))] = dice.pick(INTERESTING);
    return out;
  },
  function setWord(bytes, dice) {
    const out = Buffer.from(bytes);
    if (out.length >= 4)
      out.writeUInt32LE(dice.pick([0, 0xffffffff, 0x7fffffff, 0xffff, out.length]), dice.int(out.length - 3));
    return out;
  },
  (bytes, dice) => Buffer.from(bytes.subarray(0, dice.int(bytes.length))),
  function cutOut(bytes, dice) {
    const at = dice.int(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + dice.int(200))]);
  },
  function repeat(bytes, dice) {
    const at = dice.int(bytes.length);
    const piece = bytes.subarray(at, at + dice.int(400));
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  },
  function zeros(bytes, dice) {
    const at = dice.int(bytes.length);
    return Buffer.concat([
      bytes.subarray(0, at),
      Buffer.alloc(Math.min(dice.int(300), bytes.length - at)),
      bytes.subarray(at + 300),
    ]);
  },
  (bytes, dice) => Buffer.concat([bytes, Buffer.alloc(1 + dice.int(100), dice.pick(INTERESTING))]),
];

const findings: { round: number; what: string }[] = [];
const found = { accepted: 0, refused: 0 };
// the first is the original, so that a refusal means something
for (let round = 0; round <= Number(count); round++) {
  const mutant = round === 0 ? original : mutate(original, random(`fuzz ${format} ${round}`));
  writeFileSync(copy, mutant);
  const started = cpuMs();
  try {
    const file = {
      file: basename(copy),
      path: copy,
      root: "/",
      name: basename(copy),
      size: statSync(copy).size,
    };
    const verdict = await judgeFiles([file]);
    if (verdict.accepted) found.accepted++;
    else found.refused++;
    if (!verdict.accepted && round === 0) findings.push({ round, what: "refused as it was" });
    if (verdict.accepted && isDamaged(mutant)) findings.push({ round, what: "damaged, and accepted" });
    if (!verdict.accepted && verdict.problems.some(({ code }) => code !== 65)) {
      findings.push({ round, what: `not refused with 65: ${JSON.stringify(verdict.problems)}` });
    }
  } catch (error) {
    findings.push({ round, what: `not an error of ours: ${(error as Error).stack}` });
  }
  const took = cpuMs() - started;
  if (took > LIMIT) findings.push({ round, what: `took ${took} ms` });
}
console.log(JSON.stringify({ ...found, findings, maxRss: process.resourceUsage().maxRSS * 1024 }));

/** What it costs, however busy the machine is. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function isDamaged(mutant: Buffer): boolean {
  if (format === "zip") return zipIsDamaged(copy, crc32);
  // as it is, or without what was put behind it, which no reader minds
  return ![mutant, mutant.subarray(0, original.length)].some(holdsContent);
}

function holdsContent(gzip: Buffer): boolean {
  try {
    return gunzipSync(gzip).equals(content as Buffer);
  } catch {
    return false;
  }
}

/** One to three of the things that happen to files on their way, and some that only an enemy does. */
function mutate(bytes: Buffer, dice: Random): Buffer {
  let mutant = Buffer.from(bytes);
  for (let times = 1 + dice.int(3); times > 0; times--)
    mutant = MUTATIONS[dice.int(MUTATIONS.length)]?.(mutant, dice) ?? mutant;
  return mutant;
}
