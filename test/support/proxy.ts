import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { freePort } from "./ports.ts";
import { type Direction, Lane, type LaneRules } from "./proxy-lane.ts";

export interface ProxyStats {
  /** Bytes forwarded from clients to the target, of all connections. */
  bytesUp: number;
  bytesDown: number;
  /** Connections accepted so far. */
  connections: number;
}

export interface ProxyOptions {
  /**
   * Called for each piece before it is forwarded; `stats` do not count it yet. Whatever it does at once
   * (killing a process, cut()) happens while the piece is still on this side.
   */
  onBytes?: (direction: Direction, piece: Buffer, stats: Readonly<ProxyStats>) => void;
}

export interface Proxy {
  host: string;
  port: number;
  stats: Readonly<ProxyStats>;
  /** Resets every connection; new ones are taken as before. */
  cut(): void;
  /** Goes on accepting, and forwards nothing in either direction, until resume(). */
  stall(): void;
  /** Refuses new connections until resume(); those that are open stay. */
  refuse(): Promise<void>;
  /** Ends stall() and refuse(). */
  resume(): Promise<void>;
  /** Bytes per second in each direction of each connection; Infinity: as fast as it goes. */
  throttle(bytesPerSecond: number): void;
  /**
   * Holds each piece back for `ms`, to the millisecond or two that timers have; order and bandwidth stay. One
   * way: with `both`, a round trip takes 2 × ms longer, with `up` or `down` just ms.
   */
  delay(ms: number, direction?: Direction | "both"): void;
  /** Resets every connection when `bytes` more have gone up; no more than those reach the target. Once. */
  cutAfter(bytes: number): void;
  stop(): Promise<void>;
}

interface Link {
  client: Socket;
  target?: Socket;
  lanes: Lane[];
}

/** A TCP proxy on 127.0.0.1 in front of `target`, for faults and for slow lines. */
export async function startProxy(
  target: { host?: string; port: number },
  options: ProxyOptions = {},
): Promise<Proxy> {
  const links = new Set<Link>();
  const stats: ProxyStats = { bytesUp: 0, bytesDown: 0, connections: 0 };
  const rules: Record<Direction, LaneRules> = {
    up: { delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, stalled: false },
    down: { delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, stalled: false },
  };
  let budget = Number.POSITIVE_INFINITY;
  let cutting = false;

  const cut = () => {
    for (const link of links) reset(link, links);
  };
  const refresh = () => {
    for (const link of links) for (const lane of link.lanes) lane.refresh();
  };

  /** Counts a piece that is about to be forwarded; says how much of it may go. */
  const pass = (direction: Direction, piece: Buffer): number => {
    options.onBytes?.(direction, piece, stats);
    if (direction === "down") {
      stats.bytesDown += piece.length;
      return piece.length;
    }
    const allowed = Math.min(piece.length, budget);
    budget -= allowed;
    stats.bytesUp += allowed;
    if (budget === 0 && !cutting) {
      cutting = true;
      // Behind the write of what is allowed; until then nothing more is.
      setImmediate(() => {
        cut();
        budget = Number.POSITIVE_INFINITY;
        cutting = false;
      });
    }
    return allowed;
  };

  const open = (link: Link) => {
    const { client } = link;
    const socket = dial({ host: target.host ?? "127.0.0.1", port: target.port, allowHalfOpen: true });
    link.target = socket;
    socket.setNoDelay(true);
    socket.on("error", () => reset(link, links));
    link.lanes = [
      new Lane(client, socket, rules.up, (piece) => pass("up", piece)),
      new Lane(socket, client, rules.down, (piece) => pass("down", piece)),
    ];
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    stats.connections++;
    const link: Link = { client, lanes: [] };
    links.add(link);
    client.on("error", () => reset(link, links));
    client.on("close", () => links.delete(link));
    if (!rules.up.stalled) open(link);
  });
  // A proxy that is not stopped does not keep the test alive.
  server.unref();
  const port = await freePort();
  await listen(server, port);

  return {
    host: "127.0.0.1",
    port,
    stats,
    cut,
    stall() {
      rules.up.stalled = rules.down.stalled = true;
      refresh();
    },
    refuse: () => unlisten(server),
    async resume() {
      rules.up.stalled = rules.down.stalled = false;
      for (const link of links) if (!link.target) open(link);
      refresh();
      if (!server.listening) await listen(server, port);
    },
    throttle(bytesPerSecond) {
      rules.up.bytesPerSecond = rules.down.bytesPerSecond = bytesPerSecond;
      refresh();
    },
    delay(ms, direction = "both") {
      if (direction !== "down") rules.up.delayMs = ms;
      if (direction !== "up") rules.down.delayMs = ms;
    },
    cutAfter(bytes) {
      budget = bytes;
    },
    async stop() {
      cut();
      await unlisten(server);
    },
  };
}

function reset(link: Link, links: Set<Link>): void {
  links.delete(link);
  for (const lane of link.lanes) lane.close();
  for (const socket of [link.client, link.target]) {
    // Node never closes the handle of a socket that is reset after its end(), and spins at exit.
    if (socket?.writableEnded) socket.destroy();
    else socket?.resetAndDestroy();
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Closes the port at once; resolves then, though connections may stay open. */
async function unlisten(server: Server): Promise<void> {
  if (server.listening) server.close();
  // The port is closed in the next turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
}
