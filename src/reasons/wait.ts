import type { ExitCode } from "../errors.ts";
import { say } from "./catalog.ts";
import { type Language, list, reason } from "./define.ts";

/** What one of the two servers waited for is missing; id and parameters of the catalog. */
interface Half {
  reason: string;
  params: unknown;
  /** Where the parameters do not name it. */
  server?: string | undefined;
}

function words({ reason: id, params, server }: Half, language: Language): { message: string; hint: string } {
  const { message, hint } = say(id as never, params, language);
  return { message: server === undefined ? message : `${server}: ${message}`, hint };
}

/** The remedies of both; said once where it is the same. */
function hints({ postgres, nats }: Record<"postgres" | "nats", Half>, language: Language): string[] {
  return [...new Set([words(postgres, language).hint, words(nats, language).hint])];
}

function once(remedies: string[], head: string): string {
  return remedies.length > 1 ? list(head, remedies) : (remedies[0] ?? "");
}

/** Both servers failed; the exit code is that of the failure that waiting cannot mend, if there is one. */
function both(exit: ExitCode) {
  return reason<{ postgres: Half; nats: Half }>({
    exit,
    again: exit === 69,
    en: {
      cause: ({ postgres, nats }) =>
        list("neither server is ready:", [words(postgres, "en").message, words(nats, "en").message]),
      remedy: (halves) => once(hints(halves, "en"), "see to both:"),
    },
    zh: {
      cause: ({ postgres, nats }) =>
        list("两个服务端均未就绪：", [words(postgres, "zh").message, words(nats, "zh").message]),
      remedy: (halves) => once(hints(halves, "zh"), "请分别处理："),
    },
  });
}

export const wait = {
  "wait.both": both(69),
  "wait.both.full": both(73),
  "wait.both.denied": both(77),
  "wait.both.config": both(78),
};
