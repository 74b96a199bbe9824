import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

/** Milliseconds between two looks at a process's memory. */
const LOOK = 10;

export interface Measured {
  /** From the start of the process to its end. */
  seconds: number;
  /** From the start of the process to the first byte on its standard output; undefined: there was none. */
  firstOutput: number | undefined;
  /** Bytes that were resident at most, by the kernel's count (VmHWM); undefined without /proc. */
  peak: number | undefined;
}

export interface Command {
  program: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Its output goes to /dev/null: for programs that print what they unpack. */
  discard?: boolean;
}

/** Runs a program to its end. Throws, with the end of its output, if it fails. */
export async function measure({ program, args, env = {}, discard = false }: Command): Promise<Measured> {
  const { PATH = "", HOME = "" } = process.env;
  const started = performance.now();
  const since = () => (performance.now() - started) / 1000;
  const child: ChildProcess = spawn(program, args, {
    env: { PATH, HOME, ...env },
    stdio: ["ignore", discard ? "ignore" : "pipe", "pipe"],
  });
  let firstOutput: number | undefined;
  let peak: number | undefined;
  let said = "";
  child.stdout?.on("data", (data: Buffer) => {
    firstOutput ??= since();
    said += data;
  });
  child.stderr?.on("data", (data: Buffer) => {
    said += data;
  });
  const look = setInterval(() => {
    peak = highWater(child.pid) ?? peak;
  }, LOOK);
  let seconds = 0;
  child.once("exit", () => {
    seconds = since();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).finally(() => clearInterval(look));
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}:\n${said.slice(-2000)}`);
  return { seconds, firstOutput, peak };
}

/** Returns the kernel's own high-water mark, so that only a peak in the last moment is missed. */
function highWater(pid: number | undefined): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined; // ended between the timer and now, or no Linux
  }
}

/** Whether a program is on this machine and succeeds with these arguments. */
export function runs(program: string, ...args: readonly string[]): Promise<boolean> {
  return promisify(execFile)(program, args).then(
    () => true,
    () => false,
  );
}

/** Median and range of several rounds, in the unit of the values. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}
