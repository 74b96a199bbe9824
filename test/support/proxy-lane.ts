import type { Socket } from "node:net";

export type Direction = "up" | "down";

/** How one direction is to behave; shared by all connections, and changed while they run. */
export interface LaneRules {
  delayMs: number;
  bytesPerSecond: number;
  stalled: boolean;
}

/** Delivered bytes that the receiver has not taken: then the sender has to wait. */
const BACKLOG = 1024 * 1024;
/** Bytes on the way, for delays: 50 ms at 2.5 GB/s. */
const IN_FLIGHT = 128 * 1024 * 1024;
/** The largest piece of a throttled lane, so that a slow line is a steady one. */
const SLICE = 16 * 1024;

interface Piece {
  bytes: Buffer;
  /** When it arrives at the other end, in performance.now()'s milliseconds. */
  due: number;
}

/** One direction of one connection: reads from `source`, holds back as the rules say, writes to `sink`. */
export class Lane {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #rules: LaneRules;
  readonly #pass: (piece: Buffer) => number;
  readonly #queue: Piece[] = [];
  #head = 0;
  #queued = 0;
  #ended = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  /** When a throttled lane may send again. */
  #free = 0;

  /**
   * @param pass told of each piece in the moment it is forwarded; gives the number of its bytes that may go
   */
  constructor(source: Socket, sink: Socket, rules: LaneRules, pass: (piece: Buffer) => number) {
    this.#source = source;
    this.#sink = sink;
    this.#rules = rules;
    this.#pass = pass;
    source.on("data", (bytes: Buffer) => this.#take(bytes));
    source.on("end", () => {
      this.#ended = true;
      this.#run();
    });
    sink.on("drain", () => this.#run());
    this.refresh();
  }

  /** To be called when the rules have changed. */
  refresh(): void {
    this.#run();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #take(bytes: Buffer): void {
    const due = performance.now() + this.#rules.delayMs;
    // While a delay is being shortened, what is sent later must not arrive earlier.
    const last = this.#queue.at(-1)?.due ?? 0;
    this.#queue.push({ bytes, due: Math.max(due, last) });
    this.#queued += bytes.length;
    this.#run();
  }

  /** Forwards what is due, then sees to the next time and to who has to wait. */
  #run(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    let wait: number | undefined;
    while (!this.#rules.stalled && this.#sink.writableLength < BACKLOG) {
      const piece = this.#queue[this.#head];
      if (!piece) break;
      wait = Math.max(piece.due, this.#free) - performance.now();
      if (wait > 0) break;
      wait = undefined;
      this.#forward(piece);
      if (this.#closed) return;
    }
    if (wait !== undefined) this.#timer = setTimeout(() => this.#run(), wait);
    this.#settle();
  }

  #forward(piece: Piece): void {
    const rate = this.#rules.bytesPerSecond;
    let bytes = piece.bytes;
    if (rate !== Number.POSITIVE_INFINITY && bytes.length > SLICE) {
      piece.bytes = bytes.subarray(SLICE);
      bytes = bytes.subarray(0, SLICE);
    } else {
      this.#head++;
    }
    this.#queued -= bytes.length;
    // Time lost to a late timer is made up for, 50 ms of it at most: else the rate would depend on the
    // machine's load.
    const now = performance.now();
    this.#free = Math.max(this.#free, now - 50) + (1000 * bytes.length) / rate;
    const allowed = this.#pass(bytes);
    if (!this.#closed && allowed > 0) this.#sink.write(bytes.subarray(0, allowed));
  }

  #settle(): void {
    if (this.#head > 1024 || this.#head === this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    const held = this.#rules.delayMs > 0 ? IN_FLIGHT : BACKLOG;
    const full = this.#queued >= held || this.#sink.writableLength >= BACKLOG;
    if (this.#rules.stalled || full) this.#source.pause();
    else this.#source.resume();
    if (this.#ended && this.#queue.length === 0) this.#sink.end();
  }
}
