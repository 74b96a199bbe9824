import { join } from "node:path";
import { containersOf, kustomize, type Manifest, readManifests } from "./kustomize.ts";

export const root = join(import.meta.dirname, "../..");
export const k8s = join(root, "k8s");

/** What is given to a cluster, by where it comes from below k8s/. */
const READ: Record<string, (path: string) => Manifest[]> = {
  "base/secret.example.yaml": readManifests,
  "overlays/pvc/loader.yaml": readManifests,
  "overlays/pvc": kustomize,
  "overlays/image": kustomize,
  "gate/pvc": gated,
  "gate/image": gated,
};
export const origins = Object.keys(READ);

/** Somebody's two Deployments, one of them with the label, after the gate was put on them. */
export function gated(folder: string): Manifest[] {
  return kustomize(folder, [
    deployment("web", { "bklite-package-init/gate": "true" }),
    deployment("other", {}),
  ]);
}

export function deployment(name: string, labels: Record<string, string>): Manifest {
  const containers = [{ name, image: `registry.example.com/${name}:3.1` }];
  const initContainers = [{ name: "own", image: "registry.example.com/own:1.0" }];
  const template = { metadata: { labels: { app: name } }, spec: { containers, initContainers } };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels },
    spec: { selector: { matchLabels: { app: name } }, template },
  };
}

/** Every manifest with its origin, for messages. */
export function* everything(): Generator<[string, Manifest]> {
  for (const [origin, read] of Object.entries(READ)) {
    for (const one of read(join(k8s, origin))) yield [`${origin}: ${one.kind} ${one.metadata.name}`, one];
  }
}

/** The containers that we answer for: not those of a gated Deployment itself. */
export function* ourContainers(): Generator<[string, Manifest, Manifest]> {
  for (const [origin, one] of everything()) {
    for (const container of containersOf(one)) {
      if (one.kind === "Deployment" && container.name !== "wait-for-packages") continue;
      yield [`${origin}: ${container.name}`, container, one];
    }
  }
}
