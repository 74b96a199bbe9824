import { HEAD_LENGTH, kindOf, programLength } from "../archive/binary.ts";
import { readFully } from "../archive/blocks.ts";
import type { BinaryKind, Entry, OpenFile } from "../archive/types.ts";
import { problem } from "../errors.ts";
import type { VolumeFile } from "../volume/file.ts";
import { withFile } from "../volume/open.ts";
import { readTree, type TreeEntry } from "../volume/tree.ts";
import { contentsOf } from "./contents.ts";
import { isBuiltin } from "./loose.ts";
import type { Archive } from "./package.ts";

/** What is not opened as an archive. */
export const UNOPENED = { format: "other", versions: {}, entries: [], ...contentsOf([]) } as const;

/** A program's first bytes. Throws exit 65 for one that is shorter than its header says. */
export async function readProgram(file: string, handle: OpenFile, size: number): Promise<BinaryKind> {
  const length = Math.min(HEAD_LENGTH, size);
  const head = await readFully(handle, Buffer.alloc(length), length, 0);
  const needed = programLength(head);
  if (needed > size) throw problem(file, "program.truncated", { bytes: size, needed });
  return kindOf(head);
}

/** A file in a collector's place. */
export function inspectLoose(file: VolumeFile): Promise<Archive> {
  return withFile(file, async (handle, stamp) => {
    const size = Number(stamp.size);
    const path = `bin/${file.name.replace(/\.zip$/i, "")}`;
    const entry: Entry = { path, kind: "file", size, mode: 0 };
    const archive = { ...file, ...UNOPENED, size, stamp, named: {}, sha256: undefined };
    const members = new Map([[path, entry]]);
    if (size === 0 && isBuiltin({ ...file, members })) throw problem(file.file, "archive.empty", {});
    const program = await readProgram(file.file, handle, size);
    return { ...archive, program, members: new Map([[path, { ...entry, kindOfBinary: program }]]) };
  });
}

/** A folder in a collector's place. */
export async function inspectFolder(file: VolumeFile): Promise<Archive> {
  const tree = await readTree(file);
  const files = tree.filter(({ isFolder }) => !isFolder);
  const members = new Map<string, Entry>();
  for (const one of files.filter(({ name }) => !name.includes("/"))) {
    const entry = await memberOf(one, `bin/${file.name}/${one.name}`);
    members.set(entry.path, entry);
  }
  const size = files.reduce((sum, { stamp }) => sum + Number(stamp.size), 0);
  const stamp = { dev: 0n, ino: 0n, size: BigInt(size), mtimeNs: 0n, ctimeNs: 0n };
  return { ...file, ...UNOPENED, size, stamp, named: {}, sha256: undefined, tree, members };
}

async function memberOf(one: TreeEntry, path: string): Promise<Entry> {
  const size = Number(one.stamp.size);
  const kindOfBinary = await withFile(one, (handle) => readProgram(one.file, handle, size));
  return { path, kind: "file", size, mode: one.mode, kindOfBinary };
}
