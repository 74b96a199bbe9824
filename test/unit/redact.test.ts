import assert from "node:assert/strict";
import { test } from "node:test";
import { createRedact, escapeText, redactDeep } from "../../src/output/redact.ts";

const SECRET = 'p"ss/w:rd@1';
const redact = createRedact([SECRET]);

test("a secret goes in every form in which a driver may print it", () => {
  for (const form of [
    SECRET,
    encodeURIComponent(SECRET),
    JSON.stringify({ password: SECRET }),
    Buffer.from(SECRET).toString("base64"),
    `before ${SECRET} and ${SECRET} after`,
  ]) {
    const out = redact(form);
    assert.ok(out.includes("[redacted]"), out);
    assert.ok(!out.includes(SECRET) && !out.includes(encodeURIComponent(SECRET)), out);
    assert.ok(!out.includes(JSON.stringify(SECRET).slice(1, -1)), out);
  }
});

test("a secret goes as other languages encode it in a URL, and as SQL quotes it", () => {
  const secret = "p/'(s)*!";
  const forms = ["p%2F%27%28s%29%2A%21", "p%2f%27%28s%29%2a%21", "p%2f'(s)*!", "p%2F'(s)*!", "p/''(s)*!"];
  for (const form of forms) assert.equal(createRedact([secret])(`x ${form} y`), "x [redacted] y");
});

test("user information goes from any URL, known or not", () => {
  const none = createRedact([]);
  assert.equal(none("tls://admin:hunter2@nats:4222 is down"), "tls://[redacted]@nats:4222 is down");
  assert.equal(none("postgres://u:p@ss@db/bklite"), "postgres://[redacted]@db/bklite");
  assert.equal(none("see https://docs.nats.io/a@b"), "see https://docs.nats.io/a@b");
});

test("a secret with characters that nobody sees goes in its escaped form too", () => {
  const secret = "p\u009bss\u202e\nword";
  assert.equal(createRedact([secret])(escapeText(`said ${secret}`)), "said [redacted]");
});

test("a secret goes before a text is cut, so that half of it is not left", () => {
  for (const length of [8100, 6100, 2040]) {
    for (let shift = 0; shift < 100; shift += 7) {
      const text = `${"x".repeat(length + shift)} ${SECRET}${"y".repeat(9000)} nats://u:${SECRET}@host`;
      const out = redactDeep(text, redact);
      assert.ok(out.length < 8200 && !out.includes(SECRET.slice(0, 4)) && !out.includes(SECRET.slice(-4)));
    }
  }
});

test("Node's advice goes: its flags are none of an operator's settings", () => {
  const said =
    "self-signed certificate in certificate chain; if the root CA is installed locally, try running Node.js with --use-system-ca";
  assert.equal(
    redactDeep(`${said}. What to do: x`, redact),
    "self-signed certificate in certificate chain. What to do: x",
  );
});

test("a secret inside another goes with it", () => {
  assert.equal(createRedact(["abcd", "abcdefgh"])("abcdefgh"), "[redacted]");
});

test("a password that is also the database's name does not blank the name", () => {
  const shared = createRedact(["bklite"], ["bklite"]);
  assert.equal(shared('database "bklite" does not exist'), 'database "bklite" does not exist');
});

test("every string of a structure is redacted, nothing else is touched", () => {
  const value = { n: 1, s: SECRET, list: [SECRET, null, true], deep: { s: `x${SECRET}` } };
  assert.deepEqual(redactDeep(value, redact), {
    n: 1,
    s: "[redacted]",
    list: ["[redacted]", null, true],
    deep: { s: "x[redacted]" },
  });
});
