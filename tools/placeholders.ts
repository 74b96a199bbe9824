import { type Params, type ReasonId, say } from "../src/reasons/catalog.ts";
import type { Language } from "../src/reasons/define.ts";

const REFUSED = { where: "HOST:PORT", said: "ECONNREFUSED" };

/** Real values for parameters that a name in braces cannot stand for: a text chooses by them, or calculates with them. */
const EXAMPLES: { readonly [Id in ReasonId]?: Partial<Params<Id>> } = {
  "archive.device": { kind: "fifo" },
  "archive.kind.wrong": { found: "zip" },
  "archive.limit.packed": { bytes: 5 * 1024 ** 3, limit: 4 * 1024 ** 3 },
  "archive.limit.unpacked": { bytes: 9 * 1024 ** 3, limit: 8 * 1024 ** 3 },
  "config.several": {
    problems: ["DB_HOST", "NATS_SERVERS"].map((name) => ({ reason: "config.missing", params: { name } })),
  },
  "config.stray": { what: "carriage-return" },
  "name.ambiguous": { what: "os", values: ["linux", "windows"] },
  "package.field.long": { field: "version" },
  "platform.installer.missing": { platform: "linux/arm64" },
  "platform.incomplete": { incomplete: [{ platform: "linux/arm64", missing: ["installer"] }] },
  "repack.never": { reasons: ["repack.tar-gz", "repack.links"] },
  "store.denied": { action: "publish to" },
  "wait.both": {
    postgres: { reason: "postgres.tcp.refused", params: REFUSED },
    nats: { reason: "nats.tcp.refused", params: REFUSED },
  },
};

/** `(waited 12 s)`, at the end of any sentence about a server, would be in every line. */
const isLeftOut = (id: ReasonId, name: string) => name === "waited" && /^(postgres|nats)\./.test(id);

/** Cause and remedy of a reason with the names of its parameters in braces: `contains an absolute path: {entry}`. */
export function sayWithPlaceholders(id: ReasonId, language: Language): { message: string; hint: string } {
  const examples = (EXAMPLES[id] ?? {}) as Readonly<Record<string, unknown>>;
  const params = new Proxy(examples, {
    get: (given, name) => {
      if (typeof name !== "string" || isLeftOut(id, name)) return undefined;
      return name in given ? given[name] : placeholder(`{${name}}`);
    },
  });
  return say(id, params, language);
}

/** Reads as `word` wherever a text puts it: as it is, in a list, or as what a method of it gives back. */
function placeholder(word: string): unknown {
  const self: unknown = new Proxy(() => self, {
    get: (_, key) => {
      if (key === Symbol.toPrimitive || key === "toString" || key === "join") return () => word;
      if (key === Symbol.iterator) return () => [self].values();
      // A list that is empty would be a sentence of its own.
      return key === "length" ? 2 : self;
    },
  });
  return self;
}
