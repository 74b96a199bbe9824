import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Nothing that a test starts may outlive it, not even after Ctrl-C or kill -9. No exit hook runs then, so a
 * shell waits at the other end of a pipe: when the pipe closes, for whatever reason, it ends what is still on
 * the list. `quit` is SIGQUIT, Postgres' immediate shutdown, which takes its children and shared memory with
 * it.
 */
const WATCHER = `
last=
while IFS= read -r line; do last=$line; done
[ -n "$last" ] || exit 0
set -f
IFS='|'
for item in $last; do
  case $item in
    quit:*) kill -QUIT "\${item#quit:}" ;;
    kill:*) kill -KILL "\${item#kill:}" ;;
  esac
done
sleep 0.5
for item in $last; do
  case $item in
    quit:*) kill -KILL "\${item#quit:}" ;;
    remove:*) rm -rf -- "\${item#remove:}" ;;
  esac
done
`;

const guarded = new Set<string>();
let watcher: ChildProcess | undefined;

function publish(): void {
  if (!watcher) {
    if (guarded.size === 0) return;
    // Detached, or Ctrl-C would end it together with the test that it watches.
    watcher = spawn("/bin/sh", ["-c", WATCHER], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      cwd: "/",
    });
    watcher.unref();
    (watcher.stdin as unknown as { unref(): void }).unref();
  }
  watcher.stdin?.write(`${[...guarded].join("|")}\n`);
}

/**
 * Has `item` ended or removed if this process goes away. Returns the release, for when that has been done in
 * order.
 */
function guard(item: string): () => void {
  guarded.add(item);
  publish();
  return () => {
    if (guarded.delete(item)) publish();
  };
}

export interface TempDir {
  path: string;
  /** Removes the folder and what is in it. */
  remove(): void;
}

/** A new folder in os.tmpdir(), removed at the latest when this process is gone. */
export function tempDir(name: string): TempDir {
  const path = mkdtempSync(join(tmpdir(), `bklite-${name}-`));
  const release = guard(`remove:${path}`);
  return {
    path,
    remove() {
      // Retried: a server that was killed a moment ago may still be closing files here.
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      release();
    },
  };
}

/** A child that is ended at the latest when this process is gone, and that never keeps this process alive. */
export function spawnGuarded(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { onOrphan?: "kill" | "quit" },
): ChildProcess {
  const { onOrphan = "kill", ...rest } = options;
  const child = spawn(command, args, rest);
  if (child.pid !== undefined) {
    const release = guard(`${onOrphan}:${child.pid}`);
    child.once("exit", release);
  }
  child.unref();
  return child;
}

/** Whether the child has ended, by itself or by a signal. */
export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Sends `signal` and waits until the child is gone; SIGKILL follows after `graceMs`. */
export async function end(child: ChildProcess, signal: NodeJS.Signals, graceMs = 5_000): Promise<void> {
  if (hasEnded(child)) return;
  const gone = once(child, "exit");
  child.ref();
  child.kill(signal);
  // A stopped process takes no signal but SIGKILL until it is continued.
  child.kill("SIGCONT");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await gone.finally(() => clearTimeout(timer));
}
