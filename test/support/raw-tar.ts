const BLOCK = 512;

/** A member's header; fields are written as they stand. */
export interface TarFields {
  name?: string | Buffer;
  /** Bytes; `sizeField` says it in another way. */
  size?: number;
  sizeField?: string | Buffer;
  type?: string;
  link?: string;
  mode?: string;
  owner?: string | Buffer;
  time?: string;
  magic?: string;
}

/** A header block with a true checksum. */
export function tarHeader(fields: TarFields): Buffer {
  const { size = 0, mode = "0000644\0", owner = "0001750\0", time = "14524730000\0" } = fields;
  const block = Buffer.alloc(BLOCK);
  const put = (text: string | Buffer, at: number) => Buffer.from(text as string).copy(block, at);
  put(fields.name ?? "f", 0);
  put(mode, 100);
  put(owner, 108);
  put("0001750\0", 116);
  put(fields.sizeField ?? `${size.toString(8).padStart(11, "0")}\0`, 124);
  put(time, 136);
  put(" ".repeat(8), 148);
  put(fields.type ?? "0", 156);
  put(fields.link ?? "", 157);
  put(fields.magic ?? "ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** A member with its content. */
export function tarMember(fields: TarFields, content: string | Buffer = ""): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([tarHeader({ size: bytes.length, ...fields }), filled(bytes)]);
}

/** An extended header of pax with these records, in front of a member. */
export function paxMember(records: Record<string, string | Buffer>, type: "x" | "g" = "x"): Buffer {
  const body = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  return tarMember({ name: "PaxHeaders/0", type }, body);
}

/** GNU tar's header of a long name (or link, `K`), which says that it has `size` bytes. */
export function longMember(
  name: string | Buffer,
  { size, type = "L" }: { size?: number; type?: "L" | "K" } = {},
): Buffer {
  const bytes = Buffer.from(name as string);
  const fields = { name: "././@LongLink", type, magic: "ustar  \0", size: size ?? bytes.length };
  return Buffer.concat([tarHeader(fields), filled(bytes)]);
}

/** The end of a tar. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** One record of a pax header: its own length first. */
export function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from("\n")]);
  let length = rest.length + String(rest.length).length;
  if (String(length).length > String(rest.length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function filled(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}
