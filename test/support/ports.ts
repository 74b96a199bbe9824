import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Test files run at the same time, each in a process of its own: by its number each takes its ports from another thousand. */
const SLICE = 1000;
const FIRST = 15_000 + (process.pid % 17) * SLICE;

/** Given to somebody who may not listen yet. */
const given = new Set<number>();

/** Whether 127.0.0.1:port can be bound now. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * A port of 127.0.0.1 that nobody listens on, and that nobody was given before. Taken at random from below the range that the system
 * gives to outgoing connections: a server that is killed and restarted must find its port free again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = FIRST + randomInt(SLICE);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${FIRST} and ${FIRST + SLICE}`);
}
