import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { EXIT, type PackageProblem, PackageProblemsError } from "../errors.ts";
import { ARCH_NAMES, type Claim, type VolumeFile } from "./package.ts";
import schema from "./packages.schema.json" with { type: "json" };
import { isSystemError, unreadable } from "./problem.ts";

export const MANIFEST = "packages.json";

interface Entry extends Omit<Claim, "arch"> {
  file: string;
  arch?: keyof typeof ARCH_NAMES;
}

/**
 * The files that `packages.json` on the volume names, with what it says of them. undefined: there is no manifest. Throws exit 65
 * with everything that is wrong with it, each by its JSON pointer.
 */
export async function readManifest(dir: string): Promise<VolumeFile[] | undefined> {
  const text = await readFile(join(dir, MANIFEST), "utf8").catch((error: unknown) => {
    if (!isSystemError(error)) throw error;
    if (error.code === "ENOENT") return undefined;
    throw unreadable(MANIFEST, error);
  });
  if (text === undefined) return undefined;
  const { packages } = await parse(text);
  const files: VolumeFile[] = [];
  const problems: PackageProblem[] = [];
  const seen = new Set<string>();
  for (const [index, entry] of packages.entries()) {
    const pointer = `/packages/${index}/file`;
    const found = await stat(join(dir, entry.file)).catch(() => undefined);
    if (!found?.isFile()) problems.push(problem(pointer, `${entry.file} is no file on the volume`));
    else if (seen.has(entry.file)) problems.push(problem(pointer, `${entry.file} is named twice`));
    else files.push(claimed(dir, entry, found.size));
    seen.add(entry.file);
  }
  if (problems.length > 0) throw new PackageProblemsError(problems);
  return files;
}

function claimed(dir: string, { file, arch, ...said }: Entry, size: number): VolumeFile {
  const claim = { ...said, ...(arch && { arch: ARCH_NAMES[arch] }) };
  return { file, path: join(dir, file), name: basename(file), size, claim };
}

async function parse(text: string): Promise<{ packages: Entry[] }> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new PackageProblemsError([problem("", `is no JSON: ${(error as Error).message}`)]);
  }
  // Loaded only for a volume that has a manifest.
  const { Ajv } = await import("ajv");
  const validate = new Ajv({ allErrors: true }).compile<{ packages: Entry[] }>(schema);
  if (validate(value)) return value;
  const problems = (validate.errors ?? [])
    .filter(({ keyword }) => keyword !== "if")
    .map(({ instancePath, message = "is wrong", params }) => {
      const detail = params.additionalProperty ?? params.allowedValues?.join(", ");
      return problem(instancePath, detail === undefined ? message : `${message}: ${detail}`);
    });
  throw new PackageProblemsError(problems);
}

function problem(pointer: string, reason: string): PackageProblem {
  return {
    file: MANIFEST,
    code: EXIT.invalidPackage,
    reason: `${pointer === "" ? "the document" : pointer}: ${reason}`,
    hint: "correct packages.json; its JSON Schema is packages.schema.json in the source, and the README has an example",
  };
}
