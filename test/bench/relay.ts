import { startProxy } from "../support/proxy.ts";

/**
 * A slow line in a process of its own, so that it costs the measured programs no time. Argument: the server's
 * port. Messages: `{ mbit, roundTrip }`, answered with the port of the relay.
 */
const proxy = await startProxy({ port: Number(process.argv[2]) });
process.on("message", ({ mbit, roundTrip }: { mbit: number; roundTrip: number }) => {
  proxy.throttle(mbit * 125_000);
  proxy.delay(roundTrip, "down");
  process.send?.(proxy.port);
});
process.on("disconnect", () => process.exit());
process.send?.(proxy.port);
