import { EXIT, type ExitCode } from "./exit.ts";
import { exitOf, formatMessage, type Params, type ReasonId } from "./messages/catalog.ts";

export interface JobErrorOptions {
  /** Readiness layer (`dns`, `tcp`, `tls`, `login`, …) where that is what failed. */
  layer?: string | undefined;
  /** Path below PACKAGES_DIR, where a file is what is wrong. */
  file?: string | undefined;
  /** Service, host and port, where a server is what is wrong and the reason's parameters do not name it. */
  server?: string | undefined;
  cause?: unknown;
}

/**
 * An error that the job understands: an entry of the catalog with its parameters. Anything else is a bug (exit 70).
 * `message` is the English cause, for stacks and tests; what an operator reads is made at the edge (output/report.ts).
 */
export class JobError<Id extends ReasonId = ReasonId> extends Error {
  override readonly name: string = "JobError";
  readonly reason: Id;
  readonly params: Params<Id>;
  readonly layer: string | undefined;
  readonly file: string | undefined;
  readonly server: string | undefined;
  /** How many more of the kind there are, which the log names. */
  readonly others: number = 0;

  constructor(reason: Id, params: Params<Id>, options: JobErrorOptions = {}) {
    const { message } = formatMessage(reason, params, "en");
    const place = options.file ?? options.server;
    super(
      place === undefined ? message : `${place}: ${message}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.reason = reason;
    this.params = params;
    this.layer = options.layer;
    this.file = options.file;
    this.server = options.server;
  }

  /** The exit code of the run that this error ends. */
  get code(): ExitCode {
    return exitOf(this.reason) ?? EXIT.internal;
  }

  get hint(): string {
    return formatMessage(this.reason, this.params, "en").hint;
  }
}

/** What a clean start may mend: a connection that is gone, somebody who wrote in between, a table that was migrated. */
export class RetryableError<Id extends ReasonId = ReasonId> extends JobError<Id> {
  override readonly name: string = "RetryableError";
}

/** Something that is wrong with one file of the volume. Data: all of them are gathered before the run ends. */
export type Problem<Id extends ReasonId = ReasonId> = Id extends ReasonId
  ? {
      /** Path below PACKAGES_DIR. */
      file: string;
      reason: Id;
      params: Params<Id>;
    }
  : never;

/** Ends the reading of one file; caught where files are gone through, and kept there as a Problem. */
export class ProblemError extends JobError {
  override readonly name = "ProblemError";
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.reason, problem.params, { file: problem.file });
    this.problem = problem;
  }
}

/** A file that cannot be used as it is: throw what this returns where its reading has to stop. */
export function problem<Id extends ReasonId>(file: string, reason: Id, params: Params<Id>): ProblemError {
  return new ProblemError({ file, reason, params } as unknown as Problem);
}

/** The exit code that a problem alone would end the run with. */
export function problemCode({ reason }: Problem): ExitCode {
  return exitOf(reason) ?? EXIT.internal;
}

/** Runs `check`; what is wrong with a file becomes data in `problems`, other errors are thrown on. */
export async function collectProblem<T>(
  problems: Problem[],
  check: () => T,
): Promise<Awaited<T> | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    problems.push(error.problem);
    return undefined;
  }
}

/** Everything that is wrong with the volume, as the end of a run: the operator copies the files once, not five times. */
export class ProblemsError extends JobError {
  override readonly name = "ProblemsError";
  readonly problems: readonly Problem[];
  override readonly others: number;

  constructor(problems: readonly Problem[]) {
    const first = problems.find((one) => problemCode(one) === EXIT.invalidPackage) ?? problems[0];
    if (!first) throw new Error("ProblemsError needs a problem");
    super(first.reason, first.params, { file: first.file });
    this.problems = problems;
    this.others = problems.length - 1;
  }
}

/** Several packages that failed each by itself, as the end of a run: the first one's failure, and how many more there are. */
export class FailuresError extends JobError {
  override readonly name = "FailuresError";
  override readonly others: number;

  constructor(first: JobError, others: number) {
    const { reason, params, layer, file, server } = first;
    super(reason, params, { layer, file, server, cause: first });
    this.others = others;
  }
}

/** What a run ends with after these failures; undefined where there are none. One that the job does not understand stands alone, with its stack. */
export function endOf(failures: readonly unknown[]): unknown {
  const [first, ...others] = failures;
  return first instanceof JobError && others.length > 0 ? new FailuresError(first, others.length) : first;
}

/** Whether the operating system reported the error: a missing file, no permission, an I/O error. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "errno" in error;
}
