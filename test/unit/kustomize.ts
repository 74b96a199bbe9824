import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseAllDocuments } from "yaml";

/** A Kubernetes object as it stands in a manifest. */
// biome-ignore lint/suspicious/noExplicitAny: manifests are data; the schemas check their shape
export type Manifest = Record<string, any>;

/** Every document of a YAML file. */
export function readManifests(path: string): Manifest[] {
  return parseAllDocuments(readFileSync(path, "utf8")).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

interface Target {
  kind: string;
  name?: string;
  labelSelector?: string;
}

interface Kustomization {
  apiVersion: string;
  kind: "Kustomization" | "Component";
  namespace?: string;
  resources?: string[];
  components?: string[];
  patches?: { path: string; target?: Target }[];
  images?: { name: string; newName: string; newTag: string }[];
}

/**
 * An operation of a JSON patch (RFC 6902), as far as our manifests need it: something at the end of a list.
 */
interface Operation {
  op: string;
  path: string;
  value: unknown;
}

const FIELDS = ["apiVersion", "kind", "namespace", "resources", "components", "patches", "images"];

/**
 * What `kubectl kustomize` prints for a folder, as far as our manifests need it; throws at a field that it
 * does not know.
 */
export function kustomize(folder: string, before: readonly Manifest[] = []): Manifest[] {
  const file = join(folder, "kustomization.yaml");
  const [text = {}] = readManifests(file);
  for (const field of Object.keys(text)) {
    if (!FIELDS.includes(field)) throw new Error(`${file}: field ${field} is not known here`);
  }
  const {
    kind,
    resources = [],
    components = [],
    patches = [],
    images = [],
    namespace,
  } = text as Kustomization;
  const folderOf = (entry: string) => statSync(join(folder, entry)).isDirectory();
  let all = [...before];
  for (const entry of resources) {
    all.push(...(folderOf(entry) ? kustomize(join(folder, entry)) : readManifests(join(folder, entry))));
  }
  for (const entry of components) all = kustomize(join(folder, entry), all);
  for (const { path, target } of patches) {
    for (const patch of readManifests(join(dirname(file), path))) {
      const chosen = all.filter((one) => (target ? isTarget(one, target) : isSame(one, patch)));
      // A component, and a patch with a target, may be used where there is nothing for it.
      if (chosen.length === 0 && !target && kind !== "Component")
        throw new Error(`${file}: ${path} patches nothing`);
      all = all.map((one) => (chosen.includes(one) ? patched(one, patch) : one));
    }
  }
  for (const one of all) {
    for (const container of containersOf(one)) container.image = renamed(container.image, images);
    if (namespace) one.metadata.namespace = namespace;
  }
  return all;
}

/** Returns the pod (metadata and spec) of a Pod, Job, Deployment or CronJob; undefined for what has none. */
export function podOf({ kind, metadata, spec }: Manifest): Manifest | undefined {
  if (kind === "Pod") return { metadata, spec };
  return kind === "CronJob" ? spec.jobTemplate.spec.template : spec?.template;
}

export function podSpec(manifest: Manifest): Manifest | undefined {
  return podOf(manifest)?.spec;
}

/** Init containers and containers. */
export function containersOf(manifest: Manifest): Manifest[] {
  const pod = podSpec(manifest);
  return [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])];
}

function renamed(image: string, images: NonNullable<Kustomization["images"]>): string {
  const rule = images.find(({ name }) => image === name || image.startsWith(`${name}:`));
  return rule ? `${rule.newName}:${rule.newTag}` : image;
}

function isSame(one: Manifest, patch: Manifest): boolean {
  return one.kind === patch.kind && one.metadata.name === patch.metadata.name;
}

function isTarget(one: Manifest, { kind, name, labelSelector }: Target): boolean {
  const [label = "", value] = labelSelector?.split("=") ?? [];
  return (
    one.kind === kind &&
    (!name || one.metadata.name === name) &&
    (!labelSelector || one.metadata.labels?.[label] === value)
  );
}

function patched(one: Manifest, patch: Manifest | Operation[]): Manifest {
  if (Array.isArray(patch)) return patch.reduce(append, structuredClone(one));
  // A merged patch never renames what it is put on.
  const merged = merge(one, patch) as Manifest;
  return { ...merged, metadata: { ...merged.metadata, name: one.metadata.name } };
}

function append(one: Manifest, { op, path, value }: Operation): Manifest {
  const names = path.split("/").slice(1);
  if (op !== "add" || names.pop() !== "-") throw new Error(`${op} ${path} is not known here`);
  // biome-ignore lint/suspicious/noExplicitAny: a way into data
  const list = names.reduce<any>((at, name) => at?.[name], one);
  if (!Array.isArray(list)) throw new Error(`${path}: there is no such list`);
  list.push(structuredClone(value));
  return one;
}

/** Strategic merge: null removes, lists of named things merge by name, all other lists are replaced. */
function merge(base: unknown, patch: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(patch)) {
    const key = ["mountPath", "name"].find((k) => patch.every((p) => p?.[k] !== undefined));
    if (!key) return patch;
    // What a patch names comes first, whether it was there or not: kustomize does so, too.
    const named = patch.map((p) => {
      const there = base.find((b) => b[key] === p[key]);
      return there ? merge(there, p) : structuredClone(p);
    });
    const others = base.filter((b) => !patch.some((p) => p[key] === b[key]));
    return [...named.filter((one) => one.$patch !== "delete"), ...others];
  }
  if (!isMap(base) || !isMap(patch)) return structuredClone(patch);
  const merged: Manifest = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = key in base ? merge(base[key], value) : structuredClone(value);
  }
  return merged;
}

function isMap(value: unknown): value is Manifest {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
