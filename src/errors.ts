/**
 * Exit codes and the errors that carry them: the one table that SPEC, README, Kubernetes' podFailurePolicy
 * and the termination message share.
 */
export const EXIT = {
  ok: 0,
  usage: 64,
  invalidPackage: 65,
  noInput: 66,
  unavailable: 69,
  internal: 70,
  storeFull: 73,
  fileRead: 74,
  tryAgain: 75,
  verification: 76,
  denied: 77,
  config: 78,
  sigint: 130,
  sigterm: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface JobErrorOptions {
  /** What the operator should do about it; one sentence. */
  hint: string;
  /** Readiness layer (`dns`, `tcp`, `tls`, `login`, …) where that is what failed. */
  layer?: string;
  cause?: unknown;
}

/** An error that the job understands: it has an exit code, and a remedy. Anything else is a bug (exit 70). */
export class JobError extends Error {
  override readonly name: string = "JobError";
  readonly code: ExitCode;
  readonly hint: string;
  readonly layer: string | undefined;

  constructor(code: ExitCode, message: string, options: JobErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.layer = options.layer;
  }
}

/** One archive, or one checksum file, that cannot be used as it is (exit 65), or not be read (exit 74). */
export interface PackageProblem {
  /** Path below PACKAGES_DIR. */
  file: string;
  code: typeof EXIT.invalidPackage | typeof EXIT.fileRead;
  reason: string;
  hint: string;
}

/** Everything that is wrong with the volume, in one error: the operator copies the files once, not five times. */
export class PackageProblemsError extends JobError {
  override readonly name = "PackageProblemsError";
  readonly problems: readonly PackageProblem[];

  constructor(problems: readonly PackageProblem[]) {
    const [first] = problems;
    if (!first) throw new Error("PackageProblemsError needs a problem");
    const others = problems.length - 1;
    super(
      problems.find((p) => p.code === EXIT.invalidPackage)?.code ?? first.code,
      `${first.file}: ${first.reason}${others > 0 ? ` (and ${others} more, each logged as package.invalid)` : ""}`,
      { hint: first.hint },
    );
    this.problems = problems;
  }
}

/** Runs `check` and keeps what is wrong with packages; other errors are thrown on. */
export async function collectProblems(
  problems: PackageProblem[],
  check: () => Promise<unknown>,
): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof PackageProblemsError)) throw error;
    problems.push(...error.problems);
  }
}
