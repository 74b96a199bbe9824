import { type Language, type Reason, reason, type Text } from "./define.ts";

type Both<P> = Record<Language, Text<P>>;

/** What to do about a file that is not what was written once: cut short, or with other bytes in it. */
export const COPY_AGAIN = {
  en: "copy the file again and compare its SHA-256 with the original's",
  zh: "重新复制该文件，并与原文件核对 SHA-256",
};

/** For what no copying can mend. */
export const REBUILD = {
  en: "rebuild the archive from a clean fusion-collectors folder",
  zh: "用干净的 fusion-collectors 目录重新打包",
};

export const RENAME = {
  en: "rename the file so that its name says each thing once, as in fusion-collectors-linux-amd64-1.2.3.zip",
  zh: "重命名该文件，使每项信息只出现一次，例如 fusion-collectors-linux-amd64-1.2.3.zip",
};

/** A file that cannot be used as it is: exit 65. */
export function fault<P extends object = Record<never, never>>(cause: Both<P>, remedy: Both<P>): Reason<P> {
  return reason<P>({
    exit: 65,
    again: false,
    en: { cause: cause.en, remedy: remedy.en },
    zh: { cause: cause.zh, remedy: remedy.zh },
  });
}

/** Something about the volume that looks like a mistake: a warning. */
export function suspicion<P extends object = Record<never, never>>(
  cause: Both<P>,
  remedy: Both<P>,
): Reason<P> {
  return { ...fault(cause, remedy), exit: null };
}
