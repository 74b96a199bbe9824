import { once } from "node:events";
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import type { KeyAndCert } from "./certs.ts";
import { end, spawnGuarded } from "./guard.ts";
import { freePort } from "./ports.ts";

/** Something that listens on 127.0.0.1. */
export interface Listener {
  port: number;
  stop(): Promise<void>;
}

/** Listens on a port of 127.0.0.1, each connection handled by `talk`. */
export async function startListener(talk: (socket: Socket) => void): Promise<Listener> {
  return listening(createServer(talk));
}

async function listening(server: Server): Promise<Listener> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  const port = await freePort();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/**
 * TLS before the first byte, then whatever listens on `target`: what `handshake_first` looks like, with any
 * nats-server behind it.
 */
export async function startTlsFront(pair: KeyAndCert, target: number): Promise<Listener> {
  return listening(
    createTlsServer({ ...pair }, (client) => {
      const server = dial(target, "127.0.0.1");
      for (const socket of [client, server]) socket.on("error", () => undefined);
      client.on("close", () => server.destroy());
      server.on("close", () => client.destroy());
      client.pipe(server).pipe(client);
    }),
  );
}

/**
 * Before a nats-server: what follows its INFO arrives only when the client has begun to talk, as it may on
 * any line.
 */
export async function startSlowWords(target: number): Promise<Listener> {
  return startListener((client) => {
    const server = dial(target, "127.0.0.1");
    client.on("close", () => server.destroy());
    const spoken = once(client, "data").catch(() => undefined);
    client.on("data", (piece: Buffer) => server.write(piece));
    let info = true;
    server.on("error", () => undefined);
    server.on("data", async (piece: Buffer) => {
      const end = info ? piece.indexOf("\r\n") + 2 : 0;
      info = false;
      client.write(piece.subarray(0, end));
      await spoken;
      client.write(piece.subarray(end));
    });
    server.on("close", async () => {
      await spoken;
      client.end();
    });
  });
}

/**
 * Before a nats-server: the first connection lasts there until the second has been turned away, though its
 * client has left.
 */
export async function startLingerer(target: number): Promise<Listener> {
  const second = Promise.withResolvers<void>();
  let count = 0;
  return startListener((client) => {
    const server = dial(target, "127.0.0.1");
    server.on("error", () => undefined).pipe(client);
    const turn = ++count;
    client.on("data", (piece: Buffer) => server.write(piece));
    client.on("close", async () => {
      if (turn === 1) await second.promise;
      server.destroy();
    });
    server.on("close", () => {
      if (turn === 2) second.resolve();
      client.end();
    });
  });
}

/**
 * A port that takes no notice of connection requests, as behind a firewall that drops them: its queue is full
 * and nobody empties it.
 */
export async function startPacketDropper(): Promise<Listener> {
  const port = await freePort();
  const script = `require("net").createServer().listen({ port: ${port}, host: "127.0.0.1", backlog: 1 }, () => console.log("up"))`;
  const child = spawnGuarded(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout as Readable, "data");
  child.kill("SIGSTOP");
  const queued: Socket[] = [];
  for (let accepted = true; accepted; ) {
    const socket = dial(port, "127.0.0.1");
    socket.on("error", () => undefined);
    queued.push(socket);
    const silence = AbortSignal.timeout(500);
    await once(socket, "connect", { signal: silence }).catch(() => undefined);
    // On a busy machine the timer may be late, and the connection's event behind it.
    await setImmediate();
    accepted = !socket.connecting;
  }
  return {
    port,
    async stop() {
      for (const socket of queued) socket.destroy();
      await end(child, "SIGKILL");
    },
  };
}
