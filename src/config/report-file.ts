import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Milliseconds that a pipe may be full before the report is given up. */
const PATIENCE = 5000;

/** The job's own streams. They are not opened again: each may be the log's file. */
const STREAMS: ReadonlyMap<string, number> = new Map([
  ...["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].map((path) => [path, 1] as const),
  ...["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"].map((path) => [path, 2] as const),
]);

/** The paths that REPORT_FILE names, separated by commas. */
export function reportPaths(value: string | undefined): string[] {
  return (value ?? "")
    .split(",")
    .map((path) => path.trim())
    .filter((path) => path !== "");
}

/**
 * Writes a report so that a program that reads it never sees half of it; leaves no temporary file. A file
 * that cannot be replaced (a mounted file, a pipe, /dev/stdout) is written in place. Throws the system's
 * error.
 */
export function writeReport(path: string, text: string): void {
  const stream = STREAMS.get(path);
  const target = stream === undefined ? replaceable(path) : undefined;
  if (stream !== undefined) writeAll(stream, Buffer.from(text));
  else if (target === undefined) writeInPlace(path, text);
  else {
    const temporary = beside(target);
    try {
      writeFileSync(temporary, text, { flag: "wx" });
      renameSync(temporary, target);
    } catch (error) {
      remove(temporary);
      if (isFull(error)) throw error;
      writeInPlace(path, text);
    }
  }
}

/**
 * Tries, by writing and removing a byte, whether a report can be written; returns the system's error code if
 * not. A full disk is no error here: it costs the report, not the run.
 */
export function whyUnwritable(path: string): string | undefined {
  try {
    if (STREAMS.has(path)) return undefined;
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return "EISDIR";
    const target = replaceable(path);
    // not opened: closing a pipe would tell its other end that this is all
    if (target === undefined) accessSync(path, constants.W_OK);
    else tryBeside(target, path);
    return undefined;
  } catch (error) {
    if (isFull(error)) return undefined;
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function tryBeside(target: string, path: string): void {
  const temporary = beside(target);
  try {
    writeFileSync(temporary, "\n", { flag: "wx" });
  } catch (error) {
    if (isFull(error) || !statSync(path, { throwIfNoEntry: false })) throw error;
    accessSync(path, constants.W_OK);
  } finally {
    remove(temporary);
  }
}

/** Returns the file to replace, with links resolved; undefined: it is no regular file. */
function replaceable(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return path;
  return found.isFile() ? realpathSync(path) : undefined;
}

/** Returns a hidden name, which the scan of a volume ignores. */
function beside(target: string): string {
  return join(dirname(target), `.${crypto.randomUUID()}.tmp`);
}

function writeInPlace(path: string, text: string): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0o666);
  try {
    writeAll(fd, Buffer.from(text));
  } catch (error) {
    // half a report is worse than none
    if (fstatSync(fd).isFile()) ftruncateSync(fd, 0);
    throw error;
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  let rest = bytes;
  let movedAt = performance.now();
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
      movedAt = performance.now();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN" || performance.now() - movedAt > PATIENCE)
        throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function remove(temporary: string): void {
  try {
    rmSync(temporary, { force: true });
  } catch {
    // a folder that accepts no file has none to remove
  }
}

function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
}
