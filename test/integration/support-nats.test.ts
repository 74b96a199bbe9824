import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "nats";
import { startNats } from "../support/nats.ts";

// A connection that has just ended counts for a while: a server with max_connections: 1 would turn the test's
// own away.
test("a server of the tests' that is ready has had no connection yet", async (t) => {
  const server = await startNats({ config: { max_connections: 1 } });
  t.after(() => server.stop());
  const varz = (await (await fetch(`${server.monitorUrl}/varz`)).json()) as { total_connections: number };
  assert.equal(varz.total_connections, 0);
  await (await connect({ servers: server.url })).close();
});
