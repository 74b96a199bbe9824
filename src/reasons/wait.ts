import { say } from "./catalog.ts";
import { type Language, list, reason } from "./define.ts";

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

function once(remedies: string[], head: string): string {
  return remedies.length > 1 ? list(head, remedies) : (remedies[0] ?? "");
}

export const wait = {
  "wait.both": reason<{ postgres: Half; nats: Half }>({
    exit: 69,
    again: true,
    en: {
      cause: ({ postgres, nats }) =>
        list("neither server is ready:", [words(postgres, "en").message, words(nats, "en").message]),
      remedy: (both) => once(hints(both, "en"), "see to both:"),
    },
    zh: {
      cause: ({ postgres, nats }) =>
        list("两个服务端均未就绪：", [words(postgres, "zh").message, words(nats, "zh").message]),
      remedy: (both) => once(hints(both, "zh"), "请分别处理："),
    },
  }),
};
