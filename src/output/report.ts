/**
 * output/: everything that leaves the program: log, tables, progress, report, termination message, without secrets and in the
 * operator's language. Knows how things are said, not how they are done.
 */

import type { ExitCode } from "../exit.ts";
import type { ReasonId } from "../messages/catalog.ts";
import type { PackageAction, PlatformEntry, RowEntry } from "../messages/events.ts";

export interface ReportError {
  code: ExitCode;
  reason: ReasonId;
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
  /** `found`: by scan, which stores nothing. */
  action: PackageAction | "failed" | "found";
  bytesUploaded: number;
  /** Why the archive was stored in another form than it has on the volume. */
  repacked?: readonly string[];
  error?: ReportError;
}

/** An APM probe that BK-Lite knows. */
export interface ProbeEntry {
  /** The file's. */
  name: string;
  key: string;
  stored: "whole" | "damaged" | "missing";
}

/** Something that ends no run, but that somebody should know. */
export interface Warning {
  reason: ReasonId;
  message: string;
  hint: string;
  file?: string;
}

/** The report, as REPORT_FILE and --json hold it; report.schema.json says the same to machines. */
export interface Report {
  schema: 2;
  command: string;
  outcome: "ok" | "failed";
  exitCode: ExitCode;
  startedAt: string;
  durationMs: number;
  bucket: string | null;
  error?: ReportError;
  packages: PackageEntry[];
  rows: RowEntry[];
  platforms: PlatformEntry[];
  probes: ProbeEntry[];
  warnings: Warning[];
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
