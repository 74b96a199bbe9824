import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { age } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { random, rounds, SEED } from "../support/rounds.ts";
import { type Archive, compare, type Difference } from "./differential/compare.ts";
import { makeContents } from "./differential/contents.ts";
import { damage } from "./differential/damage.ts";
import { takeOurs } from "./differential/ours.ts";
import { findPeers, type Kind, type Peers, readTree, type Tree } from "./differential/peers.ts";
import { makeTarGz } from "./differential/tar.ts";
import { makeZip } from "./differential/zip.ts";

const ROUNDS = rounds(40);
const folder = tempDir("differential");
let peers: Peers;

before(async () => {
  process.umask(0);
  peers = await findPeers();
});
after(() => {
  peers?.close();
  folder.remove();
});

interface Made extends Archive {
  bytes: Buffer;
}

/** One made-up archive, perhaps damaged. */
function make(kind: Kind, round: number): Made {
  const dice = random(`differential ${kind} ${round}`);
  const contents = makeContents(dice);
  const bytes = kind === "zip" ? makeZip(contents, dice) : makeTarGz(contents, dice);
  const damaged = dice.int(100) < 30;
  return { ...contents, kind, damaged, bytes: damaged ? damage(bytes, dice, contents.traits) : bytes };
}

/** What each reader unpacks, or what it says instead. */
async function unpackAll(kind: Kind, archive: string, under: string) {
  const results: { peer: string; said?: string; tree: Tree }[] = [];
  for (const peer of peers.list.filter((one) => one.kind === kind)) {
    const into = join(under, peer.name);
    mkdirSync(into, { recursive: true });
    const said = await peer.unpack(archive, into);
    results.push({ peer: peer.name, ...(said !== undefined && { said }), tree: readTree(into) });
  }
  return results;
}

for (const kind of ["zip", "tar.gz"] as const) {
  describe(kind, () => {
    test(`${ROUNDS} made-up archives: what is stored is what other readers unpack, and what they reject is rejected`, async (t) => {
      t.diagnostic(`readers: ${peers.words || "none on this machine"}; seed ${SEED}`);
      const differences: Difference[] = [];
      const count = { accepted: 0, refused: 0, listed: 0 };
      for (let round = 0; round < ROUNDS; round += 1) {
        const under = join(folder.path, `${kind}-${round}`);
        mkdirSync(under);
        const path = join(under, `fusion-collectors-linux-amd64-1.2.3.${kind}`);
        const made = make(kind, round);
        writeFileSync(path, made.bytes);
        age(path);
        const ours = await takeOurs(path);
        count[ours.refused.length > 0 ? "refused" : "accepted"] += 1;
        const theirs = await unpackAll(kind, path, join(under, "source"));
        const again = async (bytes: Buffer, name: string) => {
          const zip = join(under, `${name}.zip`);
          writeFileSync(zip, bytes);
          return unpackAll("zip", zip, join(under, name));
        };
        for (const found of await compare(made, ours, theirs, again)) {
          if (found.listed) count.listed += 1;
          else differences.push({ ...found, round });
        }
        rmSync(under, { recursive: true });
      }
      t.diagnostic(
        `${count.accepted} accepted, ${count.refused} refused, ${count.listed} listed differences`,
      );
      assert.ok(count.accepted > ROUNDS / 5 && count.refused > ROUNDS / 5, "archives of both kinds");
      assert.deepEqual(differences.slice(0, 20), []);
    });
  });
}
