import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { Report } from "./report.ts";
import { terminationMessage } from "./termination.ts";

/** Where Kubernetes looks for a container's last words. */
export const TERMINATION_LOG = "/dev/termination-log";

/** Leaves the termination message of a report without secrets where the file exists and is writable; elsewhere there is nobody to read it. */
export function writeTerminationLog(path: string, report: Report): void {
  let fd: number | undefined;
  try {
    // Without O_CREAT: on a machine that is no Kubernetes node there is no such file, and there should be none.
    fd = openSync(path, constants.O_WRONLY | constants.O_TRUNC | constants.O_NONBLOCK);
    writeSync(fd, terminationMessage(report));
  } catch {
    return;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
