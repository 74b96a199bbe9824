import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Whether 127.0.0.1:port can be bound now. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * A port of 127.0.0.1 that nobody listens on. Taken at random from below the range that the system gives to outgoing
 * connections: a server that is killed and restarted must find its port free again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(15_000, 32_000);
    if (await isFree(port)) return port;
  }
  throw new Error("no free port on 127.0.0.1 between 15000 and 32000");
}
