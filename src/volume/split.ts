/** A file that is one part of another, as `split`, 7-Zip and network disks make them. */
export interface SplitPart {
  /** The whole file's name. */
  whole: string;
  /** The names of the parts that lie beside it, in order. */
  parts: readonly string[];
  /** What joins them. */
  command: "cat" | "zip" | "7z";
}

/** `.001`, `.00`, `.part1`, `.part-01`, `.aa`, behind the whole file's name. */
const NUMBERED = /^(.+\.(?:zip|tar|tgz|gz|xz|bz2|zst|7z|rar|jar|exe))[._-](?:part[-_.]?)?(\d{1,4}|a[a-z])$/i;
/** WinZip's `.z01`, and `.part1.rar`. */
const ZIPPED = /^(.+)\.z\d{2,4}$/i;
const VOLUME = /^(.+)\.part\d{1,4}\.(?:rar|7z|zip)$/i;

/** The names in a folder, and which of them are parts of one file; each name is read once, however many parts there are. */
export class Siblings {
  readonly #names: readonly string[];
  #all: ReadonlySet<string> | undefined;
  readonly #parts = new Map<RegExp, Map<string, string[]>>();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  has(name: string): boolean {
    this.#all ??= new Set(this.#names);
    return this.#all.has(name);
  }

  /** Returns what a name says of a part of a split file; undefined for a name that is no part's. */
  splitPart(name: string): SplitPart | undefined {
    const [, whole, number = ""] = NUMBERED.exec(name) ?? [];
    if (whole !== undefined) {
      const parts = this.#partsOf(whole, NUMBERED);
      // `wget` calls a second copy `.1`
      const isCopy = /^\d$/.test(number) && (parts.length < 2 || this.has(whole)) && !/part/i.test(name);
      return isCopy ? undefined : { whole, parts, command: "cat" };
    }
    const [, zip] = ZIPPED.exec(name) ?? [];
    if (zip !== undefined) return { whole: `${zip}.zip`, parts: this.#partsOf(zip, ZIPPED), command: "zip" };
    const [, stem] = VOLUME.exec(name) ?? [];
    return stem === undefined
      ? undefined
      : { whole: stem, parts: this.#partsOf(stem, VOLUME), command: "7z" };
  }

  #partsOf(whole: string, form: RegExp): readonly string[] {
    let byWhole = this.#parts.get(form);
    if (!byWhole) {
      const sorted = this.#names.filter((name) => form.test(name)).sort(NUMERIC.compare);
      byWhole = Map.groupBy(sorted, (name) => form.exec(name)?.[1] ?? "");
      this.#parts.set(form, byWhole);
    }
    return byWhole.get(whole) ?? [];
  }
}

const NUMERIC = new Intl.Collator("en", { numeric: true });

/** Parts that a command names one by one. */
const NAMED = 8;

/** Returns the command that joins the parts, to be run in their folder. */
export function joinCommand({ whole, parts, command }: SplitPart, file: string): string {
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  const into = folder === "" ? "" : `cd ${quoted(folder)} && `;
  if (command === "zip") return `${into}zip -s 0 ${quoted(whole)} --out ${quoted(`joined-${whole}`)}`;
  const [first = "", last = ""] = [parts[0], parts.at(-1)];
  if (command === "7z") return `${into}7z x ${quoted(first)}`;
  // parts of equal length are in order as the shell lists them
  const listed =
    parts.length > NAMED && first.length === last.length
      ? `${quoted(whole)}${first.slice(whole.length).replace(/[a-z\d]{1,4}$/i, (end) => "?".repeat(end.length))}`
      : parts.map(quoted).join(" ");
  return `${into}cat ${listed} > ${quoted(whole)}`;
}

/** A name as a shell takes it. */
function quoted(name: string): string {
  return /^[\w./+-]+$/.test(name) && !name.startsWith("-") ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
