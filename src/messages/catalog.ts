import type { ExitCode } from "../exit.ts";
import { archive } from "./archive.ts";
import { config } from "./config.ts";
import { fill, fillFile, type Language, list, type Reason, reason } from "./define.ts";
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

function words({ reason: id, params, server }: Half, language: Language): { message: string; hint: string } {
  const [cause, remedy] = (areas as unknown as Record<string, Reason<unknown>>)[id]?.[language] ?? ["", ""];
  const message = fill(cause, params);
  const hint = fill(remedy, params);
  return { message: server === undefined ? message : `${server}: ${message}`, hint };
}

/** The remedies of both servers; one remedy if they are the same. */
function hints({ postgres, nats }: Record<"postgres" | "nats", Half>, head: string, language: Language): string {
  const remedies = [...new Set([words(postgres, language).hint, words(nats, language).hint])];
  return remedies.length > 1 ? list(head, remedies) : (remedies[0] ?? "");
}

/** Both servers failed. The exit code is that of the failure that waiting cannot fix, if there is one. */
function both(exit: ExitCode) {
  return reason<{ postgres: Half; nats: Half }>({
    exit,
    en: [({ postgres, nats }) => list("neither server is ready:", [words(postgres, "en").message, words(nats, "en").message]), (halves) => hints(halves, "fix both:", "en")],
    zh: [({ postgres, nats }) => list("两个服务端均未就绪：", [words(postgres, "zh").message, words(nats, "zh").message]), (halves) => hints(halves, "请分别处理：", "zh")],
  });
}

export const CATALOG = {
  ...areas,
  "wait.both": both(69),
  "wait.both.full": both(73),
  "wait.both.denied": both(77),
  "wait.both.config": both(78),
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
