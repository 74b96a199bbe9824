import { connect } from "nats";
import { readFiles } from "../../src/packages/read.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { fileSource } from "../../src/volume/files.ts";
import { listVolume } from "../../src/volume/list.ts";
import { openObjects } from "../support/objects.ts";
import { put } from "../support/put.ts";
import { spread } from "./measure.ts";
import { type Findings, range, rate, seconds } from "./report.ts";
import { hasNatsPy, makeVolume, type Stage } from "./stage.ts";
import { messageFor } from "./window.ts";

const BYTES = 200 * 1024 * 1024;
const CHUNKS = [131_072, 1_000_000];

/**
 * How long independent clients read what we wrote, by chunk size: the nats library's get, and BK-Lite's own,
 * nats.py's.
 */
export async function benchReaders(stage: Stage): Promise<Findings> {
  const volume = await makeVolume(BYTES);
  const buckets = new Map<number, string>();
  const times = new Map<string, { client: string; chunk: number; all: number[] }>();
  const take = (client: string, chunk: number, time: number) => {
    const one = times.get(`${client} ${chunk}`) ?? { client, chunk, all: [] };
    one.all.push(time);
    times.set(`${client} ${chunk}`, one);
  };
  try {
    for (const chunk of CHUNKS) buckets.set(chunk, await store(stage, volume.folder.path, chunk));
    for (let round = 0; round < stage.options.rounds; round++) {
      for (const [chunk, bucket] of buckets) take("nats library's get", chunk, await read(stage, bucket));
    }
    // once: with small chunks it needs more than a minute
    if (await hasNatsPy()) {
      for (const [chunk, bucket] of buckets)
        take("nats.py's get", chunk, (await stage.natsPy("get", bucket)).seconds);
    }
  } finally {
    volume.folder.remove();
    for (const bucket of buckets.values()) await stage.dropBucket(bucket);
  }
  const spreads = [...times.values()].map(({ client, chunk, all }) => ({ client, chunk, ...spread(all) }));
  const rows = spreads.map((one) => [
    one.client,
    `${one.chunk} bytes`,
    range(one, seconds),
    rate(BYTES, one.median),
  ]);
  const head = ["client", "chunk", "time: median (min … max)", "rate"];
  return { tables: [{ title: "200 MiB read by independent clients", head, rows }], bars: [], data: spreads };
}

async function store(stage: Stage, folder: string, chunk: number): Promise<string> {
  const name = stage.newBucket();
  await stage.makeBucket(name, { max_msg_size: messageFor(chunk) });
  const [archive] = (await readFiles((await listVolume(folder)).files)).archives;
  if (!archive) throw new Error("no archive");
  const nc = await connect({ servers: stage.nats.url });
  try {
    const upload = {
      key: "object",
      description: "",
      source: fileSource(archive),
      replaced: undefined,
      supersedes: [],
      sha256: undefined,
    };
    const { signal } = new AbortController();
    await put(await Bucket.open(name, nc), upload, { signal, stallSeconds: 60, onLeftover: () => {} });
    return name;
  } finally {
    await nc.close();
  }
}

async function read(stage: Stage, bucket: string): Promise<number> {
  const objects = await openObjects(stage.nats, bucket);
  try {
    const started = performance.now();
    await objects.read("object");
    return (performance.now() - started) / 1000;
  } finally {
    await objects.close();
  }
}
