import { say } from "./catalog.ts";
import { type Language, reason } from "./define.ts";

/** What one of the two servers waited for is missing; id and parameters of the catalog. */
interface Half {
  reason: string;
  params: unknown;
}

function words({ reason: id, params }: Half, language: Language): { message: string; hint: string } {
  return say(id as never, params, language);
}

/** The remedies of both; said once where it is the same. */
function hints({ postgres, nats }: Record<"postgres" | "nats", Half>, language: Language): string[] {
  return [...new Set([words(postgres, language).hint, words(nats, language).hint])];
}

export const wait = {
  "wait.both": reason<{ postgres: Half; nats: Half }>({
    exit: 69,
    again: true,
    en: {
      cause: ({ postgres, nats }) => `${words(postgres, "en").message}; ${words(nats, "en").message}`,
      remedy: (both) => hints(both, "en").join("; "),
    },
    zh: {
      cause: ({ postgres, nats }) => `${words(postgres, "zh").message}；${words(nats, "zh").message}`,
      remedy: (both) => hints(both, "zh").join("；"),
    },
  }),
};
