import type { Command } from "../cli.ts";
import { EXIT, type ExitCode, JobError, PackageProblemsError } from "../errors.ts";
import type { Package } from "../packages/package.ts";
import type { PackageAction, RowAction } from "../reconcile/plan.ts";
import type { RowValues } from "../registry/rows.ts";

export interface ReportError {
  code: ExitCode;
  layer?: string;
  message: string;
  hint: string;
}

export interface PackageEntry {
  file: string;
  bytes: number | null;
  sha256: string | null;
  type: string | null;
  os: string | null;
  arch: string | null;
  object: string | null;
  version: string | null;
  name: string;
  key: string | null;
  action: PackageAction | "failed";
  bytesUploaded: number;
  error?: ReportError;
}

export interface RowEntry {
  id: number | null;
  type: string;
  os: string;
  arch: string | null;
  object: string;
  version: string;
  name: string;
  action: RowAction;
}

/** The report of SPEC §8, as REPORT_FILE and --json hold it. */
export interface Report {
  schema: 1;
  command: Command;
  outcome: "ok" | "failed";
  exitCode: ExitCode;
  startedAt: string;
  durationMs: number;
  bucket: string | null;
  error?: ReportError;
  packages: PackageEntry[];
  rows: RowEntry[];
  orphans: { objects: number; bytes: number };
  support: Support;
}

export type Phase = "wait" | "scan" | "lock" | "read" | "check" | "upload" | "rows" | "verify";

/** What BK-Lite's support asks for when something does not work. */
export interface Support {
  /** The highest layer of readiness that was passed; null for none. */
  layers: { postgres: string | null; nats: string | null };
  postgres: { version: string; state: string } | null;
  nats: { version: string; server: string } | null;
  /** Configuration and usage of the bucket's stream, as it was last read. */
  store: {
    replicas: number;
    maxBytes: number;
    maxMessageBytes: number;
    sealed: boolean;
    bytes: number;
    messages: number;
    lastSequence: number;
    objects: number;
  } | null;
  /** Milliseconds by phase; waiting and scanning go on at the same time. */
  phases: Partial<Record<Phase, number>>;
}

/** What happened to one package. */
export interface PackageResult {
  action: PackageAction | "failed";
  key: string | null;
  name: string;
  sha256: string | undefined;
  bytes: number | undefined;
  bytesUploaded: number;
  error?: unknown;
}

/** Collects what happens during a run. A package that is stored in one attempt and found in the next counts as stored. */
export class Recorder {
  readonly #command: Command;
  readonly #startedAt = new Date();
  readonly #started = performance.now();
  readonly #packages = new Map<string, PackageEntry>();
  readonly #rows = new Map<string, RowEntry>();
  bucket: string | null = null;
  orphans = { objects: 0, bytes: 0 };
  readonly support: Support = {
    layers: { postgres: null, nats: null },
    postgres: null,
    nats: null,
    store: null,
    phases: {},
  };
  /** undefined until the table has been seen. */
  archColumn: boolean | undefined;

  constructor(command: Command) {
    this.#command = command;
  }

  /** The highest layer that a service has passed. */
  passed(service: keyof Support["layers"], layer: string | undefined): void {
    this.support.layers[service] = layer ?? null;
  }

  /** Runs a phase and counts its time, failed or not. */
  async time<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      const { phases } = this.support;
      phases[phase] = Math.round((phases[phase] ?? 0) + performance.now() - started);
    }
  }

  package(pack: Package, result: PackageResult): void {
    const id = `${pack.archive.file} ${pack.object}`;
    const earlier = this.#packages.get(id);
    const sent = earlier !== undefined && earlier.bytesUploaded > 0 && result.action === "unchanged";
    this.#packages.set(id, {
      file: pack.archive.file,
      bytes: result.bytes ?? null,
      sha256: result.sha256 ?? null,
      type: pack.type,
      os: pack.os,
      arch: this.archColumn === false ? null : pack.arch,
      object: pack.object,
      version: pack.version,
      name: result.name,
      key: result.key,
      action: sent ? earlier.action : result.action,
      bytesUploaded: result.bytesUploaded + (earlier?.bytesUploaded ?? 0),
      ...(result.error !== undefined && { error: describeError(result.error) }),
    });
  }

  /** A file that never became a package. */
  refused(file: string, error: ReportError): void {
    this.#packages.set(file, {
      file,
      bytes: null,
      sha256: null,
      type: null,
      os: null,
      arch: null,
      object: null,
      version: null,
      name: file.split("/").at(-1) ?? file,
      key: null,
      action: "failed",
      bytesUploaded: 0,
      error,
    });
  }

  row(values: RowValues, id: number | undefined, action: RowAction): void {
    const { type, os, arch, object, version, name } = values;
    const identity = [os, arch, object, version].join("/");
    const earlier = this.#rows.get(identity);
    this.#rows.set(identity, {
      id: id ?? null,
      type,
      os,
      arch,
      object,
      version,
      name,
      action: earlier && action === "unchanged" ? earlier.action : action,
    });
  }

  get packages(): PackageEntry[] {
    return [...this.#packages.values()];
  }

  get rows(): RowEntry[] {
    return [...this.#rows.values()];
  }

  /** The report as it stands; `error` is what ended the run. */
  report(error?: unknown): Report {
    if (error instanceof PackageProblemsError) this.#addProblems(error);
    const described = error === undefined ? undefined : describeError(error);
    return {
      schema: 1,
      command: this.#command,
      outcome: described ? "failed" : "ok",
      exitCode: described?.code ?? EXIT.ok,
      startedAt: this.#startedAt.toISOString(),
      durationMs: Math.round(performance.now() - this.#started),
      bucket: this.bucket,
      ...(described && { error: described }),
      packages: this.packages,
      rows: this.rows,
      orphans: this.orphans,
      support: this.support,
    };
  }

  #addProblems({ problems }: PackageProblemsError): void {
    for (const { file, code, reason, hint } of problems) {
      const entries = this.packages.filter((candidate) => candidate.file === file);
      // one of several packages of an archive: its own entry says so already
      if (entries.some((candidate) => candidate.object !== null && candidate.action === "failed")) continue;
      const [entry] = entries;
      if (entry) Object.assign(entry, { action: "failed", error: { code, message: reason, hint } });
      else this.refused(file, { code, message: reason, hint });
    }
  }
}

/** Any error as code, message and remedy; what the job does not know is a bug of its own. */
export function describeError(error: unknown): ReportError {
  if (error instanceof JobError) {
    return {
      code: error.code,
      ...(error.layer && { layer: error.layer }),
      message: error.message,
      hint: error.hint,
    };
  }
  return {
    code: EXIT.internal,
    message: `internal error: ${error instanceof Error ? error.message : String(error)}`,
    hint: "this is a bug in bklite-package-init: please report it with the log",
  };
}
