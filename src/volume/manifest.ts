import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { isSystemError, unreadable } from "../archive/problem.ts";
import { EXIT, type Problem } from "../errors.ts";
import { ARCH_NAMES, type Claim } from "../identity.ts";
import type { VolumeFile } from "./file.ts";
import schema from "./packages.schema.json" with { type: "json" };

export const MANIFEST = "packages.json";

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

/** Reads `packages.json` on the volume; undefined: there is none. */
export async function readManifest(dir: string): Promise<Manifest | undefined> {
  const text = await readFile(join(dir, MANIFEST), "utf8").catch((error: unknown) => {
    if (!isSystemError(error)) throw error;
    if (error.code === "ENOENT") return undefined;
    throw unreadable(MANIFEST, error);
  });
  if (text === undefined) return undefined;
  const { packages, problems } = await parse(text);
  const files: VolumeFile[] = [];
  const seen = new Set<string>();
  for (const [index, entry] of packages.entries()) {
    const pointer = `/packages/${index}/file`;
    const found = await stat(join(dir, entry.file)).catch(() => undefined);
    if (!found?.isFile()) problems.push(problem(pointer, `${entry.file} is no file on the volume`));
    else if (seen.has(entry.file)) problems.push(problem(pointer, `${entry.file} is named twice`));
    else files.push(claimed(dir, entry, found.size));
    seen.add(entry.file);
  }
  return { files, problems };
}

function claimed(dir: string, { file, arch, ...said }: ManifestEntry, size: number): VolumeFile {
  const claim = { ...said, ...(arch && { arch: ARCH_NAMES[arch] }) };
  return { file, path: join(dir, file), name: basename(file), size, claim };
}

async function parse(text: string): Promise<{ packages: ManifestEntry[]; problems: Problem[] }> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { packages: [], problems: [problem("", `is no JSON: ${(error as Error).message}`)] };
  }
  // Loaded only for a volume that has a manifest.
  const { Ajv } = await import("ajv");
  const validate = new Ajv({ allErrors: true }).compile<{ packages: ManifestEntry[] }>(schema);
  if (validate(value)) return { packages: value.packages, problems: [] };
  const problems = (validate.errors ?? [])
    .filter(({ keyword }) => keyword !== "if")
    .map(({ instancePath, message = "is wrong", params }) => {
      const detail = params.additionalProperty ?? params.allowedValues?.join(", ");
      return problem(instancePath, detail === undefined ? message : `${message}: ${detail}`);
    });
  return { packages: [], problems };
}

function problem(pointer: string, reason: string): Problem {
  const message = `${pointer === "" ? "the document" : pointer}: ${reason}`;
  const hint =
    "correct packages.json; its JSON Schema is packages.schema.json in the source, and the README has an example";
  return { file: MANIFEST, reason: "legacy", params: { exit: EXIT.invalidPackage, message, hint } };
}
