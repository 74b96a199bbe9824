import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { startProxy } from "../support/proxy.ts";
import { until } from "../support/wait.ts";

/** What each connection brought to the server behind the proxies. */
const arrived: Buffer[][] = [];
/** A byte that never comes must fail the test, not hang it. */
const LIMIT = { timeout: 120_000 };
let server: Server;
let port: number;

before(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    const pieces: Buffer[] = [];
    arrived.push(pieces);
    socket.on("data", (piece) => pieces.push(piece));
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end(digest(Buffer.concat(pieces))));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as { port: number }).port;
});

after(() => {
  server.close();
});

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function open(to: number): Promise<Socket> {
  const socket = connect(to, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** Bytes of the connection that the server accepted last. */
function received(): number {
  return (arrived.at(-1) ?? []).reduce((sum, piece) => sum + piece.length, 0);
}

async function answer(socket: Socket): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

test(
  "every byte arrives in order and the half-close comes through, delayed, throttled or neither",
  LIMIT,
  async () => {
    const bytes = Buffer.alloc(3_000_000);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, i);
    for (const { ms, rate } of [
      { ms: 0, rate: Number.POSITIVE_INFINITY },
      { ms: 20, rate: Number.POSITIVE_INFINITY },
      { ms: 5, rate: 30_000_000 },
    ]) {
      const proxy = await startProxy({ port });
      proxy.delay(ms);
      proxy.throttle(rate);
      const socket = await open(proxy.port);
      socket.end(bytes);
      assert.equal(await answer(socket), digest(bytes));
      assert.deepEqual(proxy.stats, { bytesUp: bytes.length, bytesDown: 64, connections: 1 });
      await proxy.stop();
    }
  },
);

test("what is delayed arrives after what was sent later and is not", LIMIT, async () => {
  const [slow, quick] = [await startProxy({ port }), await startProxy({ port })];
  slow.delay(2_000, "up");
  const sockets = [await open(slow.port), await open(quick.port)];
  const order: string[] = [];
  const answers = sockets.map(async (socket, index) => {
    await answer(socket);
    order.push(index === 0 ? "slow" : "quick");
  });
  for (const socket of sockets) socket.end("x");
  await Promise.all(answers);
  assert.deepEqual(order, ["quick", "slow"]);
  await Promise.all([slow.stop(), quick.stop()]);
});

test("cutAfter lets that many bytes through, resets, and accepts new connections", LIMIT, async () => {
  const proxy = await startProxy({ port });
  proxy.cutAfter(100_000);
  const socket = await open(proxy.port);
  const reset = once(socket, "error");
  socket.write(Buffer.alloc(300_000));
  const [error] = (await reset) as [NodeJS.ErrnoException];
  assert.match(error.code ?? "", /ECONNRESET|EPIPE/);
  assert.equal(proxy.stats.bytesUp, 100_000);
  assert.ok(received() <= 100_000, `${received()} bytes arrived`);

  const next = await open(proxy.port);
  next.end("again");
  assert.equal(await answer(next), digest(Buffer.from("again")));
  await proxy.stop();
});

test("a stalled proxy accepts and forwards nothing until it is resumed", LIMIT, async () => {
  const proxy = await startProxy({ port });
  const before = await open(proxy.port);
  before.write("1");
  await until("the first byte", () => received() === 1);
  proxy.stall();
  const during = await open(proxy.port);
  before.end("2");
  during.end("3");
  const control = await startProxy({ port });
  const other = await open(control.port);
  other.end("4");
  await answer(other);
  assert.equal(proxy.stats.bytesUp, 1);
  await proxy.resume();
  assert.equal(await answer(before), digest(Buffer.from("12")));
  assert.equal(await answer(during), digest(Buffer.from("3")));
  await Promise.all([proxy.stop(), control.stop()]);
});

test("refuse closes the port and keeps what is open; cut resets that", LIMIT, async () => {
  const proxy = await startProxy({ port });
  const kept = await open(proxy.port);
  await proxy.refuse();
  await assert.rejects(open(proxy.port), { code: "ECONNREFUSED" });
  kept.end("kept");
  assert.equal(await answer(kept), digest(Buffer.from("kept")));

  await proxy.resume();
  const idle = await open(proxy.port);
  await until("the connection behind the proxy", () => proxy.stats.connections === 2);
  const reset = once(idle, "error");
  proxy.cut();
  await reset;
  await proxy.stop();
});

test("a piece that makes onBytes cut the connection does not arrive", LIMIT, async () => {
  const proxy = await startProxy(
    { port },
    {
      onBytes: (_, piece) => {
        if (piece.includes("poison")) proxy.cut();
      },
    },
  );
  const socket = await open(proxy.port);
  socket.write("harmless");
  await until("the harmless piece", () => received() === 8);
  const reset = once(socket, "error");
  socket.write("poison");
  await reset;
  assert.equal(received(), 8);
  await proxy.stop();
});
