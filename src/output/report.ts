/**
 * output/: everything that leaves the program: log, tables, progress, report, termination message, without
 * secrets and in the operator's language. Knows how to present a run, not how to perform it.
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { JobError, type Problem, problemCode } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { formatMessage, type ReasonId } from "../messages/catalog.ts";
import { aboutFile, JOIN, type Language, platformOf } from "../messages/define.ts";
import type { PackageAction, PlatformEntry, RemovedCounts, RowEntry } from "../messages/events.ts";
import type { RegionEntry } from "../messages/region-words.ts";
import { wordsIn } from "../messages/words.ts";
import { escapeDeep, escapeJson, escapeText, type Redact, redactDeep } from "./redact.ts";

export interface ReportError {
  code: ExitCode;
  reason: ReasonId;
  layer?: string;
  message: string;
  hint: string;
}

export interface PackageEntry {
  /** The file as it was delivered, to be compared with the vendor's list. */
  source: {
    file: string;
    bytes: number | null;
    sha256: string | null;
    /** Fingerprint and comment of the key that signed it. */
    signedBy?: string;
  };
  /** The object that BK-Lite serves, or would serve. */
  stored: { name: string; key: string | null; bytes: number | null; sha256: string | null };
  type: string | null;
  os: string | null;
  arch: string | null;
  object: string | null;
  version: string | null;
  /** `found`: by scan, which stores nothing. */
  action: PackageAction | "failed" | "found";
  bytesUploaded: number;
  /** Why the archive is stored in another form than it has on the volume. */
  repacked?: readonly string[];
  error?: ReportError;
}

/** An APM probe that BK-Lite knows. */
export interface ProbeEntry {
  name: string;
  key: string;
  stored: "whole" | "damaged" | "missing";
}

/** Something that ends no run, but that a person should know. */
export interface Warning {
  reason: ReasonId;
  message: string;
  hint: string;
  file?: string;
}

/** The report of REPORT_FILE and --json; report.schema.json describes it for machines. */
export interface Report {
  schema: 3;
  command: string;
  /** `revision`: the commit that it was built from; null if the build did not name it. */
  program: { version: string; revision: string | null };
  /** The machine, container or pod that it ran on. */
  host: string;
  /** The servers that the command reached. */
  servers: {
    postgres:
      | (Record<"host" | "database" | "schema" | "version" | "tableState", string> & { port: number })
      | null;
    nats: { server: string; version: string; bucket: string } | null;
  };
  outcome: "ok" | "failed";
  exitCode: ExitCode;
  startedAt: string;
  durationMs: number;
  bucket: string | null;
  error?: ReportError;
  packages: PackageEntry[];
  rows: RowEntry[];
  probes: ProbeEntry[];
  platforms: PlatformEntry[];
  regions: RegionEntry[];
  /**
   * Old versions: the row's id, or null if only an object was left; `done` is false if they are only shown.
   */
  removed: { row: number | null; key: string | null; bytes: number | null; done: boolean }[];
  warnings: Warning[];
  orphans: { objects: number; bytes: number };
  support: Support;
}

export type Phase = "wait" | "scan" | "lock" | "read" | "check" | "upload" | "rows" | "verify";

/** Configuration and usage of a bucket's stream. */
export interface StreamFacts {
  replicas: number;
  /** Limits in bytes; -1: none. */
  maxBytes: number;
  maxMessageBytes: number;
  sealed: boolean;
  bytes: number;
  messages: number;
  lastSequence: number;
}

/** Facts that BK-Lite's support asks for. */
export interface Support {
  /** The highest layer of readiness that was passed; null if none. */
  layers: { postgres: string | null; nats: string | null };
  postgres: { version: string; state: string } | null;
  nats: { version: string; server: string } | null;
  /** Configuration and usage of the bucket's stream, as last read. */
  store: (StreamFacts & { objects: number }) | null;
  /** Milliseconds by phase; waiting and scanning run at the same time. */
  phases: Partial<Record<Phase, number>>;
}

/** Returns cause and remedy of a reason with the text of others escaped. */
export function escapedMessage(id: ReasonId, params: unknown, language: Language, file?: string) {
  return formatMessage(id, escapeDeep(params), language, file === undefined ? undefined : escapeText(file));
}

/** Returns an error's code, reason, message and remedy; an unknown error is a bug of the job. */
export function describeError(error: unknown, language: Language): ReportError {
  if (!(error instanceof JobError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: EXIT.internal, reason: "internal", ...escapedMessage("internal", { message }, language) };
  }
  const { code, reason, params, layer, file, server, others } = error;
  const { message, hint } = escapedMessage(reason, params, language, file);
  const more = others > 0 ? wordsIn(language)("more", { others }) : "";
  const of = server === undefined ? "" : `${escapeText(server)}${JOIN[language].colon}`;
  const about = file === undefined ? `${of}${message}` : aboutFile(escapeText(file), message, language);
  return { code, reason, ...(layer && { layer }), message: `${about}${more}`, hint };
}

/** Returns a problem as the report has it for its file. */
export function describeProblem(problem: Problem, language: Language): ReportError {
  const { reason, params, file } = problem;
  return { code: problemCode(problem), reason, ...escapedMessage(reason, params, language, file) };
}

/**
 * The report as REPORT_FILE and --json have it. Every `<` is escaped, so that the page can hold the same
 * bytes.
 */
export function toJson(report: Report, redact: Redact): string {
  const json = JSON.stringify(redactDeep(report, redact), null, 2);
  return `${escapeJson(json).replaceAll("<", "\\u003c")}\n`;
}

/** Returns counts by action: `{uploaded: 1, unchanged: 2}`. */
export function countActions(entries: readonly { action: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { action } of entries) counts[action] = (counts[action] ?? 0) + 1;
  return counts;
}

/** Returns how many versions went, or would go, and the bytes of their objects. */
export function countRemoved({ removed }: Pick<Report, "removed">): RemovedCounts {
  const bytes = removed.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
  return { versions: removed.length, bytes, done: removed.every(({ done }) => done) };
}

/**
 * Returns outcome, counts, installable platforms and the error in at most `limit` bytes of JSON, for
 * Kubernetes' termination message (4096 bytes). Cuts the error's words if the text is too long.
 */
export function terminationMessage(report: Report, limit = 4096): string {
  const { outcome, exitCode, packages, rows, platforms, warnings, error } = report;
  for (let keep = Infinity; ; keep = Math.floor(Math.min(keep, limit) / 2)) {
    const cut = (text: string) => (text.length > keep ? `${text.slice(0, keep)}...` : text);
    const text = escapeJson(
      JSON.stringify({
        outcome,
        exitCode,
        packages: countActions(packages),
        rows: countActions(rows),
        platforms: Object.fromEntries(
          platforms.map((one) => [platformOf(one), one.complete ? "complete" : "incomplete"]),
        ),
        warnings: warnings.length,
        ...(error && { error: { ...error, message: cut(error.message), hint: cut(error.hint) } }),
      }),
    );
    if (Buffer.byteLength(text) <= limit || keep <= 1) return text;
  }
}

/** The file from which Kubernetes reads a container's termination message. */
export const TERMINATION_LOG = "/dev/termination-log";

/**
 * Writes the termination message of a redacted report if the file exists and is writable; otherwise no one
 * would read it.
 */
export function writeTerminationLog(path: string, report: Report): void {
  let fd: number | undefined;
  try {
    // Without O_CREAT: the file must not appear on a machine that is not a Kubernetes node.
    fd = openSync(path, constants.O_WRONLY | constants.O_TRUNC | constants.O_NONBLOCK);
    writeSync(fd, terminationMessage(report));
  } catch {
    return;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
