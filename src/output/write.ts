import { closeSync, constants, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { JobError } from "../errors.ts";
import type { Report } from "./report.ts";
import { terminationMessage } from "./termination.ts";

/** Where Kubernetes looks for a container's last words. */
export const TERMINATION_LOG = "/dev/termination-log";

/** Writes the report so that a reader never sees half of it. Throws exit 78. */
export function writeReportFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    // A file that is mounted by itself can be written but not replaced.
    try {
      writeFileSync(path, text);
    } catch {
      throw new JobError("report.unwritable", { path, cause: (error as Error).message }, { cause: error });
    }
  }
}

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
