import assert from "node:assert/strict";
import { test } from "node:test";
import type { MsgRequest, StoredMsg, StreamInfo } from "nats";
import { LiveMetadata, type MetadataSource, type OnMessage } from "../../src/store/live-metadata.ts";
import { metaSubject, type Nuid, newNuid } from "../../src/store/meta.ts";

const BUCKET = "b";
const { signal } = new AbortController();
/** More than are read one by one. */
const MANY = 150;

interface Message {
  subject: string;
  data: Uint8Array;
  seq: number;
}

/** A stream with the last metadata message of each subject; `requests` counts the messages asked for. */
class Fake implements MetadataSource {
  readonly name = BUCKET;
  readonly last = new Map<string, Message>();
  sequence = 0;
  created = "1";
  requests = 0;
  infos = 0;
  /** What a consumer sends; undefined: this user may not have one. */
  consumer: (() => readonly Message[]) | undefined = () => this.inOrder();

  put(key: string, nuid = newNuid(), more: object = {}): Nuid {
    const subject = metaSubject(BUCKET, key);
    const meta = { name: key, bucket: BUCKET, nuid, size: 0, chunks: 0, digest: "", ...more };
    this.sequence += 1;
    this.last.set(subject, { subject, data: Buffer.from(JSON.stringify(meta)), seq: this.sequence });
    return nuid;
  }

  inOrder(): Message[] {
    return [...this.last.values()].sort((a, b) => a.seq - b.seq);
  }

  async info(): Promise<StreamInfo> {
    this.infos += 1;
    const subjects = Object.fromEntries([...this.last.keys()].map((subject) => [subject, 1]));
    return { state: { last_seq: this.sequence, subjects } } as unknown as StreamInfo;
  }

  async message(query: MsgRequest): Promise<StoredMsg | undefined> {
    this.requests += 1;
    const { seq = 0, last_by_subj: subject } = query as { seq?: number; last_by_subj?: string };
    const found =
      subject === undefined ? this.inOrder().find((one) => one.seq >= seq) : this.last.get(subject);
    return found as StoredMsg | undefined;
  }

  async readLast(_: string, onMessage: OnMessage): Promise<boolean> {
    const expected = this.last.size;
    const sent = this.consumer?.() ?? [];
    for (const { subject, data, seq } of sent) onMessage(subject, data, seq);
    return sent.length === expected;
  }

  now() {
    return { created: this.created, lastSequence: this.sequence, subjects: this.last.size };
  }
}

function open(keeps: (key: string) => boolean = (key) => key.startsWith("own/")) {
  const fake = new Fake();
  const live = new LiveMetadata(fake);
  const refresh = (all = false) => live.refresh(fake.now(), { keeps, keys: [], all }, signal);
  return { fake, live, refresh };
}

function fill(fake: Fake, count = MANY): Nuid[] {
  return Array.from({ length: count }, (_, index) => fake.put(`foreign/${index}`));
}

test("only the wanted metadata is read, and later only what is new", async () => {
  const { fake, live, refresh } = open();
  fill(fake);
  const own = fake.put("own/1");
  await refresh();
  assert.deepEqual([...live.objects.keys()], ["own/1"]);
  assert.deepEqual([live.names(own), live.size, fake.requests], [true, MANY + 1, 1]);
  await refresh();
  assert.deepEqual([fake.requests, fake.infos], [2, 1], "one question for what is new");
  const next = fake.put("own/1");
  await refresh();
  assert.deepEqual([live.names(own), live.names(next), fake.requests], [false, true, 4]);
});

test("all metadata is read together, and one by one by a user who may not have a consumer", async () => {
  for (const may of [true, false]) {
    const { fake, live, refresh } = open();
    const nuids = fill(fake);
    if (!may) fake.consumer = undefined;
    await refresh();
    await live.complete(signal);
    for (const nuid of nuids) assert.ok(live.names(nuid));
    assert.equal(fake.requests, may ? 2 : MANY + 1);
  }
});

test("what a consumer leaves out, or has in an older state, is read from the leader", async () => {
  for (const all of [true, false]) {
    const { fake, live, refresh } = open();
    const [first = newNuid(), ...others] = fill(fake);
    const stale = fake.inOrder();
    const replaced = fake.put("foreign/0");
    const late = fake.put("foreign/late");
    // It ends in the middle, too.
    fake.consumer = () => stale.slice(0, 120);
    await refresh(all);
    await live.complete(signal);
    assert.ok(!live.names(first), "the replaced object's chunks are no longer named");
    for (const nuid of [...others, replaced, late]) assert.ok(live.names(nuid));
  }
});

test("a subject that is new does not make up for one that a consumer left out", async () => {
  const { fake, live, refresh } = open();
  const nuids = fill(fake);
  fake.consumer = () => {
    const sent = fake.inOrder().toSpliced(50, 1);
    fake.put("foreign/new");
    return sent;
  };
  await refresh(true);
  await live.complete(signal);
  for (const nuid of nuids) assert.ok(live.names(nuid));
});

test("metadata that is gone without a message names nothing", async () => {
  const { fake, live, refresh } = open();
  const gone = fake.put("own/gone");
  const stays = fake.put("own/stays");
  await refresh();
  assert.ok(live.names(gone));
  fake.last.delete(metaSubject(BUCKET, "own/gone"));
  await refresh();
  assert.deepEqual(
    [live.names(gone), live.names(stays), [...live.objects.keys()]],
    [false, true, ["own/stays"]],
  );
});

test("a stream that was created again, or lost its last messages, is read from the beginning", async () => {
  for (const change of ["created", "sequence"] as const) {
    const { fake, live, refresh } = open();
    const old = fake.put("own/1");
    fake.put("own/2");
    await refresh();
    fake.last.clear();
    fake.sequence = 0;
    if (change === "created") fake.created = "2";
    const now = fake.put("own/1");
    if (change === "created") fill(fake, 5);
    await refresh();
    assert.deepEqual([live.names(old), live.names(now), [...live.objects.keys()]], [false, true, ["own/1"]]);
  }
});

test("keys of further objects are read although their like is not wanted", async () => {
  const { fake, live } = open();
  fill(fake, 3);
  const odd = fake.put("aix/1");
  const wanted = { keeps: () => false, keys: ["aix/1", "aix/nowhere"] };
  await live.refresh(fake.now(), wanted, signal);
  assert.deepEqual([...live.objects.keys()], ["aix/1"]);
  assert.equal(fake.requests, 1);
  const next = fake.put("aix/1");
  await live.refresh(fake.now(), wanted, signal);
  assert.deepEqual([live.objects.get("aix/1")?.nuid, live.names(odd)], [next, false]);
});
