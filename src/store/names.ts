import type { Nuid } from "./meta.ts";

/** Counts which chunks a bucket's live metadata names, as of a place in its stream. */
export class LiveNames {
  readonly #bySubject = new Map<string, { names: readonly Nuid[]; sequence: number }>();
  readonly #counts = new Map<Nuid, number>();
  /** Stream sequence up to which all metadata has been noted. */
  upTo: number;

  constructor(upTo: number) {
    this.upTo = upTo;
  }

  /** Notes what a subject's metadata names; what is older than the metadata noted already changes nothing. */
  note(subject: string, names: readonly Nuid[], sequence: number): void {
    const before = this.#bySubject.get(subject);
    if (before && before.sequence >= sequence) return;
    for (const nuid of before?.names ?? []) this.#count(nuid, -1);
    for (const nuid of names) this.#count(nuid, 1);
    this.#bySubject.set(subject, { names, sequence });
  }

  has(nuid: Nuid): boolean {
    return this.#counts.has(nuid);
  }

  #count(nuid: Nuid, change: number): void {
    const count = (this.#counts.get(nuid) ?? 0) + change;
    if (count > 0) this.#counts.set(nuid, count);
    else this.#counts.delete(nuid);
  }
}
