import { readFully } from "../archive/blocks.ts";
import { FORMAT_LENGTH as SNIFFED, fileFormat as wrongKind } from "../archive/file-kind.ts";
import type { OpenFile } from "../archive/types.ts";
import { hasEndRecord } from "../archive/zip-directory.ts";
import { problem } from "../errors.ts";

/** How files of each kind begin; a zip without entries begins with its end record. */
const MAGIC = [
  ["504b0304", "zip"],
  ["504b0506", "zip"],
  ["1f8b", "tar.gz"],
] as const;

/** What the file is. The ending is only a claim; without one either will do. */
export async function checkKind(
  file: string,
  handle: OpenFile,
  size: number,
  claimed: "zip" | "tar.gz" | undefined,
): Promise<"zip" | "tar.gz"> {
  const head = await readFully(handle, Buffer.alloc(Math.min(SNIFFED, size)), Math.min(SNIFFED, size), 0);
  const magic = head.toString("hex", 0, 4);
  const found = MAGIC.find(([start]) => magic.startsWith(start))?.[1];
  if (found !== undefined && found === (claimed ?? found)) return found;
  if (found !== undefined) throw problem(file, "archive.kind.wrong", { found });
  // a self-extractor's program, or whatever else stands before a zip
  if (claimed !== "tar.gz" && (await hasEndRecord(handle, size))) return "zip";
  const kind = wrongKind(head);
  // a file of any name may be a collector's, which somebody forgot to say
  if (claimed === undefined && (kind === undefined || kind === "program" || kind === "text"))
    throw problem(file, "archive.kind.claimed", {});
  throw problem(file, `archive.kind.${kind ?? "unknown"}`, {});
}

/** An APM probe's, by its name. */
export function probeFormat(name: string): "zip" | "tar.gz" {
  return /\.(?:zip|jar)$/i.test(name) ? "zip" : "tar.gz";
}
