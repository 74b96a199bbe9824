import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Test files run at the same time, each in a process of its own, and each takes its ports from a thousand of
 * its own.
 */
const SLICE = 1000;
const SLICES = Array.from({ length: 17 }, (_, index) => 15_000 + index * SLICE);

/** Given to somebody who may not listen yet. */
const given = new Set<number>();

/** Whether 127.0.0.1:port can be bound now. `hold`: as long as this process lives nobody else can. */
function isFree(port: number, hold = false): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().unref();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      if (hold) resolve(true);
      else server.close(() => resolve(true));
    });
  });
}

let slice: Promise<number> | undefined;

/**
 * Whoever holds a slice's first port has the slice: the port of a server that is restarted must not be
 * another test's meanwhile.
 */
async function takeSlice(): Promise<number> {
  const mine = process.pid % SLICES.length;
  for (const first of [...SLICES.slice(mine), ...SLICES.slice(0, mine)]) {
    if (await isFree(first, true)) return first;
  }
  throw new Error(`${SLICES.length} test files are running, and each has its ports`);
}

/**
 * A port of 127.0.0.1 that nobody listens on, and that nobody was given before. Taken at random from below
 * the range that the system gives to outgoing connections: a server that is killed and restarted must find
 * its port free again.
 */
export async function freePort(): Promise<number> {
  slice ??= takeSlice();
  const first = await slice;
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = first + randomInt(1, SLICE);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${first} and ${first + SLICE}`);
}
