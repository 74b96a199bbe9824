/**
 * The text of a small file, in whatever encoding an editor or a shell has written it: UTF-8 or UTF-16 (with a byte order mark, or by its
 * NULs), else what a Chinese Windows writes. undefined: it is no text.
 */
export function decodeText(bytes: Buffer): string | undefined {
  const text = new TextDecoder(wide(bytes) ?? narrow(bytes)).decode(bytes);
  return text.includes("\0") ? undefined : text;
}

function wide(bytes: Buffer): "utf-16le" | "utf-16be" | undefined {
  const mark = bytes.toString("hex", 0, 2);
  // PowerShell's -Encoding Unicode has a mark, other tools' UTF-16 has none; ASCII in it has a NUL in every second place
  if (mark === "fffe" || (bytes.length >= 4 && bytes[0] !== 0 && bytes[1] === 0 && bytes[3] === 0))
    return "utf-16le";
  return mark === "feff" || (bytes.length >= 4 && bytes[0] === 0 && bytes[2] === 0 && bytes[1] !== 0)
    ? "utf-16be"
    : undefined;
}

function narrow(bytes: Buffer): "utf-8" | "gb18030" {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return "utf-8";
  } catch {
    return "gb18030";
  }
}
