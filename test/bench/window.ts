import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect } from "nats";
import type { Source } from "../../src/archive/types.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { InFlightBudget } from "../../src/store/window.ts";
import { put } from "../support/put.ts";
import { spread } from "./measure.ts";
import type { Findings, Table } from "./report.ts";
import type { Stage } from "./stage.ts";

const MIB = 1024 * 1024;
const CHUNKS = [131_072, 262_144, 524_288, 1_000_000];
const WINDOWS = [1, 2, 3, 4, 6, 8, 16, 32];
const ROUND_TRIPS = [0, 1, 10, 50];
/** Milliseconds that one measurement sends for. */
const TIME = 600;

interface Cell {
  roundTrip: number;
  chunk: number;
  window: number;
  /** MiB/s. */
  rates: number[];
}

/**
 * Our uploader's rate for chunk sizes and windows, over lines with a delay: what the constants in src/store
 * were chosen by.
 */
export async function benchWindow(stage: Stage): Promise<Findings> {
  const cells = ROUND_TRIPS.flatMap((roundTrip) =>
    CHUNKS.flatMap((chunk) => WINDOWS.map((window): Cell => ({ roundTrip, chunk, window, rates: [] }))),
  );
  const proxy = fork(fileURLToPath(new URL("./proxy.ts", import.meta.url)), [String(stage.nats.port)]);
  try {
    const [port] = await once(proxy, "message");
    for (let round = 0; round < Math.ceil(stage.options.rounds / 2); round++) {
      for (const cell of cells) {
        proxy.send(cell.roundTrip);
        await once(proxy, "message");
        cell.rates.push(await sendFor(stage, port, cell));
      }
      stage.options.log(`windows: round ${round + 1}`);
    }
  } finally {
    proxy.kill();
  }
  return { tables: ROUND_TRIPS.map((roundTrip) => table(roundTrip, cells)), bars: [], data: cells };
}

async function sendFor(stage: Stage, port: number, { chunk, window }: Cell): Promise<number> {
  const name = stage.newBucket();
  await stage.makeBucket(name, { max_msg_size: messageFor(chunk) });
  const nc = await connect({ servers: `127.0.0.1:${port}`, noAsyncTraces: true });
  try {
    const bucket = await Bucket.open(name, nc);
    const upload = {
      key: "object",
      description: "",
      source: noise(TIME),
      replaced: undefined,
      supersedes: [],
      sha256: undefined,
    };
    const started = performance.now();
    let acknowledged = started;
    const { size } = await put(bucket, upload, {
      signal: new AbortController().signal,
      stallSeconds: 60,
      budget: new InFlightBudget(window * MIB),
      // what comes after the last chunk is a few round trips, whatever the window
      onProgress: () => {
        acknowledged = performance.now();
      },
      onLeftover: (error) => {
        throw error;
      },
    });
    return size / MIB / ((acknowledged - started) / 1000);
  } finally {
    await nc.close();
    await stage.dropBucket(name);
  }
}

/** The stream's max_msg_size that makes the uploader choose these chunks. */
export function messageFor(chunk: number): number {
  return chunk + 4096;
}

/** Blocks without end, for `ms` milliseconds. */
function noise(ms: number): Source {
  return {
    size: undefined,
    async *blocks(blockSize) {
      const block = Buffer.alloc(blockSize, 7);
      const until = performance.now() + ms;
      while (performance.now() < until) yield block;
    },
  };
}

function table(roundTrip: number, cells: readonly Cell[]): Table {
  const rateOf = (chunk: number, window: number) => {
    const cell = cells.find(
      (one) => one.roundTrip === roundTrip && one.chunk === chunk && one.window === window,
    );
    return String(Math.round(spread(cell?.rates ?? []).median));
  };
  return {
    title: `MiB/s by chunk size and bytes in flight, round trip ${roundTrip} ms`,
    head: ["chunk", ...WINDOWS.map((window) => `${window} MiB`)],
    rows: CHUNKS.map((chunk) => [`${chunk} bytes`, ...WINDOWS.map((window) => rateOf(chunk, window))]),
  };
}
