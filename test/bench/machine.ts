import { execFile } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";
import { promisify } from "node:util";
import manifest from "../../package.json" with { type: "json" };

export interface Machine {
  date: string;
  cpu: string;
  cores: number;
  /** Bytes. */
  memory: number;
  kernel: string;
  /** Of the last minute, when the bench began: above the number of cores, trust ratios alone. */
  load: number;
  versions: Record<string, string>;
}

/** What the numbers were measured on. */
export function describeMachine(natsServer: string, postgres: string): Machine {
  const all = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memory: totalmem(),
    kernel: release(),
    load: loadavg()[0] ?? 0,
    versions: {
      "bklite-package-init": manifest.version,
      node: process.versions.node,
      "nats-server": natsServer,
      nats: manifest.dependencies.nats,
      postgres,
    },
  };
}

export function machineLine({ date, cpu, cores, memory, load, versions }: Machine): string {
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const gib = (memory / 1024 ** 3).toFixed(0);
  return `${date}; ${cores} cores (${cpu}), ${gib} GiB, load ${load.toFixed(1)} at the start; ${software.join(", ")}.`;
}

/** Whether a program is here, and ends well with these arguments. */
export function runs(program: string, ...args: readonly string[]): Promise<boolean> {
  return promisify(execFile)(program, args).then(
    () => true,
    () => false,
  );
}
