/**
 * Exit codes: the one table that SPEC, docs, Kubernetes' podFailurePolicy and the termination message share.
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
