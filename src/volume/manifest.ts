import { stat } from "node:fs/promises";
import { basename, join, normalize } from "node:path";
import type { ErrorObject } from "ajv";
import { readFully } from "../archive/blocks.ts";
import { isSystemError, printable } from "../archive/problem.ts";
import { collectProblem, type Problem, problem } from "../errors.ts";
import { ARCH_NAMES, type Claim, isDescription, isKeyPart } from "../identity.ts";
import { nearest } from "../nearest.ts";
import type { Params, ReasonId } from "../reasons/catalog.ts";
import type { ManifestRule } from "../reasons/manifest.ts";
import type { VolumeFile } from "./file.ts";
import { type Patience, whenComplete } from "./growing.ts";
import { jsonFault } from "./json-fault.ts";
import { withFile } from "./open.ts";
import schema from "./packages.schema.json" with { type: "json" };
import { isNowhere, isThere, unreadable } from "./problem.ts";
import { decodeText } from "./text.ts";

export const MANIFEST = "packages.json";
/** Bytes: thousands of packages. */
const MAX_LENGTH = 1024 * 1024;
const FIELDS = ["packages", ...Object.keys(schema.properties.packages.items.properties)];

interface ManifestEntry extends Omit<Claim, "arch"> {
  file: string;
  arch?: keyof typeof ARCH_NAMES;
}

export interface Manifest {
  /** The files that it names, with what it says of them. */
  files: VolumeFile[];
  /** Everything that is wrong with it, each by its JSON pointer. */
  problems: Problem[];
}

/** Reads `packages.json` on the volume; undefined: there is none. One that is still being written is waited for. */
export async function readManifest(dir: string, patience: Patience = {}): Promise<Manifest | undefined> {
  const problems: Problem[] = [];
  const path = join(dir, MANIFEST);
  const value = await collectProblem(problems, () =>
    whenComplete({ file: MANIFEST, path }, async () => parseJson(await readText(path)), patience),
  );
  if (value === undefined) return problems.length > 0 ? { files: [], problems } : undefined;
  const parsed = await check(value.json);
  problems.push(...parsed.problems);
  const files: VolumeFile[] = [];
  const seen = new Set<string>();
  for (const [index, entry] of parsed.packages.entries()) {
    const pointer = `/packages/${index}`;
    problems.push(...badFields(entry, pointer));
    const path = printable(entry.file);
    const found = await sizeOf(dir, entry.file, problems);
    if (found === undefined) problems.push(fault("manifest.missing", { pointer: `${pointer}/file`, path }));
    else if (seen.has(normalize(entry.file)))
      problems.push(fault("manifest.twice", { pointer: `${pointer}/file`, path }));
    else files.push(claimed(dir, entry, found));
    seen.add(normalize(entry.file));
  }
  return { files, problems };
}

/** undefined: there is no such file. A FIFO is not waited for, and what has no end is not read. */
async function readText(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw problem(MANIFEST, "manifest.irregular", {});
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (isNowhere(error)) {
      if (await isThere(path)) throw problem(MANIFEST, "manifest.irregular", {});
      return undefined;
    }
    throw unreadable(MANIFEST, path, error);
  }
  return withFile({ file: MANIFEST, path }, async (handle, { size }) => {
    if (size > MAX_LENGTH) throw problem(MANIFEST, "manifest.long", { limit: MAX_LENGTH });
    const bytes = await readFully(handle, Buffer.alloc(Number(size)), Number(size), 0);
    return decodeText(bytes) ?? bytes.toString();
  });
}

async function sizeOf(dir: string, file: string, problems: Problem[]): Promise<number | undefined> {
  try {
    const found = await stat(join(dir, file));
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (!isSystemError(error) || isNowhere(error)) return undefined;
    problems.push(unreadable(file, join(dir, file), error).problem);
    return 0;
  }
}

/** The one rule for every field (identity.ts), which the schema's pattern cannot hold in full. */
function badFields({ object, version, description }: ManifestEntry, pointer: string): Problem[] {
  const parts = Object.entries({ object, version }).flatMap(([field, value]) =>
    value !== undefined && !isKeyPart(value)
      ? [fault("manifest.field", { pointer: `${pointer}/${field}`, value: JSON.stringify(printable(value)) })]
      : [],
  );
  if (description === undefined || isDescription(description)) return parts;
  return [...parts, fault("manifest.description", { pointer: `${pointer}/description` })];
}

function claimed(dir: string, { file, arch, ...said }: ManifestEntry, size: number): VolumeFile {
  const claim = { ...said, ...(arch && { arch: ARCH_NAMES[arch] }) };
  return { file, path: join(dir, file), name: basename(file), size, claim };
}

function parseJson(text: string | undefined): { json: unknown } | undefined {
  if (text === undefined) return undefined;
  try {
    return { json: JSON.parse(text) };
  } catch {
    throw problem(MANIFEST, "manifest.json", jsonFault(text));
  }
}

async function check(value: unknown): Promise<{ packages: ManifestEntry[]; problems: Problem[] }> {
  // Loaded only for a volume that has a manifest.
  const { Ajv } = await import("ajv");
  const validate = new Ajv({ allErrors: true, verbose: true }).compile<{ packages: ManifestEntry[] }>(schema);
  if (validate(value)) return { packages: value.packages, problems: [] };
  const problems = (validate.errors ?? []).filter(({ keyword }) => keyword !== "if").map(brokenRule);
  // An empty field breaks two rules of one kind.
  return { packages: [], problems: [...new Map(problems.map((one) => [JSON.stringify(one), one])).values()] };
}

/** An error of ajv's as a reason with words of its own. */
function brokenRule({ instancePath, keyword, params, data }: ErrorObject): Problem {
  const pointer = instancePath || "/";
  const broken = (rule: ManifestRule, detail: unknown, near?: string) =>
    fault("manifest.schema", { pointer, rule, detail: printable(String(detail)), ...(near && { near }) });
  switch (keyword) {
    case "required":
      return broken("missing", params.missingProperty);
    case "additionalProperties":
      return broken("unknown", params.additionalProperty, nearest(params.additionalProperty, FIELDS));
    case "type":
      return broken("type", params.type);
    case "enum":
      return broken("values", params.allowedValues.join(", "));
    default: // patterns and lengths
      if (instancePath.endsWith("/file")) return broken("path", "");
      return fault("manifest.field", { pointer, value: JSON.stringify(printable(String(data))) });
  }
}

function fault<Id extends ReasonId>(reason: Id, params: Params<Id>): Problem {
  return { file: MANIFEST, reason, params } as unknown as Problem;
}
