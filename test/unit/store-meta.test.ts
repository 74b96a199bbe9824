import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Bucket } from "../../src/store/bucket.ts";
import { LiveNames } from "../../src/store/live-metadata.ts";
import {
  chunkSubject,
  metaSubject,
  type Nuid,
  newNuid,
  type ObjectMeta,
  parseNuid,
} from "../../src/store/meta.ts";
import { readMeta } from "../../src/store/object.ts";

const BUCKET = "bklite";
const KEY = "linux/x86_64/Controller/1.0.0/a.zip";
const NUID = newNuid();
const META: ObjectMeta = {
  name: KEY,
  description: "a.zip",
  headers: { "X-One": ["1", "2"] },
  options: { max_chunk_size: 1000 },
  bucket: BUCKET,
  nuid: NUID,
  size: 5,
  mtime: "2026-01-01T00:00:00.000Z",
  chunks: 1,
  digest: `SHA-256=${"A".repeat(43)}=`,
};

const read = (value: unknown, subject = metaSubject(BUCKET, KEY)) =>
  readMeta(BUCKET, subject, value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value)));
const isDamaged = (value: unknown) => read(value).facts.nuid === undefined;

describe("a nuid that others wrote", () => {
  const bad = ["", "*", ">", "a.>", "a.*", "a.b", ".", "a b", "a\tb", "a\nb", "a\0b", "a\u00a0b", "a\u2028b"];
  const worse = ["x".repeat(10_000), "\u202ea", "\ud800", 1, null, undefined, {}, ["a"], true];
  for (const value of [...bad, ...worse])
    test(`is none: ${JSON.stringify(value)?.slice(0, 30)}`, () => {
      assert.equal(parseNuid(value), undefined);
      assert.ok(isDamaged({ ...META, nuid: value }));
      assert.deepEqual(read({ ...META, nuid: value }).names, []);
    });

  for (const value of ["a", NUID, "VzN8PqD3a1ZrPE2Aq0QXyL", "_INBOX-$x", "é"])
    test(`is one: ${value}`, () => {
      assert.equal(parseNuid(value), value);
      assert.equal(chunkSubject(BUCKET, parseNuid(value) ?? assert.fail()), `$O.bklite.C.${value}`);
    });
});

test("a text that nobody has parsed names no chunks, by its type", () => {
  const text: string = ">";
  // @ts-expect-error: only parseNuid and newNuid make a Nuid
  const purge = (bucket: Bucket) => bucket.purgeChunks(text);
  assert.ok(purge);
});

describe("metadata", () => {
  test("that every client reads is used", () => {
    const { key, facts, names } = read(META);
    assert.deepEqual([key, facts.nuid, facts.size, facts.chunks, names], [KEY, NUID, 5, 1, [NUID]]);
    assert.deepEqual(facts.headers, META.headers);
  });

  const fine: [string, object][] = [
    ["nulls as nats.py may write them", { headers: null, description: null, options: null, mtime: null }],
    ["a time as nats.py writes it", { mtime: "2026-01-01T00:00:00.123456+00:00" }],
    ["a time as nats.go writes it", { mtime: "0001-01-01T00:00:00Z" }],
    [
      "no options, headers or description",
      { headers: undefined, options: undefined, description: undefined },
    ],
    ["a link that is null", { options: { link: null, max_chunk_size: 1 } }],
    ["fields that nobody knows", { metadata: { a: "b" }, more: [1] }],
    ["nothing in it", { size: 0, chunks: 0, digest: null }],
  ];
  for (const [name, changes] of fine)
    test(`with ${name} is used`, () => assert.ok(!isDamaged({ ...META, ...changes })));

  const damaged: [string, object][] = [
    ["without a name", { name: undefined }],
    ["with another name", { name: `${KEY}2` }],
    ["without a bucket", { bucket: undefined }],
    ["of another bucket", { bucket: "other" }],
    ["with a link", { options: { link: { bucket: "bklite", name: "x" } } }],
    ["with an empty link", { options: { link: {} } }],
    ["with options that are none", { options: [] }],
    ["with a negative size", { size: -1 }],
    ["with a size that is no integer", { size: 1.5 }],
    ["with a size that no number holds", { size: 2 ** 53 }],
    ["with a size in quotes", { size: "5" }],
    ["without a size", { size: undefined }],
    ["with chunks in quotes", { chunks: "1" }],
    ["with no chunks for its bytes", { chunks: 0 }],
    ["with headers that are a list", { headers: [] }],
    ["with a header that is no list", { headers: { a: "b" } }],
    ["with a header of numbers", { headers: { a: [1] } }],
    ["deleted in words", { deleted: "true" }],
    ["with a digest that is no text", { digest: 1 }],
    ["without a digest", { digest: undefined }],
    ["with a digest without its padding", { digest: META.digest.slice(0, -1) }],
    ["with a digest in another alphabet", { digest: `SHA-256=${"+".repeat(43)}=` }],
    ["with a digest under another name", { digest: META.digest.replace("SHA", "sha") }],
    ["with a time that is none", { mtime: "yesterday" }],
    ["with a time that no calendar has", { mtime: "2026-13-01T00:00:00Z" }],
    ["with more chunks than Go counts", { chunks: 2 ** 32 }],
    ["with larger chunks than Go counts", { options: { max_chunk_size: 2 ** 32 } }],
    ["with a second name in capitals, which Go reads", { Name: "other" }],
    ["deleted for Go alone", { DELETED: true }],
  ];
  for (const [name, changes] of damaged)
    test(`${name} is damaged, and nothing of it is used`, () => {
      const { facts, names } = read({ ...META, ...changes });
      assert.deepEqual(facts, {
        nuid: undefined,
        size: 0,
        chunks: 0,
        sha256: undefined,
        deleted: false,
        headers: {},
      });
      assert.deepEqual(names, [NUID], "but what it names is not purged");
    });

  test("that is no JSON object is damaged", () => {
    const texts = ["", "null", "1", '"a"', "[]", "{", "[".repeat(100_000), JSON.stringify([META])];
    for (const text of texts) assert.ok(isDamaged(Buffer.from(text)), text.slice(0, 20));
  });

  test("that is not UTF-8 is damaged, and still names its chunks", () => {
    const { facts, names } = read(Buffer.from(JSON.stringify({ ...META, description: "\xff" }), "latin1"));
    assert.deepEqual([facts.nuid, names], [undefined, [NUID]]);
  });

  test("that one client alone reads is damaged, and still names the chunks that this client finds", () => {
    const json = JSON.stringify(META);
    const other = newNuid();
    const texts: [string, Nuid[]][] = [
      [`\ufeff${json}`, [NUID]],
      [json.replace("{", '{"x":NaN,'), [NUID]],
      [json.slice(0, -1), [NUID]],
      [json.replace('"nuid"', '"NUID" \n'), [NUID]],
      [json.replace("{", `{"Nuid":"${other}",`), [NUID, other]],
    ];
    for (const [text, wanted] of texts) {
      const { facts, names } = read(Buffer.from(text));
      assert.deepEqual([facts.nuid, names], [undefined, wanted], text);
    }
  });

  test("with a field twice has the last one, as every client does, but both keep their chunks", () => {
    const other = newNuid();
    const { facts, names } = read(Buffer.from(JSON.stringify(META).replace("{", `{"nuid":"${other}",`)));
    assert.deepEqual([facts.nuid, names], [NUID, [NUID, other]]);
  });

  test("of 1 MB is read in no time, whatever is in it", () => {
    for (const text of ['"nuid"', '"nuid" ', '"nuid":"', '"nuid":"a', " ", "[", '{"a":'])
      assert.ok(isDamaged(Buffer.from(text.repeat(2 ** 20 / text.length))));
  });

  test("under a subject that no client reads is no object, and still names its chunks", () => {
    for (const name of [KEY.replace("a.zip", "b"), "\xff"]) {
      const subject = metaSubject(BUCKET, name).replace(/=+$/, "");
      const { key, names } = read({ ...META, name }, `${subject}.x`);
      assert.deepEqual([key, names], [undefined, [NUID]]);
    }
  });

  test("of a deleted object names nothing", () => {
    const { facts, names } = read({ ...META, deleted: true, size: 0, chunks: 0, digest: "" });
    assert.deepEqual([facts.deleted, facts.nuid, names], [true, NUID, []]);
  });
});

test("chunks are named until the last metadata that names them is gone, in whatever order it is read", () => {
  const names = new LiveNames();
  names.note("a", [newNuid(), NUID], 1);
  names.note("b", [NUID], 2);
  names.note("a", [], 5);
  names.note("a", [NUID], 3);
  assert.ok(names.has(NUID));
  names.note("b", [newNuid()], 6);
  assert.ok(!names.has(NUID));
});
