import { isAscii } from "node:buffer";

/** A name in an archive, decoded. */
export interface DecodedName {
  name: string;
  /** Set where its bytes are not UTF-8. */
  encoding?: "gbk" | "other";
}

/**
 * A name's bytes as text: UTF-8 where they are valid UTF-8; else GBK, which Chinese systems write without saying so; else one
 * character for each byte, so that names that differ stay different.
 */
export function decodeName(raw: Buffer): DecodedName {
  if (isAscii(raw)) return { name: raw.toString("latin1") };
  const name = decoded(raw, "utf-8");
  if (name !== undefined) return { name };
  const chinese = decoded(raw, "gbk");
  if (chinese !== undefined) return { name: chinese, encoding: "gbk" };
  return { name: raw.toString("latin1"), encoding: "other" };
}

/** The bytes in this encoding; undefined where they are not valid in it. */
export function decoded(raw: Uint8Array, encoding: "utf-8" | "gbk"): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return undefined;
  }
}
