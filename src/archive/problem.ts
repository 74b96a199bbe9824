const SHOWN = 200;

/** Text from a hostile archive as one harmless line: control and format characters escaped, long text cut. */
export function printable(text: string): string {
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}

/** Whether the operating system said it: a file that is not there, no permission, an I/O error. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "errno" in error;
}
