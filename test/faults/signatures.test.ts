import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkSignature, NAMESPACE, parseKeys, parseSignature } from "../../src/sshsig.ts";
import { random, rounds } from "../support/rounds.ts";
import { signingKey, sshSignature } from "../support/sign.ts";
import { volume } from "../support/volume.ts";

/**
 * Whether this machine has ssh-keygen (Debian's openssh-client): the test vectors of unit/sshsig.test.ts need
 * none.
 */
const HAS_KEYGEN = spawnSync("ssh-keygen", ["-Y", "help"]).error === undefined;

/** Runs ssh-keygen in a folder; returns whether it succeeded. */
function keygen(dir: string, args: readonly string[], input?: Buffer): boolean {
  return spawnSync("ssh-keygen", args, { cwd: dir, input }).status === 0;
}

/** Whether the job accepts a signature. */
function accepts(list: Buffer, signature: Buffer, signers: string): boolean {
  const { keys, bad } = parseKeys(signers);
  const found = parseSignature(signature.toString("latin1"));
  return bad.length === 0 && found !== undefined && "signer" in checkSignature(found, list, keys, Date.now());
}

test("accepts what ssh-keygen wrote unchanged, and nothing that it rejects", async (context) => {
  if (!HAS_KEYGEN) context.diagnostic("no ssh-keygen on this machine: the signatures are the tests' own");
  await using on = await volume({});
  const dice = random("signatures");
  const wrong: string[] = [];
  let [taken, refused] = [0, 0];
  for (let round = 0; round < rounds(60); round += 1) {
    const own = signingKey();
    const pair = { list: Buffer.from(`${round} ${"x".repeat(dice.int(300))}\n`), line: own.line };
    const paths = { list: join(on.dir, `list${round}`), key: join(on.dir, `key${round}`) };
    writeFileSync(paths.list, pair.list);
    let [signature, line] = [Buffer.from(sshSignature(pair.list, own)), own.line];
    if (HAS_KEYGEN) {
      assert.ok(keygen(on.dir, ["-q", "-t", "ed25519", "-N", "", "-C", `k${round}@x`, "-f", paths.key]));
      const hash = dice.pick(["sha256", "sha512"]);
      assert.ok(
        keygen(on.dir, ["-Y", "sign", "-f", paths.key, "-n", NAMESPACE, "-O", `hashalg=${hash}`, paths.list]),
      );
      signature = readFileSync(`${paths.list}.sig`);
      line = readFileSync(`${paths.key}.pub`, "utf8");
    }
    const signers = `release ${dice.pick(["", 'namespaces="bklite-package" ', 'valid-before="20990101" '])}${line}`;
    if (!accepts(pair.list, signature, signers)) wrong.push(`round ${round}: rejected`);
    taken += 1;
    for (let change = 0; change < 8; change += 1) {
      const parts = { list: pair.list, signature, signers: Buffer.from(signers) };
      const which = dice.pick(["list", "signature", "signature", "signers"] as const);
      const copy = mutate(parts[which], dice);
      const changed = { ...parts, [which]: copy };
      if (copy.equals(parts[which])) continue;
      const ours = accepts(changed.list, changed.signature, changed.signers.toString("latin1"));
      if (!ours) refused += 1;
      else if (which !== "signers") wrong.push(`round ${round}: a changed ${which} was accepted`);
      else if (HAS_KEYGEN && !theirs(on.dir, changed))
        wrong.push(
          `round ${round}: ssh-keygen rejects ${JSON.stringify(changed.signers.toString("latin1"))}`,
        );
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(taken > 0 && refused > taken);
});

/** What `ssh-keygen -Y verify` says. */
function theirs(
  dir: string,
  { list, signature, signers }: Record<"list" | "signature" | "signers", Buffer>,
): boolean {
  const files = { sig: join(dir, "try.sig"), signers: join(dir, "try.signers") };
  writeFileSync(files.sig, signature);
  writeFileSync(files.signers, signers);
  const principals = [...signers.toString("latin1").matchAll(/^\s*"?([^"\s]+)/gm)].map(
    ([, name = ""]) => name,
  );
  return ["release", ...principals].some((name) =>
    keygen(dir, ["-Y", "verify", "-f", files.signers, "-I", name, "-n", NAMESPACE, "-s", files.sig], list),
  );
}

function mutate(bytes: Buffer, dice: ReturnType<typeof random>): Buffer {
  const at = dice.int(Math.max(1, bytes.length));
  const copy = Buffer.from(bytes);
  switch (dice.int(4)) {
    case 0:
      if (copy.length > 0) copy.writeUInt8(copy.readUInt8(at) ^ (1 << dice.int(8)), at);
      return copy;
    case 1:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1)]);
    case 2:
      return Buffer.concat([
        copy.subarray(0, at),
        Buffer.from(dice.pick([" ", "\n", "\0", "A", "="])),
        copy.subarray(at),
      ]);
    default:
      return Buffer.concat([copy, Buffer.from(dice.pick(["\n", "x", " "]))]);
  }
}
