import { problem } from "../errors.ts";
import type { Archive } from "./package.ts";
import { isJunk } from "./top-folder.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are among what Windows refuses
const FORBIDDEN = /[<>:"|?*\x00-\x1f]|[. ]$/;
/** Devices, with whatever ending. */
const RESERVED = /^(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³]|conin\$|conout\$) *(?:\.|$)/i;

/**
 * Throws exit 65 for names that a Windows node cannot unpack: characters that it refuses, devices' names, ends that it drops, and two
 * names that are one where capitals do not count.
 */
export function checkWindowsNames({ file, entries, tree = [] }: Archive): void {
  const kept = entries.filter(({ path }) => !isJunk(path, () => false));
  const files = new Map<string, string>();
  const folders = new Map<string, string>();
  for (const [path, isFolder] of [
    ...kept.map(({ path, kind }) => [path, kind === "directory"] as const),
    ...tree.map(({ name, isFolder }) => [name, isFolder] as const),
  ]) {
    const parts = path.split("/");
    if (parts.some((part) => FORBIDDEN.test(part) || RESERVED.test(part)))
      throw problem(file, "package.windows.name", { entry: path });
    const key = path.toUpperCase();
    const other = files.get(key) ?? (isFolder ? undefined : folders.get(key));
    if (other !== undefined) throw problem(file, "package.windows.case", { entry: path, other: other });
    (isFolder ? folders : files).set(key, path);
    for (let length = parts.length - 1; length > 0; length--) {
      const above = parts.slice(0, length).join("/");
      const taken = files.get(above.toUpperCase());
      if (taken !== undefined) throw problem(file, "package.windows.case", { entry: path, other: taken });
      folders.set(above.toUpperCase(), above);
    }
  }
}
