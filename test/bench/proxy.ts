import { startProxy } from "../support/proxy.ts";

/**
 * A delaying proxy in a process of its own, so that it takes no time from what is measured. Argument: the
 * server's port.
 */
const proxy = await startProxy({ port: Number(process.argv[2]) });
process.on("message", (roundTrip: number) => {
  proxy.delay(roundTrip, "down");
  process.send?.(proxy.port);
});
process.on("disconnect", () => process.exit());
process.send?.(proxy.port);
