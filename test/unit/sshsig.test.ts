import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkSignature, parseKeys, parseSignature } from "../../src/sshsig.ts";

/** Made by ssh-keygen of OpenSSH 9.2 over LIST, with `-Y sign -n bklite-package`. */
const LIST = Buffer.from("x  ./f\n");
const KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPdK+aaBwzy4weWTXUXpJlbYB7irJbLECh/jZLvBgDu3 release@example.com\n";
const SIGNATURE = `-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg90r5poHDPLjB5ZNdRekmVtgHuK
slssQKH+Nku8GAO7cAAAAOYmtsaXRlLXBhY2thZ2UAAAAAAAAABnNoYTUxMgAAAFMAAAAL
c3NoLWVkMjU1MTkAAABAkeq3NFJtmYBFImeD36mThwKQI0tUw6CBQMiqdj6Sbd8XDMQSwK
lEcyR7FA4HRrtlHTCQOd3rAnZLZ5d2vzFsBw==
-----END SSH SIGNATURE-----
`;
const FINGERPRINT = "SHA256:yJ+6Yl1MpWRtyeecWa5qZVxklfTYr5hl5g5LR2yN43o";
const NOW = Date.UTC(2026, 0, 1);

/** In a word: who signed, or why the signature does not count. */
function judge(signature: string, list: Buffer, keyFile: string): string {
  const { keys, bad } = parseKeys(keyFile);
  if (bad[0]) return `line ${bad[0].line}: ${bad[0].fault} ${bad[0].word}`.trimEnd();
  const found = parseSignature(signature);
  if (!found) return "no signature";
  const verdict = checkSignature(found, list, keys, NOW);
  return "signer" in verdict ? `signed by ${verdict.signer.comment}` : verdict.refused;
}

const withOptions = (options: string) => `release ${options} ${KEY}`;

test("a signature that ssh-keygen wrote is valid, and names its key", () => {
  assert.equal(judge(SIGNATURE, LIST, KEY), "signed by release@example.com");
  assert.equal(parseKeys(KEY).keys[0]?.fingerprint, FINGERPRINT);
  assert.equal(
    judge(SIGNATURE, LIST, `# keys\n\nother@x ${KEY}`.replaceAll("\n", "\r\n")),
    "signed by release@example.com",
  );
  assert.equal(judge(SIGNATURE, LIST, KEY.replace(" release@example.com", "")), "signed by ");
  const mark = Buffer.from("\ufeff").toString("latin1");
  assert.equal(judge(SIGNATURE, LIST, `${mark}${KEY}`), "signed by release@example.com");
  assert.equal(judge(SIGNATURE, LIST, `${mark}#release ${KEY}`), "stranger");
  assert.equal(judge(SIGNATURE, LIST, `\t # keys\n  a@x,b* ${KEY}`), "signed by release@example.com");
});

test("no signature, list or key with one flipped bit is valid", () => {
  const flipped = function* (bytes: Buffer) {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      yield copy;
    }
  };
  const accepted: string[] = [];
  const accept = (what: string, verdict: string) => {
    if (verdict.startsWith("signed")) accepted.push(what);
  };
  for (const copy of flipped(Buffer.from(SIGNATURE)))
    accept("signature", judge(copy.toString("latin1"), LIST, KEY));
  for (const copy of flipped(LIST)) accept("list", judge(SIGNATURE, copy, KEY));
  // The comment is free text: the flips end before the blank in front of it.
  const [key, comment] = [KEY.slice(0, KEY.lastIndexOf(" ") + 1), KEY.slice(KEY.lastIndexOf(" ") + 1)];
  for (const copy of flipped(Buffer.from(key))) {
    accept("key", judge(SIGNATURE, LIST, `${copy.toString("latin1")}${comment}`));
  }
  assert.deepEqual(accepted, []);
});

describe("a signature that is not exactly as ssh-keygen writes it is none", () => {
  const variants: Record<string, string> = {
    empty: "",
    "text before it": `\n${SIGNATURE}`,
    "text behind it": `${SIGNATURE}\n`,
    "no end of the last line": SIGNATURE.slice(0, -1),
    "CRLF line ends": SIGNATURE.replaceAll("\n", "\r\n"),
    "other line lengths": SIGNATURE.replace("uK\nsl", "uKs\nl"),
    "set bits behind the last byte": SIGNATURE.replace("sBw==", "sBx=="),
    "no padding": SIGNATURE.replace("==", ""),
    twice: SIGNATURE + SIGNATURE,
  };
  for (const [name, text] of Object.entries(variants)) {
    test(name, () => assert.equal(parseSignature(text), undefined));
  }
});

describe("options of allowed_signers", () => {
  const verdicts: Record<string, string> = {
    'namespaces="bklite-package"': "signed by release@example.com",
    'namespaces="git,bk*"': "signed by release@example.com",
    'NAMESPACES="bklite-packag?"': "signed by release@example.com",
    'namespaces="git"': "forbidden",
    'namespaces="*,!bklite*"': "forbidden",
    'valid-after="20250101",valid-before="20270101Z"': "signed by release@example.com",
    'valid-before="202512312359"': "expired",
    'valid-after="20260102000000Z"': "early",
    'valid-before="20251301"': 'line 1: option valid-before="20251301"',
    'valid-after="19600101"': 'line 1: option valid-after="19600101"',
    'valid-after="00990101"': 'line 1: option valid-after="00990101"',
    'valid-before="20250230"': 'line 1: option valid-before="20250230"',
    'namespaces="a",namespaces="bklite-package"': 'line 1: option namespaces="bklite-package"',
    "cert-authority": "line 1: option cert-authority",
    'verify-required="x"': 'line 1: option verify-required="x"',
  };
  for (const [options, verdict] of Object.entries(verdicts)) {
    test(options, () => assert.equal(judge(SIGNATURE, LIST, withOptions(options)), verdict));
  }

  test("one of several entries of a key has to hold", () => {
    const entries = withOptions('namespaces="git"') + withOptions('valid-before="20300101"');
    assert.equal(judge(SIGNATURE, LIST, entries), "signed by release@example.com");
  });
});

test("other keys, and lines that are no key, are named", () => {
  const other = KEY.replace("IPdK", "IPdL");
  for (const principals of ["!release", "release,!release", "*,!old@x"])
    assert.equal(judge(SIGNATURE, LIST, `${principals} ${KEY}`), `line 1: option ${principals}`);
  assert.equal(judge(SIGNATURE, LIST, other), "stranger");
  assert.equal(judge(SIGNATURE, LIST, "ssh-rsa AAAAB3NzaC1yc2E= me\n"), "line 1: type ssh-rsa");
  assert.equal(judge(SIGNATURE, LIST, `${KEY}release hello\n`), "line 2: form");
  assert.equal(judge(SIGNATURE, LIST, KEY.replace("AAAAC3", "AAAAC4")), "line 1: form");
  assert.equal(judge(SIGNATURE, LIST, KEY.replace(" release", "release")), "line 1: form");
});
