import { readdir } from "node:fs/promises";
import { readFully } from "../archive/blocks.ts";
import { MAX_PACKED } from "../archive/entries.ts";
import {
  contentFormat as contentKind,
  HEAD_LENGTH,
  examineExecutable as programKind,
} from "../archive/file-kind.ts";
import type { ExecutableType as BinaryKind, Entry, OpenFile } from "../archive/types.ts";
import { inspectZip, readEntryHead } from "../archive/zip-read.ts";
import { collectProblem, type Problem, ProblemError, problem } from "../errors.ts";
import { type FileStamp, type VolumeFile, withFile } from "../volume/files.ts";
import { readTree, type TreeEntry } from "../volume/list.ts";
import { isBuiltin } from "./collectors.ts";
import { contentsOf } from "./contents.ts";
import type { Archive } from "./package.ts";
import { checkWhole } from "./programs.ts";
import { checkKind } from "./sniff.ts";

/** What is not opened as an archive. */
export const UNOPENED = { format: "other", versions: {}, entries: [], ...contentsOf([]) } as const;

interface Sized {
  file: string;
  size: number;
}

/** A program's first bytes. Throws exit 65 for one that is shorter than its header says. */
async function readProgram(file: Sized, handle: OpenFile): Promise<BinaryKind> {
  return kindOfHead(file, await headOf(file, handle));
}

function kindOfHead({ file, size }: Sized, head: Buffer): BinaryKind {
  const kind = programKind(head, size);
  checkWhole(file, kind);
  // room that is reserved, and may be filled yet
  if (head.length > 0 && head.every((byte) => byte === 0))
    throw problem(file, "program.kind", { entry: "", found: "zeros" });
  return kind;
}

function headOf({ size }: Sized, handle: OpenFile): Promise<Buffer> {
  const length = Math.min(HEAD_LENGTH, size);
  return readFully(handle, Buffer.alloc(length), length, 0);
}

/** An installer's first bytes; where it is no program, with what it is instead. */
export async function readInstaller(file: Sized, handle: OpenFile): Promise<BinaryKind> {
  const head = await headOf(file, handle);
  const kind = kindOfHead(file, head);
  const instead = kind.format === "other" ? contentKind(head) : undefined;
  return instead === undefined || instead === "program" ? kind : { format: "other", instead };
}

/**
 * A collector's file: BK-Lite unzips one whose name ends in `.zip`, so that has to be a zip which its unzipper takes; of it the program
 * counts that is called like it. Any other may hold whatever runs.
 */
export async function readCollector(
  file: Sized & { name: string },
  handle: OpenFile,
  signal?: AbortSignal,
): Promise<{ format: "zip" | "other"; program: BinaryKind; entries: readonly Entry[] }> {
  if (!ZIP.test(file.name)) return { format: "other", program: await readProgram(file, handle), entries: [] };
  if (file.size > MAX_PACKED)
    throw problem(file.file, "archive.limit.packed", { bytes: file.size, limit: MAX_PACKED });
  await checkKind(file.file, handle, file.size, "zip");
  const { entries } = await inspectZip(file.file, handle, file.size, { signal });
  const link = entries.find(({ kind }) => kind === "link");
  if (link) throw problem(file.file, "collector.link", { entry: link.path });
  const main = entries.find(({ path, kind }) => kind === "file" && isMain(path, file.name));
  const head = main && (await readEntryHead(file.file, handle, main, HEAD_LENGTH));
  return {
    format: "zip",
    program: head && main ? programKind(head, main.size) : { format: "other" },
    entries,
  };
}

const ZIP = /\.zip$/;

/** `filebeat/filebeat`, `telegraf.exe`, in a zip of any name that begins like it. */
function isMain(path: string, zip: string): boolean {
  const [last = "", folder = "", ...above] = path.toLowerCase().split("/").reverse();
  const name = last.replace(/\.exe$/, "");
  return above.length === 0 && (folder === name || zip.toLowerCase().startsWith(name)) && name !== "";
}

/**
 * A file in a collector's place. What BK-Lite has had no collector for may be anything, a log file too: it is judged only if the platform
 * turns out to know it.
 */
export async function inspectLoose(file: VolumeFile, signal?: AbortSignal): Promise<Archive> {
  const path = `bin/${file.name.replace(/\.zip$/i, "")}`;
  const entry: Entry = { path, kind: "file", size: file.size, mode: 0 };
  if (isBuiltin({ ...file, members: new Map([[path, entry]]) })) {
    const archive = await readLoose(file, entry, signal);
    if (archive.size === 0) throw problem(file.file, "archive.empty", {});
    return archive;
  }
  const problems: Problem[] = [];
  const archive = await collectProblem(problems, () => readLoose(file, entry, signal));
  const [fault] = problems;
  if (fault?.reason === "program.truncated") throw new ProblemError(fault);
  const unread = { ...file, ...UNOPENED, stamp: stampOf(0), named: {}, sha256: undefined };
  return archive ?? { ...unread, members: new Map([[path, entry]]), ...(fault && { fault }) };
}

function readLoose(file: VolumeFile, entry: Entry, signal: AbortSignal | undefined): Promise<Archive> {
  return withFile(file, async (handle, stamp) => {
    const size = Number(stamp.size);
    const { format, program, entries } = await readCollector({ ...file, size }, handle, signal);
    const members = new Map([[entry.path, { ...entry, size, kindOfBinary: program }]]);
    const read = { format, program, entries, members };
    return { ...file, ...UNOPENED, size, stamp, named: {}, sha256: undefined, ...read };
  });
}

/** A folder in a collector's place. */
export async function inspectFolder(file: VolumeFile): Promise<Archive> {
  const problems: Problem[] = [];
  const archive = await collectProblem(problems, async () => readFolder(file, await readTree(file)));
  return archive ?? unfitFolder(file, problems[0] as Problem);
}

/** One with something in it that no zip can hold: a fault only if it turns out to be a collector. */
async function unfitFolder(file: VolumeFile, fault: Problem): Promise<Archive> {
  if (!["collector.folder", "file.link", "file.changed"].includes(fault.reason))
    throw new ProblemError(fault);
  const paths = (await readdir(file.path)).map((name) => `bin/${file.name}/${name}`);
  const members = new Map(
    paths.map((path): [string, Entry] => [path, { path, kind: "file", size: 0, mode: 0 }]),
  );
  if (isBuiltin({ ...file, members })) throw new ProblemError(fault);
  return { ...file, ...UNOPENED, stamp: stampOf(0), named: {}, sha256: undefined, members, fault };
}

function stampOf(size: number): FileStamp {
  return { dev: 0n, ino: 0n, size: BigInt(size), mtimeNs: 0n, ctimeNs: 0n };
}

async function readFolder(file: VolumeFile, tree: readonly TreeEntry[]): Promise<Archive> {
  const files = tree.filter(({ isFolder }) => !isFolder);
  const members = new Map<string, Entry>();
  for (const one of files.filter(({ name }) => !name.includes("/"))) {
    const entry = await memberOf(one, `bin/${file.name}/${one.name}`);
    const own = new Map([[entry.path, entry]]);
    if (entry.size === 0 && isBuiltin({ ...file, members: own }))
      throw problem(one.file, "archive.empty", {});
    members.set(entry.path, entry);
  }
  const size = files.reduce((sum, { stamp }) => sum + Number(stamp.size), 0);
  const stamp = stampOf(size);
  return { ...file, ...UNOPENED, size, stamp, named: {}, sha256: undefined, tree, members };
}

async function memberOf(one: TreeEntry, path: string): Promise<Entry> {
  const size = Number(one.stamp.size);
  const kindOfBinary = await withFile(one, (handle) => readProgram({ file: one.file, size }, handle));
  return { path, kind: "file", size, mode: one.mode, kindOfBinary };
}
