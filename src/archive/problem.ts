import { EXIT, type ProblemError, problem } from "../errors.ts";

const COPY_AGAIN = "copy the file again and compare its SHA-256 with the original's";
/** For what no copying can mend. */
export const REBUILD = "rebuild the archive from a clean fusion-collectors folder";
const SHOWN = 200;

/** Text from a hostile archive as one harmless line: control and format characters escaped, long text cut. */
export function printable(text: string): string {
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}

/** The file as it is cannot be used: exit 65. `reason` continues the sentence that the file's name begins. */
export function invalid(file: string, reason: string, hint: string): ProblemError {
  return problem(file, "legacy", { exit: EXIT.invalidPackage, message: reason, hint });
}

/** The file is not what was written once: cut short, or with other bytes in it. */
export function damaged(file: string, reason: string): ProblemError {
  return invalid(file, reason, COPY_AGAIN);
}

/** The file could not be read: exit 74. */
export function unreadable(file: string, error: NodeJS.ErrnoException): ProblemError {
  const hint =
    error.code === "EACCES" || error.code === "EPERM"
      ? "make the file readable for the user that the job runs as (the image's is 65532)"
      : "look at the volume's own health, then run the job again";
  const message = `could not be read: ${printable(error.message)}`;
  return problem(file, "legacy", { exit: EXIT.fileRead, message, hint });
}

/** The file is another than the one that was looked at before: exit 74. */
export function changed(file: string): ProblemError {
  return problem(file, "legacy", {
    exit: EXIT.fileRead,
    message: "changed while it was read",
    hint: "wait until the copy is complete (copy to a name ending in .part, then rename), then run the job again",
  });
}

/** Whether the operating system said it: a file that is not there, no permission, an I/O error. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "errno" in error;
}
