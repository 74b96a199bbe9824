import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect as dial } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createLineClock, Patience, until } from "../../src/async.ts";

/** Keeps this thread from doing anything. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe("patience", () => {
  test("ends without an answer, and not before an end of its own", async () => {
    await new Promise<void>((over) => new Patience(100, over));
    let over = false;
    const patience = new Patience(100, () => {
      over = true;
    });
    patience.end();
    await sleep(300);
    assert.equal(over, false);
  });

  test("an answer that came while the event loop was blocked is read first", async (t) => {
    const server = createServer((socket) => socket.write("answer"));
    t.after(() => server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = dial((server.address() as { port: number }).port, "127.0.0.1");
    t.after(() => client.destroy());
    const [socket] = await Promise.all([once(server, "connection"), once(client, "connect")]);
    assert.ok(socket);
    const order: string[] = [];
    const patience = new Patience(400, () => order.push("over"));
    client.on("data", () => {
      order.push("answer");
      patience.end();
    });
    block(900);
    await sleep(100);
    assert.deepEqual(order, ["answer"]);
  });
});

test("a backoff ends with one look at the deadline", () => {
  const now = performance.now();
  assert.equal(until(now + 60_000, 2000)(), 2000);
  const last = until(now + 60_000, 120_000)() ?? 0;
  assert.ok(last > 0 && last <= 60_000, String(last));
  assert.equal(until(now - 1, 2000)(), undefined);
});

test("a log line is due when the object of the waiting changes", () => {
  const isDue = createLineClock();
  assert.deepEqual(["a", "a", "b", "b", "a"].map(isDue), [true, false, true, false, true]);
});
