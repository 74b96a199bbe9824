/** Marks text of others. It is passed on as it is: the outputs remove secrets from it, then shorten it, then escape it. */
export function printable(text: string): string {
  return text;
}

/** Whether the operating system said it: a file that is not there, no permission, an I/O error. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "errno" in error;
}
