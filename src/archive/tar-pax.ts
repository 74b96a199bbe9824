/** What GNU tar takes as a value; of other keywords anything. */
const VALUES: ReadonlyMap<string, RegExp> = new Map([
  ["path", /./s],
  ...["size", "uid", "gid"].map((keyword): [string, RegExp] => [keyword, /^\d+$/]),
  ...["mtime", "atime", "ctime"].map((keyword): [string, RegExp] => [keyword, /^-?\d/]),
]);

/** Records of pax's extended headers (POSIX.1-2017, "pax"), by keyword; values are bytes. */
export class PaxHeaders {
  readonly #global = new Map<string, Buffer>();
  #local = new Map<string, Buffer>();

  /** Whether there are records for a next member. */
  get pending(): boolean {
    return this.#local.size > 0;
  }

  /** Reads `length keyword=value\n` records; false where they are no such, or one has a value that GNU tar refuses. */
  read(bytes: Buffer, isGlobal: boolean): boolean {
    const into = isGlobal ? this.#global : this.#local;
    for (let at = 0; at < bytes.length; ) {
      // GNU tar and Python take NULs for the end
      if (bytes[at] === 0) return true;
      const space = bytes.indexOf(0x20, at);
      const digits = space < 0 ? "" : bytes.toString("latin1", at, space);
      const end = at + Number(digits);
      if (!/^\d{1,10}$/.test(digits) || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a)
        return false;
      const equals = bytes.indexOf(0x3d, space);
      if (equals < 0 || equals >= end) return false;
      const keyword = bytes.toString("utf8", space + 1, equals);
      const value = Buffer.from(bytes.subarray(equals + 1, end - 1));
      if (VALUES.get(keyword)?.test(value.toString("latin1")) === false) return false;
      into.set(keyword, value);
      at = end;
    }
    return true;
  }

  /** What holds for the next member: its own records before the global ones; an empty value takes a global one back, but not a link's target. */
  take(): ReadonlyMap<string, Buffer> {
    const all = new Map([...this.#global, ...this.#local]);
    this.#local = new Map();
    for (const [keyword, value] of all) if (value.length === 0 && keyword !== "linkpath") all.delete(keyword);
    return all;
  }
}

/** Whether a member is a sparse file by pax's records: GNU tar's formats 0.0, 0.1 and 1.0, and star's; what is stored of it is no file. */
export function isSparse(pax: ReadonlyMap<string, Buffer>, name: string): boolean {
  for (const keyword of pax.keys()) {
    if (keyword.startsWith("GNU.sparse.") || keyword === "SCHILY.realsize" || keyword === "SUN.holesdata")
      return true;
  }
  return /(?:^|\/)GNUSparseFile\.\d+\//.test(name);
}
