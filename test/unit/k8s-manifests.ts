import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stringify } from "yaml";
import { containersOf, kustomize, type Manifest, readManifests } from "./kustomize.ts";

export const root = join(import.meta.dirname, "../..");
export const k8s = join(root, "k8s");

export const OVERLAYS = ["settings", "pvc", "pvc/claim", "image", "example"];
export const COMPONENTS = ["gate", "verify", "networkpolicy", "signed", "openshift", "argocd", "helm-hooks"];

/** Somebody's Deployments: with initContainers of its own, without any, and one that is not to be gated. */
export const DEPLOYMENTS = [
  deployment("web", "true", [{ name: "own", image: "registry.example.com/own:1.0" }]),
  deployment("worker", "true"),
  deployment("server", "false", [{ name: "migrate", image: "registry.example.com/server:1.0" }]),
];

export function deployment(name: string, gate: string, initContainers?: Manifest[]): Manifest {
  const containers = [{ name, image: `registry.example.com/${name}:3.1` }];
  const spec = { containers, ...(initContainers && { initContainers }) };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels: { "bklite-package-init/gate": gate } },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec },
    },
  };
}

/**
 * A kustomization as an operator writes it: base, loader and somebody's Deployments under some components.
 * Made in a folder of its own, because kustomize reads nothing but files. The caller removes it.
 */
export function writeStack(components: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "k8s-stack-"));
  const at = (path: string) => relative(folder, join(k8s, path));
  for (const [index, one] of DEPLOYMENTS.entries()) {
    writeFileSync(join(folder, `deployment-${index}.yaml`), stringify(one));
  }
  const text = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [
      at("settings"),
      at("base"),
      at("overlays/pvc/claim"),
      ...DEPLOYMENTS.map((_, index) => `deployment-${index}.yaml`),
    ],
    components: components.map((name) => at(`components/${name}`)),
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "kustomization.yaml"), stringify(text));
  return folder;
}

/** What an overlay of ours renders to when an operator lists components in it. */
export function withComponents(overlay: string, components: readonly string[]): Manifest[] {
  const copy = mkdtempSync(join(tmpdir(), "k8s-overlay-"));
  try {
    cpSync(k8s, copy, { recursive: true });
    const folder = join(copy, "overlays", overlay);
    const file = join(folder, "kustomization.yaml");
    const [text = {}] = readManifests(file);
    const listed = [...(text.components ?? []), ...components.map((name) => `../../components/${name}`)];
    writeFileSync(file, stringify({ ...text, components: listed }));
    return kustomize(folder);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** What the components make of such a stack. */
export function stackWith(components: readonly string[]): Manifest[] {
  const folder = writeStack(components);
  try {
    return kustomize(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What is given to a cluster, by where it comes from. */
const READ: Record<string, () => Manifest[]> = {
  "settings/secret.example.yaml": () => readManifests(join(k8s, "settings/secret.example.yaml")),
  ...Object.fromEntries(OVERLAYS.map((name) => [name, () => kustomize(join(k8s, "overlays", name))])),
  ...Object.fromEntries(
    COMPONENTS.map((name) => [name, () => stackWith([...new Set(["gate", "verify", name])])]),
  ),
  "image with verify": () => withComponents("image", ["verify"]),
};

let all: readonly [string, Manifest][] | undefined;

/** Every manifest with its origin, for messages; rendered once. */
export function everything(): readonly [string, Manifest][] {
  all ??= Object.entries(READ).flatMap(([origin, read]) =>
    read().map((one): [string, Manifest] => [`${origin}: ${one.kind} ${one.metadata.name}`, one]),
  );
  return all;
}

/** The containers that we answer for: not those of a gated Deployment itself. */
export function* ourContainers(): Generator<[string, Manifest, Manifest]> {
  for (const [origin, one] of everything()) {
    for (const container of containersOf(one)) {
      if (one.kind === "Deployment" && container.name !== "gate") continue;
      yield [`${origin}: ${container.name}`, container, one];
    }
  }
}
