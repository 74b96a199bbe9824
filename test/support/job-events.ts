import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** One line of the log. */
export interface JobEvent {
  event: string;
  level: string;
  msg: string;
  [field: string]: unknown;
}

interface Waiter {
  name: string;
  resolve(event: JobEvent): void;
  reject(error: Error): void;
}

/** The log's lines as events, while they come. */
export class EventLog {
  readonly events: JobEvent[] = [];
  readonly #waiters = new Set<Waiter>();
  #over = false;

  constructor(stream: Readable) {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
      const [event] = parseEvent(line);
      if (!event) return;
      this.events.push(event);
      for (const waiter of this.#waiters) {
        if (waiter.name === event.event) waiter.resolve(event);
      }
    });
  }

  end(): void {
    this.#over = true;
    for (const { name, reject } of this.#waiters) reject(this.#missing(name));
  }

  async wait(name: string, timeoutMs: number): Promise<JobEvent> {
    const past = this.events.find((event) => event.event === name);
    if (past) return past;
    if (this.#over) throw this.#missing(name);
    let timer: NodeJS.Timeout | undefined;
    let waiter: Waiter | undefined;
    try {
      return await new Promise<JobEvent>((resolve, reject) => {
        waiter = { name, resolve, reject };
        this.#waiters.add(waiter);
        timer = setTimeout(() => reject(new Error(`no ${name} within ${timeoutMs} ms`)), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      if (waiter) this.#waiters.delete(waiter);
    }
  }

  #missing(name: string): Error {
    const seen = this.events.map((event) => event.event).join(", ");
    return new Error(`the job ended without ${name}; its events: ${seen}`);
  }
}

/** Returns the event of a line; nothing for a line that is none. */
export function parseEvent(line: string): JobEvent[] {
  if (!line.startsWith("{")) return [];
  try {
    const value = JSON.parse(line) as Partial<JobEvent>;
    return typeof value.event === "string" ? [value as JobEvent] : [];
  } catch {
    return [];
  }
}
