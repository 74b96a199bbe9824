import { EventEmitter } from "node:events";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { compileFunction } from "node:vm";

export interface ProgramOptions {
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Programs with one run one at a time: this process has only one. */
  cwd?: string | undefined;
  /** Called with all that the program writes. */
  write: (fd: 1 | 2, piece: Buffer) => void;
}

/**
 * Runs a built program in this process and returns its exit code. Each run has modules and a `process` of its
 * own, from code that is compiled once; a new node would cost about five times as much.
 */
export async function runInProcess(entry: string, options: ProgramOptions): Promise<number> {
  const before = process.cwd();
  if (options.cwd !== undefined) process.chdir(options.cwd);
  try {
    return await new Promise<number>((exit) => load(entry, options, exit));
  } finally {
    if (options.cwd !== undefined) process.chdir(before);
  }
}

/** What the code of a CommonJS module refers to besides the globals. */
const NAMES = ["require", "module", "exports", "process", "console"];
const compiled = new Map<string, (...values: unknown[]) => void>();

function compile(path: string): (...values: unknown[]) => void {
  const text = fs.readFileSync(path, "utf8").replace(/^#!/, "//");
  const code = compileFunction(text, NAMES, { filename: path }) as unknown as (...values: unknown[]) => void;
  compiled.set(path, code);
  return code;
}

/** Loads the program's file and, on demand, those that it consists of. */
function load(entry: string, { args, env, write }: ProgramOptions, exit: (code: number) => void): void {
  const listeners = new EventEmitter();
  const own = {
    ...{ argv: [process.execPath, entry, ...args], env: { ...env }, exit, exitCode: undefined },
    ...{ on: listeners.on.bind(listeners), stdout: {}, stderr: {} },
  };
  const ownProcess = Object.create(process, Object.getOwnPropertyDescriptors(own));
  const ownConsole = { ...console };
  const ownFs = {
    ...fs,
    writeSync(fd: number, bytes: Buffer, ...place: [number?]) {
      if (fd !== 1 && fd !== 2) return fs.writeSync(fd, bytes, ...place);
      write(fd, Buffer.from(bytes));
      return bytes.length;
    },
  };
  const builtin = createRequire(entry);
  const modules = new Map<string, { exports: object }>();
  const loadFile = (path: string): object => {
    const known = modules.get(path);
    if (known) return known.exports;
    const module = { exports: {} };
    modules.set(path, module);
    const require = (name: string) =>
      name.startsWith(".") ? loadFile(join(dirname(path), name)) : name === "node:fs" ? ownFs : builtin(name);
    (compiled.get(path) ?? compile(path))(require, module, module.exports, ownProcess, ownConsole);
    return module.exports;
  };
  loadFile(entry);
}
