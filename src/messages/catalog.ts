import type { ExitCode } from "../exit.ts";
import { archive } from "./archive.ts";
import { config } from "./config.ts";
import { ending, fill, fillFile, type Language, list, type Reason } from "./define.ts";
import { nats } from "./nats.ts";
import { packages } from "./packages.ts";
import { postgres } from "./postgres.ts";
import { regions } from "./region-words.ts";
import { run } from "./run.ts";
import { volume } from "./volume.ts";

const areas = { ...config, ...volume, ...packages, ...archive, ...postgres, ...nats, ...regions, ...run };

/** What one of the two servers waited for lacks: an id of the catalog with its parameters. */
interface Half {
  reason: string;
  params: unknown;
  /** If the parameters do not name it. */
  server?: string | undefined;
}
type Halves = Record<"postgres" | "nats", Half>;

/** The causes or the remedies of both servers as a list; one remedy if they are the same. */
function both({ postgres, nats }: Halves, part: 0 | 1, head: string, language: Language): string {
  const parts = [postgres, nats].map(({ reason: id, params, server }) => {
    const text = fill((areas as unknown as Record<string, Reason<unknown>>)[id]?.[language][part] ?? "", params);
    return server === undefined || part === 1 ? text : `${server}: ${text}`;
  });
  return part === 1 && parts[0] === parts[1] ? (parts[0] ?? "") : list(head, parts);
}

/** Both servers failed. The exit code is that of the failure that waiting cannot fix, if there is one. */
const neither = (exit: 69 | 73 | 77 | 78) =>
  ending(exit)(
    [(halves: Halves) => both(halves, 0, "neither server is ready:", "en"), (halves: Halves) => both(halves, 1, "fix both:", "en")],
    [(halves: Halves) => both(halves, 0, "两个服务端均未就绪：", "zh"), (halves: Halves) => both(halves, 1, "请分别处理：", "zh")],
  );

export const CATALOG = {
  ...areas,
  "wait.both": neither(69),
  "wait.both.full": neither(73),
  "wait.both.denied": neither(77),
  "wait.both.config": neither(78),
};

export type ReasonId = keyof typeof CATALOG;
/**
 * Entry by entry: as one union, the two forms of each text would multiply beyond the type checker's limit.
 */
type ParamsById = { [Id in ReasonId]: (typeof CATALOG)[Id] extends Reason<infer P> ? P : never };
/** The parameters of a reason; of several reasons, those of any one of them. */
export type Params<Id extends ReasonId> = ParamsById[Id];

/**
 * Returns cause and remedy of a reason in words. `params` are those of `id`: the functions that raise a
 * reason check that (JobError, problem, log.warn). `file` stands in the remedy's commands.
 */
export function formatMessage(id: ReasonId, params: unknown, language: Language, file?: string): { message: string; hint: string } {
  const [cause, remedy] = (CATALOG[id] as unknown as Reason<unknown>)[language];
  const hint = fill(remedy, params);
  return { message: fill(cause, params), hint: file === undefined ? hint : fillFile(hint, file) };
}

/** Returns the exit code that a reason ends a run with; undefined for a warning. */
export function exitOf(id: ReasonId): ExitCode | undefined {
  return (CATALOG[id] as Reason<never>).exit ?? undefined;
}
