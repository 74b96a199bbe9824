import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Names in UTF-8 are names, whatever the machine's locale. */
const env = { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC" };

const SLASH = 0x2f;

export type Kind = "zip" | "tar.gz";

/** Somebody else's reader of archives. */
export interface Peer {
  name: string;
  kind: Kind;
  /**
   * Unpacks into an empty folder. Returns what it says of an archive that it refuses, undefined where it
   * takes it.
   */
  unpack(archive: string, into: string): Promise<string | undefined>;
}

export interface Peers {
  list: readonly Peer[];
  /** Which there are, with their versions. */
  words: string;
  close(): void;
}

/** Those that this machine has: Python's zipfile and tarfile, Info-ZIP's unzip, GNU tar. */
export async function findPeers(): Promise<Peers> {
  const found: Peer[] = [];
  const words: string[] = [];
  const python = await startPython();
  if (python) {
    for (const kind of python.kinds) found.push({ name: "python", kind, unpack: python.unpack(kind) });
    words.push(`Python ${python.version} (${python.kinds.join(", ")})`);
  }
  const unzip = await firstLine("unzip", ["-v"]);
  if (unzip) {
    words.push(unzip.replace(/,.*| of .*/, ""));
    // 1: a warning, and everything was unpacked (unzip(1), "DIAGNOSTICS")
    const unpack = (archive: string, into: string) =>
      refusal("unzip", ["-qq", "-o", "-d", into, archive], ({ code }) => code === 1);
    found.push({ name: "unzip", kind: "zip", unpack });
  }
  const tar = await firstLine("tar", ["--version"]);
  if (tar?.includes("GNU tar")) {
    words.push(tar.replace(/[()]/g, ""));
    const unpack = (archive: string, into: string) =>
      refusal("tar", ["-C", into, "--no-same-owner", "-p", "-xzf", archive], () => false);
    found.push({ name: "tar", kind: "tar.gz", unpack });
  }
  return { list: found, words: words.join(", "), close: () => python?.close() };
}

interface Failure {
  code?: number | string;
  stderr: string;
}

async function refusal(
  program: string,
  args: readonly string[],
  isWarning: (failure: Failure) => boolean,
): Promise<string | undefined> {
  try {
    await run(program, args, { env, timeout: 120_000, maxBuffer: 1 << 26 });
    return undefined;
  } catch (error) {
    const failure = error as Failure;
    if (isWarning(failure)) return undefined;
    return `${failure.code}: ${failure.stderr.slice(0, 400)}`;
  }
}

async function firstLine(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    return (await run(program, args, { env })).stdout.split("\n")[0];
  } catch {
    return undefined;
  }
}

async function startPython() {
  let child: ChildProcessWithoutNullStreams;
  try {
    child = spawn("python3", [join(import.meta.dirname, "peers.py")], { env });
    await once(child, "spawn");
  } catch {
    return undefined;
  }
  child.stderr.resume();
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hello = await lines.next();
  if (hello.done) return undefined;
  const { version, kinds } = JSON.parse(hello.value) as { version: string; kinds: Kind[] };
  const unpack = (kind: Kind) => async (archive: string, into: string) => {
    child.stdin.write(`${JSON.stringify({ kind, archive, into })}\n`);
    const answer = await lines.next();
    if (answer.done) return "it crashed";
    return (JSON.parse(answer.value) as { error: string | null }).error ?? undefined;
  };
  return { version, kinds, unpack, close: () => void child.stdin.end() };
}

/** What a reader leaves on the disk, by path; links are followed, as whoever uses the files would. */
export type Tree = Map<string, { sha256: string; mode: number }>;

/** Reads it. A link that leads nowhere is left out: nobody can read that. */
export function readTree(folder: string): Tree {
  const tree: Tree = new Map();
  // as bytes: not every name is text
  const visit = (path: Buffer, shown: Buffer, links: number) => {
    const stat = links > 40 ? undefined : look(path);
    if (!stat) return;
    if (stat.isSymbolicLink()) {
      visit(below(path.subarray(0, path.lastIndexOf(SLASH)), readlinkSync(path, "buffer")), shown, links + 1);
    } else if (stat.isDirectory()) {
      for (const name of readdirSync(path, "buffer")) visit(below(path, name), below(shown, name), links);
    } else if (stat.isFile()) {
      const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
      tree.set(shown.toString(), { sha256, mode: stat.mode & 0o777 });
    }
  };
  visit(Buffer.from(folder), Buffer.alloc(0), 0);
  return tree;
}

function look(path: Buffer) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // below a file, where a link may lead
  }
}

function below(folder: Buffer, name: Buffer): Buffer {
  return folder.length === 0 ? name : Buffer.concat([folder, Buffer.of(SLASH), name]);
}
