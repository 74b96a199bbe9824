import { EXIT, type ExitCode } from "./exit.ts";
import { exitOf, formatMessage, type Params, type ReasonId } from "./messages/catalog.ts";

interface JobErrorOptions {
  /** Readiness layer that failed (`dns`, `tcp`, `tls`, `login`, …). */
  layer?: string | undefined;
  /** The file that is at fault, as a path below PACKAGES_DIR. */
  file?: string | undefined;
  /** Service, host and port of the server at fault, if the reason's parameters do not name it. */
  server?: string | undefined;
  /** How many more failures of the kind there are. The log names them. */
  others?: number;
  /** Whether the same run may start over: a connection was lost, another process wrote in between. */
  retryable?: boolean;
  cause?: unknown;
}

/**
 * An error that the job understands: an entry of the catalog with its parameters. Anything else is a bug
 * (exit 70). `message` is the English cause, for stacks and tests; the words for an operator are made in
 * output/.
 */
export class JobError<Id extends ReasonId = ReasonId> extends Error {
  override readonly name: string = "JobError";
  readonly reason: Id;
  readonly params: Params<Id>;
  readonly layer: string | undefined;
  readonly file: string | undefined;
  readonly server: string | undefined;
  readonly others: number;
  readonly retryable: boolean;

  constructor(reason: Id, params: Params<Id>, options: JobErrorOptions = {}) {
    const { layer, file, server, others = 0, retryable = false, cause } = options;
    const { message } = formatMessage(reason, params, "en");
    const place = file ?? server;
    super(
      place === undefined ? message : `${place}: ${message}`,
      cause === undefined ? undefined : { cause },
    );
    this.reason = reason;
    this.params = params;
    this.layer = layer;
    this.file = file;
    this.server = server;
    this.others = others;
    this.retryable = retryable;
  }

  /** The exit code of the run that this error ends. */
  get code(): ExitCode {
    return exitOf(this.reason) ?? EXIT.internal;
  }

  get hint(): string {
    return formatMessage(this.reason, this.params, "en").hint;
  }
}

/**
 * What is wrong with a file of the volume, or what a warning says of it. Data: a run reports all of them
 * together.
 */
export type Problem<Id extends ReasonId = ReasonId> = {
  [Each in Id]: {
    /** Path below PACKAGES_DIR. */
    file: string;
    reason: Each;
    params: Params<Each>;
  };
}[Id];

/** Returns a problem as data, to be collected. */
export function finding<Id extends ReasonId>(file: string, reason: Id, params: Params<Id>): Problem<Id> {
  return { file, reason, params };
}

/** Stops the reading of a file, or ends the run with everything that is wrong with the volume. */
export class ProblemError extends JobError {
  override readonly name = "ProblemError";
  readonly problems: readonly Problem[];

  /**
   * At least one problem; the first invalid package, or else the first problem, decides reason and exit code.
   */
  constructor(problems: readonly Problem[]) {
    const first = problems.find((one) => problemCode(one) === EXIT.invalidPackage) ?? problems[0];
    if (!first) throw new Error("ProblemError needs a problem");
    super(first.reason, first.params, { file: first.file, others: problems.length - 1 });
    this.problems = problems;
  }
}

/** Returns the error to throw where a file's reading has to stop. */
export function problem<Id extends ReasonId>(file: string, reason: Id, params: Params<Id>): ProblemError {
  return new ProblemError([finding(file, reason, params) as Problem]);
}

/** Returns the exit code of a run with this problem alone. */
export function problemCode({ reason }: Problem): ExitCode {
  return exitOf(reason) ?? EXIT.internal;
}

/** Runs `check`, and adds the problems that it throws to `problems`. Any other error is thrown on. */
export async function collectProblem<T>(
  problems: Problem[],
  check: () => T,
): Promise<Awaited<T> | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

/**
 * Returns the error that ends a run after these failures: the first, with the number of the others.
 * undefined: there are none.
 */
export function toRunError(failures: readonly unknown[]): unknown {
  const [first] = failures;
  const others = failures.length - 1;
  // an error that the job does not understand keeps its stack
  if (!(first instanceof JobError) || others === 0) return first;
  const { reason, params, layer, file, server } = first;
  return new JobError(reason, params, { layer, file, server, others, cause: first });
}

/** Whether the same run may start over after an error. */
export function isRetryable(error: unknown): boolean {
  return error instanceof JobError && error.retryable;
}

/** Whether the operating system reported the error: a missing file, no permission, an I/O error. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "errno" in error;
}
