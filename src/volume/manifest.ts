import { realpath } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { ErrorObject } from "ajv";
import { collectProblem, finding, type Problem, problem } from "../errors.ts";
import { ARCH_NAMES, type Declaration, isDescription, isKeyPart, versionOf } from "../identity.ts";
import type { ManifestRule } from "../messages/volume.ts";
import { nearest } from "../nearest.ts";
import { decodeText, fileSize, type Located, locate, readSmall, type VolumeFile } from "./files.ts";
import { type WaitOptions, whenComplete } from "./growing.ts";
import schema from "./packages.schema.json" with { type: "json" };
import type { Signatures } from "./signatures.ts";

export const MANIFEST = "packages.json";
/** Bytes: enough for thousands of packages. */
const MAX_LENGTH = 1024 * 1024;
/** The most problems that are reported. */
const MAX_PROBLEMS = 1000;
/** Characters; longer than any field's name. */
const MAX_FIELD = 32;
const FIELDS = ["packages", ...Object.keys(schema.properties.packages.items.properties)];

interface ManifestEntry extends Omit<Declaration, "arch"> {
  file: string;
  arch?: keyof typeof ARCH_NAMES;
}

export interface Manifest {
  /** The files that it names, with what it declares of them. */
  files: VolumeFile[];
  /** Everything that is wrong with it, by JSON pointer. */
  problems: Problem[];
}

/** Reads `packages.json`; undefined: there is none. Waits while the file is still being written. */
export async function readManifest(
  dir: string,
  options: WaitOptions & { signatures?: Signatures | undefined } = {},
): Promise<Manifest | undefined> {
  const problems: Problem[] = [];
  const root = await realpath(dir).catch(() => dir);
  const manifest: Located = { file: MANIFEST, path: join(dir, MANIFEST), root };
  const read = () => readJson(manifest, options.signatures);
  const value = await collectProblem(problems, () => whenComplete(manifest, read, options));
  if (!value) return problems.length > 0 ? { files: [], problems } : undefined;
  const parsed = await check(value.json);
  problems.push(...parsed.problems);
  const files: VolumeFile[] = [];
  const seen = new Set<string>();
  for (const [index, entry] of parsed.packages.entries()) {
    const pointer = `/packages/${index}`;
    problems.push(...badFields(entry, pointer));
    const located = { ...(await locate(dir, normalize(entry.file))), file: entry.file, root };
    const size = await collectProblem(problems, () => fileSize(located));
    if (size === undefined) continue;
    const at = { pointer: `${pointer}/file`, path: entry.file };
    if (typeof size !== "number") problems.push(finding(MANIFEST, "manifest.missing", at));
    else if (seen.has(normalize(entry.file))) problems.push(finding(MANIFEST, "manifest.twice", at));
    else files.push({ ...located, size, declared: declarationOf(entry) });
    seen.add(normalize(entry.file));
  }
  return { files, problems: problems.slice(0, MAX_PROBLEMS) };
}

/** Returns undefined if there is no such file. A FIFO does not block, and only MAX_LENGTH bytes are read. */
async function readJson(manifest: Located, signatures?: Signatures): Promise<{ json: unknown } | undefined> {
  const found = await readSmall(manifest, MAX_LENGTH);
  if (found === "missing") {
    await signatures?.checkAbsent(manifest);
    return undefined;
  }
  if (found === "irregular") throw problem(MANIFEST, "manifest.irregular", {});
  if (found.size > MAX_LENGTH) throw problem(MANIFEST, "manifest.long", { limit: MAX_LENGTH });
  await signatures?.check(manifest, found.bytes);
  const text = decodeText(found.bytes) ?? found.bytes.toString();
  try {
    return { json: JSON.parse(text) };
  } catch {
    throw problem(MANIFEST, "manifest.json", jsonFault(text));
  }
}

/** Checks the one rule for every field (identity.ts), which the schema's pattern cannot express in full. */
function badFields({ object, version, description }: ManifestEntry, pointer: string): Problem[] {
  const parts = Object.entries({ object, version }).flatMap(([field, value]) =>
    value !== undefined && !isKeyPart(value)
      ? [finding(MANIFEST, "manifest.field", { pointer: `${pointer}/${field}` })]
      : [],
  );
  if (description === undefined || isDescription(description)) return parts;
  return [...parts, finding(MANIFEST, "manifest.description", { pointer: `${pointer}/description` })];
}

function declarationOf({ file: _, arch, version, ...declared }: ManifestEntry): Declaration {
  return {
    ...declared,
    ...(arch && { arch: ARCH_NAMES[arch] }),
    ...(version !== undefined && { version: versionOf(version) }),
  };
}

async function check(value: unknown): Promise<{ packages: ManifestEntry[]; problems: Problem[] }> {
  // loaded only for a volume with a manifest
  const { Ajv } = (await import("ajv")).default;
  const validate = new Ajv({ allErrors: true, verbose: true }).compile<{ packages: ManifestEntry[] }>(schema);
  if (validate(value)) return { packages: value.packages, problems: [] };
  const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== "if");
  const problems = errors.slice(0, MAX_PROBLEMS).map(brokenRule);
  // an empty field breaks two rules of one kind
  return { packages: [], problems: [...new Map(problems.map((one) => [JSON.stringify(one), one])).values()] };
}

/** Returns an error of ajv as a problem. */
function brokenRule({ instancePath, keyword, params }: ErrorObject): Problem {
  const pointer = instancePath || "/";
  const broken = (rule: ManifestRule, detail: unknown) =>
    finding(MANIFEST, "manifest.schema", { pointer, rule, detail: String(detail) });
  switch (keyword) {
    case "required":
      return broken("missing", params.missingProperty);
    case "additionalProperties":
      return brokenField(pointer, params.additionalProperty);
    case "type":
      return broken("type", params.type);
    case "enum":
      return broken("values", params.allowedValues.join(", "));
    default: // patterns and lengths
      if (instancePath.endsWith("/file")) return broken("path", "");
      return finding(MANIFEST, "manifest.field", { pointer });
  }
}

/** Returns the problem of an unknown field, which is named only if it is nearly a known one. */
function brokenField(pointer: string, name: string): Problem {
  const near = nearest(name.slice(0, MAX_FIELD), FIELDS);
  const detail = near === undefined ? "" : name;
  return finding(MANIFEST, "manifest.schema", { pointer, rule: "unknown", detail, ...(near && { near }) });
}

/**
 * Finds the first character that makes a text invalid JSON, by bisection; the parser's own message quotes the
 * text. Line and column count from 1; `cut`: the text is right up to its end.
 */
export function jsonFault(text: string): { line: number; column: number; cut: boolean } {
  let sound = 0;
  let wrong = text.length + 1;
  while (wrong - sound > 1) {
    const middle = (sound + wrong) >> 1;
    if (isValidBeginning(text.slice(0, middle))) sound = middle;
    else wrong = middle;
  }
  const before = text.slice(0, sound);
  const lines = before.split("\n");
  return { line: lines.length, column: (lines.at(-1) ?? "").length + 1, cut: sound === text.length };
}

function isValidBeginning(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const { message } = error as Error;
    const at = /^[^"]* at position (\d+)/.exec(message)?.[1];
    return message === "Unexpected end of JSON input" || Number(at) >= beginning.length;
  }
}
