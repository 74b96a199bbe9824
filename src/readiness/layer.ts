/**
 * readiness/: whether Postgres and NATS can really be used, layer by layer, until a deadline, and the verdict where they cannot.
 * Changes nothing but a bucket that is missing.
 */

import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import { exitOf, type Params, type ReasonId } from "../messages/catalog.ts";

export const POSTGRES_LAYERS = ["dns", "tcp", "tls", "login", "database", "table", "privileges"] as const;
export const NATS_LAYERS = ["dns", "tcp", "tls", "login", "jetstream", "bucket"] as const;
export type Layer = (typeof POSTGRES_LAYERS)[number] | (typeof NATS_LAYERS)[number];
export type Service = "postgres" | "nats";

/** One attempt to become ready failed at `layer`, for a reason of the catalog. */
export class LayerFailure extends Error {
  override readonly name = "LayerFailure";
  readonly layer: Layer;
  readonly reason: ReasonId;
  readonly params: unknown;
  /** It had less than its full time when the deadline came: it says nothing about the server. */
  cutShort = false;

  /** Service, host and port, where the parameters do not name it. */
  readonly server: string | undefined;

  private constructor(layer: Layer, reason: ReasonId, params: unknown, cause: unknown, server?: string) {
    super(reason, { cause });
    this.server = server;
    this.layer = layer;
    this.reason = reason;
    this.params = params;
  }

  static of<Id extends ReasonId>(
    layer: Layer,
    reason: Id,
    params: Params<Id>,
    cause?: unknown,
  ): LayerFailure {
    return new LayerFailure(layer, reason, params, cause);
  }

  /** An error that another room has given its reason already. */
  static from(layer: Layer, error: JobError, server: string): LayerFailure {
    return new LayerFailure(layer, error.reason, error.params, error, server);
  }

  /** Waiting cannot mend it: a refused password, a certificate, a missing privilege, a setting. */
  get final(): boolean {
    return exitOf(this.reason) !== EXIT.unavailable;
  }

  /** What it means for the run. `waited`: seconds until the waiting was given up. */
  error(waited: number | undefined): JobError {
    const params = { ...(this.params as object), ...(waited !== undefined && { waited }) };
    const { layer, server } = this;
    return new JobError(this.reason, params as Params<ReasonId>, { layer, server, cause: this });
  }
}

/** What it means that a server has said nothing for `seconds`, by the layer that it is silent in. */
export function silent(service: Service, where: string, layer: Layer, seconds: number): LayerFailure {
  if (layer === "dns") {
    const said = `no answer from the name server in ${seconds} s`;
    return LayerFailure.of(layer, `${service}.dns`, { where, said });
  }
  if (layer === "tcp" || layer === "tls" || layer === "login")
    return LayerFailure.of(layer, `${service}.${layer}.silent`, { where, seconds });
  const reason = service === "nats" ? "nats.jetstream.silent" : "postgres.database.silent";
  return LayerFailure.of(layer, reason, { where, seconds });
}

/** How slow a server is. */
interface Pace {
  /** For a round trip; where an answer is not whole, since it began. */
  seconds: number;
  /** Whether its answers came whole. */
  whole: boolean;
}

/** What it means that a server answers, but slowly. */
export function slow(service: Service, where: string, layer: Layer, pace: Pace): LayerFailure {
  return LayerFailure.of(layer, `${service}.slow`, { where, ...pace });
}

/** An error in one line, in the words of whoever raised it. */
export function words(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    // Node's happy eyeballs: one error for each address that was tried.
    return [...new Set(error.errors.map(words))].join(", ");
  }
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException;
    const text = error.message.trim() || error.name; // OpenSSL ends its own with a line feed
    return code && !text.includes(code) && /^E[A-Z_]+$/.test(code) ? `${code}: ${text}` : text;
  }
  return String(error);
}
