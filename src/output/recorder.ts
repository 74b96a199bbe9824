import { hostname } from "node:os";
import { ProblemError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { Language } from "../messages/define.ts";
import type { RowAction, RowEntry, RowLine, StoredState } from "../messages/events.ts";
import { describeError, describeProblem, type PackageEntry, type Phase, type Report } from "./report.ts";

/** The outcome of one package. */
type PackageResult = Pick<PackageEntry, "action" | "source" | "stored" | "bytesUploaded"> & {
  error?: unknown;
};

/** The fields of a package that do not depend on its outcome. */
export interface ReportedPackage {
  /** How its bytes differ from the file, and why. */
  derived?: { kind: string; reasons?: readonly string[] };
  type: string;
  os: string;
  arch: string;
  /** For any platform. */
  anywhere?: boolean;
  object: string;
  version: string;
}

/** What identifies a row; the unique constraint leaves the type out. */
type RowIdentity = Pick<RowEntry, "os" | "arch" | "object" | "version">;

const rowId = ({ os, arch, object, version }: RowIdentity) => [os, arch, object, version].join("/");

type Facts = Pick<
  Report,
  "bucket" | "servers" | "platforms" | "probes" | "regions" | "removed" | "orphans" | "support"
> & {
  /** Missing until the table has been read. */
  archColumn?: boolean;
};
type News = Partial<Omit<Facts, "servers" | "support">> & {
  servers?: Partial<Facts["servers"]>;
  support?: Partial<Facts["support"]>;
};

/**
 * Collects the outcomes of a run. A package that one attempt stored and the next one found counts as stored.
 */
export class Recorder {
  readonly #command: string;
  readonly #language: Language;
  readonly #program: Report["program"];
  readonly #startedAt = new Date();
  readonly #started = performance.now();
  readonly #packages = new Map<string, PackageEntry>();
  readonly #rows = new Map<string, RowEntry>();
  readonly #warnings = new Map<string, Report["warnings"][number]>();
  /** When the run was over: a report that is written twice says the same twice. */
  #ended: number | undefined;
  #facts: Facts = {
    bucket: null,
    servers: { postgres: null, nats: null },
    platforms: [],
    probes: [],
    regions: [],
    removed: [],
    orphans: { objects: 0, bytes: 0 },
    support: { layers: { postgres: null, nats: null }, postgres: null, nats: null, store: null, phases: {} },
  };

  constructor(
    command: string,
    language: Language,
    program: Report["program"] = { version: "", revision: null },
  ) {
    this.#command = command;
    this.#language = language;
    this.#program = program;
  }

  /** Records facts as last read. */
  learn({ servers, support, ...facts }: News): void {
    const known = this.#facts;
    this.#facts = {
      ...known,
      ...facts,
      servers: { ...known.servers, ...servers },
      support: { ...known.support, ...support },
    };
  }

  /** Records the highest layer that a service has passed. */
  passed(service: keyof Report["support"]["layers"], layer: string | undefined): void {
    this.learn({ support: { layers: { ...this.#facts.support.layers, [service]: layer ?? null } } });
  }

  /** Records an old version that was removed, or would be. */
  removed(entry: Report["removed"][number]): void {
    this.learn({ removed: [...this.#facts.removed, entry] });
  }

  /** Runs a phase and adds its time, even if it fails. */
  async time<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      const { phases } = this.#facts.support;
      const spent = Math.round((phases[phase] ?? 0) + performance.now() - started);
      this.learn({ support: { phases: { ...phases, [phase]: spent } } });
    }
  }

  package(pkg: ReportedPackage, result: PackageResult): void {
    const id = `${result.source.file} ${pkg.object}`;
    const earlier = this.#packages.get(id);
    const sent = earlier !== undefined && earlier.bytesUploaded > 0 && result.action === "unchanged";
    this.#packages.set(id, {
      source: result.source,
      stored: result.stored,
      type: pkg.type,
      os: pkg.anywhere ? null : pkg.os,
      arch: pkg.anywhere || this.#facts.archColumn === false ? null : pkg.arch,
      object: pkg.object,
      version: pkg.version,
      action: sent ? earlier.action : result.action,
      bytesUploaded: result.bytesUploaded + (earlier?.bytesUploaded ?? 0),
      ...(pkg.derived?.reasons && pkg.derived.reasons.length > 0 && { repacked: pkg.derived.reasons }),
      ...(result.error !== undefined && { error: describeError(result.error, this.#language) }),
    });
  }

  row(values: Omit<RowLine, "id" | "action">, id: number | undefined, action: RowAction): void {
    const { type, os, arch, object, version, name } = values;
    const identity = rowId(values);
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
      stored: earlier?.stored ?? null,
    });
  }

  /** What is stored of the object of a row, if the report has that row. */
  rowStored(row: RowIdentity, stored: () => StoredState): void {
    const entry = this.#rows.get(rowId(row));
    if (entry) this.#rows.set(rowId(row), { ...entry, stored: stored() });
  }

  /** Records a warning; a warning that another attempt of the run repeats counts once. */
  warning(warning: Report["warnings"][number]): void {
    this.#warnings.set([warning.reason, warning.file, warning.message].join(" "), warning);
  }

  get packages(): PackageEntry[] {
    return [...this.#packages.values()];
  }

  get rows(): RowEntry[] {
    return [...this.#rows.values()];
  }

  /** Returns the report so far; `error` is the error that ended the run. */
  report(error?: unknown): Report {
    if (error instanceof ProblemError) this.#addProblems(error);
    const described = error === undefined ? undefined : describeError(error, this.#language);
    this.#ended ??= performance.now();
    const { bucket, servers, probes, platforms, regions, removed, orphans, support } = this.#facts;
    return {
      schema: 3,
      command: this.#command,
      program: this.#program,
      host: hostname(),
      servers,
      outcome: described ? "failed" : "ok",
      exitCode: described?.code ?? EXIT.ok,
      startedAt: this.#startedAt.toISOString(),
      durationMs: Math.round(this.#ended - this.#started),
      bucket,
      ...(described && { error: described }),
      packages: this.packages,
      rows: this.rows,
      probes,
      platforms,
      regions,
      removed,
      warnings: [...this.#warnings.values()],
      orphans,
      support,
    };
  }

  #addProblems({ problems }: ProblemError): void {
    for (const one of problems) {
      const { file } = one;
      const failed = { action: "failed", error: describeProblem(one, this.#language) } as const;
      const entries = [...this.#packages].filter(([, { source }]) => source.file === file);
      // a package of an archive: its own entry already has the error
      if (entries.some(([, { object, action }]) => object !== null && action === "failed")) continue;
      const [[id, entry] = [file, noPackage(file)]] = entries;
      this.#packages.set(id, { ...entry, ...failed });
    }
  }
}

/** The fields of a file that did not become a package. */
function noPackage(file: string) {
  return {
    source: { file, bytes: null, sha256: null },
    stored: { name: file.split("/").at(-1) ?? file, key: null, bytes: null, sha256: null },
    ...{ type: null, os: null, arch: null, object: null, version: null },
    action: "failed",
    bytesUploaded: 0,
  } as const;
}
