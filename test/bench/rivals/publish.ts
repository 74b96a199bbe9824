import { open } from "node:fs/promises";
import { connect } from "nats";

/**
 * The ceiling: publishes a file to a stream, chunk after chunk, with a window of chunks in flight, and does
 * nothing else. No digest, no check, no metadata. Arguments: server, subject, file, chunk bytes, chunks in
 * flight.
 */
const [server = "", subject = "", file = "", chunk = "1000000", inFlight = "8"] = process.argv.slice(2);
const nc = await connect({ servers: server, noAsyncTraces: true });
const handle = await open(file);
const window: Promise<unknown>[] = [];
// one buffer will do: a publish copies its payload in the microtask after it
const buffer = Buffer.allocUnsafe(Number(chunk));
for (;;) {
  const { bytesRead } = await handle.read(buffer, 0, buffer.length);
  if (bytesRead === 0) break;
  if (window.length >= Number(inFlight)) await window.shift();
  window.push(nc.request(subject, buffer.subarray(0, bytesRead), { timeout: 600_000 }));
}
await Promise.all(window);
await handle.close();
await nc.close();
