import { connect, createServer, type Socket } from "node:net";
import { freePort } from "./ports.ts";

export interface IdleDropRelay {
  port: number;
  /** Connections that were forgotten. */
  readonly forgotten: number;
  stop(): void;
}

/**
 * A relay that forgets a connection after `ms` without traffic, as NAT and IPVS do: both ends stay open and
 * hear nothing any more. New connections work.
 */
export async function startIdleDropRelay(target: number, ms: number): Promise<IdleDropRelay> {
  const sockets = new Set<Socket>();
  let forgotten = 0;
  const server = createServer((client) => {
    const upstream = connect({ host: "127.0.0.1", port: target });
    let idle: NodeJS.Timeout;
    let dead = false;
    const touch = () => {
      clearTimeout(idle);
      idle = setTimeout(() => {
        if (client.destroyed) return;
        dead = true;
        forgotten += 1;
      }, ms);
      idle.unref();
    };
    touch();
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("data", (piece) => {
        if (dead) return;
        touch();
        to.write(piece);
      });
      from.on("close", () => {
        if (!dead) to.destroy();
      });
    }
  });
  server.unref();
  const port = await freePort();
  await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  return {
    port,
    get forgotten() {
      return forgotten;
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
