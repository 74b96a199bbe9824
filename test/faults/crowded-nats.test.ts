import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { natsCertificates } from "../support/certs.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { startLingerer, startListener, startSlowWords } from "../support/listeners.ts";
import { type NatsOptions, type NatsServer, startNats } from "../support/nats.ts";
import { connectNats } from "../support/objects.ts";
import { type JobResult, jobEnv } from "../support/run.ts";
import { explain, useServers } from "../support/site.ts";
import { exits, runToEnd } from "./stage.ts";

// A nats-server with max_connections turns clients away before TLS, in plain text: INFO, if it speaks first,
// -ERR, and it hangs up.

const { ca, server: tls } = natsCertificates();
const config = { max_connections: 1 };
const shared = useServers();
let folder: TempDir;
let base: Record<string, string>;
let count = 0;

before(async () => {
  folder = tempDir("crowded");
  const NATS_TLS_CA_FILE = join(folder.path, "ca.crt");
  writeFileSync(NATS_TLS_CA_FILE, ca.cert);
  base = { ...jobEnv({ packages: folder.path }), NATS_TLS_CA_FILE };
});
after(async () => {
  folder.remove();
});

/** A server that takes one connection. */
async function start(t: TestContext, options: NatsOptions = {}): Promise<NatsServer> {
  const server = await startNats({ ...options, config });
  t.after(() => server.stop());
  return server;
}

/** Somebody takes the one connection. */
async function occupy(t: TestContext, server: NatsServer, tls: object | null = null): Promise<void> {
  const only = await connectNats({ servers: `127.0.0.1:${server.port}`, tls, reconnect: false });
  t.after(() => only.close());
}

async function wait(more: Record<string, string>): Promise<JobResult> {
  const db = await shared.postgres.createDatabase({ state: "B" });
  const REPORT_FILE = join(folder.path, `report-${++count}.json`);
  return runToEnd(["wait"], { ...base, ...jobEnv({ db }), REPORT_FILE, ...more });
}

/** Waited for until WAIT_TIMEOUT was over, and quoted. */
function turnedAway(result: JobResult): void {
  const { error } = result.report ?? {};
  const { layer, reason } = error ?? {};
  assert.deepEqual([result.code, layer, reason], [69, "login", "nats.login.connections"], explain(result));
  assert.match(error?.message ?? "", /maximum connections exceeded/i);
}

const scheme = (name: string, port: number) => ({ NATS_SERVERS: `${name}://127.0.0.1:${port}` });

describe("a server that accepts no more connections is quoted, and the job waits for it", {
  concurrency: 4,
}, () => {
  test("without TLS", async (t) => {
    const server = await start(t);
    await occupy(t, server);
    turnedAway(await wait({ ...scheme("nats", server.port), WAIT_TIMEOUT: "2" }));
  });
  test("with TLS, however late its words arrive", async (t) => {
    const server = await start(t, { tls });
    await occupy(t, server, { ca: ca.cert });
    const front = await startSlowWords(server.port);
    t.after(() => front.stop());
    turnedAway(await wait({ ...scheme("tls", front.port), WAIT_TIMEOUT: "2" }));
  });
  for (const NATS_TLS_HANDSHAKE_FIRST of ["true", "false"]) {
    test(`with handshake_first, and NATS_TLS_HANDSHAKE_FIRST=${NATS_TLS_HANDSHAKE_FIRST}`, async (t) => {
      const port = await crowdedHandshakeFirst(t);
      turnedAway(await wait({ ...scheme("tls", port), NATS_TLS_HANDSHAKE_FIRST, WAIT_TIMEOUT: "2" }));
    });
  }
});

/** A server older than 2.10 does not know handshake_first: then a stranger with a newer one's words. */
async function crowdedHandshakeFirst(t: TestContext): Promise<number> {
  const known = await start(t);
  const [major = 0, minor = 0] = known.version.split(".").map(Number);
  if (major === 2 && minor < 10) {
    t.diagnostic(`nats-server ${known.version} does not know handshake_first: a stranger says its words`);
    const stranger = await startListener((socket) => socket.end("-ERR 'maximum connections exceeded'\r\n"));
    t.after(() => stranger.stop());
    return stranger.port;
  }
  const server = await start(t, { tls, handshakeFirst: true });
  await occupy(t, server, { ca: ca.cert, handshakeFirst: true });
  return server.port;
}

for (const [name, options] of [
  ["nats", {}],
  ["tls", { tls }],
] as const) {
  test(`the one connection that is left is enough, though the job's first look still counts: ${name}://`, async (t) => {
    const server = await start(t, options);
    const slow = await startSlowWords(server.port);
    const front = await startLingerer(slow.port);
    t.after(() => Promise.all([front.stop(), slow.stop()]));
    exits(await wait({ ...scheme(name, front.port), WAIT_TIMEOUT: "60" }), 0);
  });
}
