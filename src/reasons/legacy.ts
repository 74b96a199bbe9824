import type { ExitCode } from "../errors.ts";
import { reason } from "./define.ts";

/** Transitional: words that are still built where the error is raised. */
export const legacy = {
  legacy: reason<{ exit: ExitCode; message: string; hint: string }>({
    exit: null,
    again: false,
    en: { cause: ({ message }) => message, remedy: ({ hint }) => hint },
    zh: { cause: ({ message }) => message, remedy: ({ hint }) => hint },
  }),
};
