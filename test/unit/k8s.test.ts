import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { EXIT } from "../../src/exit.ts";
import { COMPONENTS, everything, k8s, OVERLAYS, ourContainers, root, writeStack } from "./k8s-manifests.ts";
import { containersOf, kustomize, type Manifest, podOf, podSpec, readManifests } from "./kustomize.ts";

const version: string = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;

/** Exit codes that SPEC §8 marks 'no': running again as it is cannot help. */
const FINAL = ["usage", "invalidPackage", "noInput", "storeFull", "denied", "config"] as const;

let temporary: string;
before(() => {
  temporary = mkdtempSync(join(tmpdir(), "k8s-test-"));
});
after(() => rmSync(temporary, { recursive: true, force: true }));

const MODELS: Record<string, string> = {
  ConfigMap: "v1/ConfigMap",
  CronJob: "batch/v1/CronJob",
  Deployment: "apps/v1/Deployment",
  Job: "batch/v1/Job",
  NetworkPolicy: "networking.k8s.io/v1/NetworkPolicy",
  PersistentVolumeClaim: "v1/PersistentVolumeClaim",
  Pod: "v1/Pod",
  Secret: "v1/Secret",
};

describe("the Kubernetes API's schemas", () => {
  test("every manifest is valid", async () => {
    for (const [origin, one] of everything()) {
      const model = await import(`kubernetes-models/${MODELS[one.kind]}`);
      assert.doesNotThrow(() => new model[one.kind](one).validate(), origin);
    }
  });

  test("the oldest and the newest API (1.26, 1.36) know every field, and miss none that they ask for", () => {
    const modules = join(root, "node_modules");
    const newest = (kind: string) => `import("${modules}/kubernetes-models/${MODELS[kind]}.js").I${kind}`;
    const oldest = (kind: string) => {
      const [group] = MODELS[kind]?.startsWith("v1/") ? ["core"] : (MODELS[kind]?.split(/[./]/) ?? []);
      return `import("${modules}/kubernetes-types/${group}/v1.js").${kind}`;
    };
    const lines = [...everything()].flatMap(([, one], index) =>
      [oldest, newest].map(
        (type, age) => `export const manifest${index}_${age}: ${type(one.kind)} = ${JSON.stringify(one)};`,
      ),
    );
    const file = join(temporary, "manifests.ts");
    writeFileSync(file, lines.join("\n"));
    const tsc = join(root, "node_modules/.bin/tsc");
    const options = [
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--types",
      "",
    ];
    try {
      execFileSync(tsc, [...options, file], { encoding: "utf8" });
    } catch (error) {
      assert.fail((error as { stdout: string }).stdout);
    }
  });

  test("every file below k8s/ belongs to something", () => {
    const loose = globSync("**/*.yaml", { cwd: k8s }).filter((path) => !isNamedByKustomization(path));
    assert.deepEqual(loose, ["settings/secret.example.yaml"]);
    const folders = globSync("{overlays,components}/**/kustomization.yaml", { cwd: k8s }).map(dirname);
    const named = [
      ...OVERLAYS.map((name) => `overlays/${name}`),
      ...COMPONENTS.map((name) => `components/${name}`),
    ];
    assert.deepEqual(folders.sort(), [...named, "overlays/pvc/images"].sort());
  });

  test("kubectl renders the same, where there is one", () => {
    const folders = OVERLAYS.map((name) => join(k8s, "overlays", name));
    const stacks = [
      [],
      ["gate"],
      ["verify", "networkpolicy", "signed", "openshift"],
      ["argocd"],
      ["helm-hooks", "openshift"],
    ].map(writeStack);
    try {
      for (const folder of [...folders, ...stacks]) {
        const rendered = kubectlKustomize(folder);
        if (!rendered) return;
        assert.deepEqual(byName(rendered), byName(kustomize(folder)), folder);
      }
    } finally {
      for (const folder of stacks) rmSync(folder, { recursive: true });
    }
  });
});

/** undefined where there is no kubectl. */
function kubectlKustomize(folder: string): Manifest[] | undefined {
  const options = ["kustomize", "--load-restrictor=LoadRestrictionsNone", folder];
  const { error, status, stdout, stderr } = spawnSync("kubectl", options, { encoding: "utf8" });
  if (error) return undefined;
  assert.equal(status, 0, stderr);
  return parseAllDocuments(stdout).map((one) => one.toJS());
}

/** kustomize orders manifests by kind; in which order they come is not what is compared. */
function byName(all: Manifest[]): Record<string, Manifest> {
  return Object.fromEntries(all.map((one) => [`${one.kind} ${one.metadata.name}`, one]));
}

function isNamedByKustomization(path: string): boolean {
  if (basename(path) === "kustomization.yaml") return true;
  const [text] = readManifests(join(k8s, path, "../kustomization.yaml"));
  const named = [...(text?.resources ?? []), ...(text?.patches ?? []).map((p: Manifest) => p.path)];
  return named.includes(basename(path));
}

describe("restricted Pod Security", () => {
  test("containers: no root, no privilege, no capability, seccomp, read-only root", () => {
    for (const [origin, container, owner] of ourContainers()) {
      const context = { ...(podSpec(owner)?.securityContext ?? {}), ...container.securityContext };
      assert.equal(context.runAsNonRoot, true, origin);
      const pinned = owner.kind !== "Deployment" && !origin.startsWith("openshift");
      assert.equal(context.runAsUser, pinned ? 65532 : undefined, origin);
      assert.equal(context.allowPrivilegeEscalation, false, origin);
      assert.equal(context.readOnlyRootFilesystem, true, origin);
      assert.deepEqual(context.capabilities, { drop: ["ALL"] }, origin);
      assert.deepEqual(context.seccompProfile, { type: "RuntimeDefault" }, origin);
      assert.ok(!context.privileged, origin);
    }
  });

  test("pods: no host namespaces, no host ports, only the allowed kinds of volume, no service account token", () => {
    const allowed = ["configMap", "emptyDir", "persistentVolumeClaim", "secret"];
    for (const [origin, one] of everything()) {
      const pod = podSpec(one);
      if (!pod) continue;
      for (const field of ["hostNetwork", "hostPID", "hostIPC"])
        assert.ok(!pod[field], `${origin}: ${field}`);
      for (const { name, ...source } of pod.volumes ?? []) {
        assert.deepEqual(
          Object.keys(source).filter((kind) => !allowed.includes(kind)),
          [],
          `${origin}: ${name}`,
        );
        assert.equal(Object.keys(source).length, 1, `${origin}: ${name} has one source`);
      }
      for (const container of containersOf(one)) assert.equal(container.ports, undefined, origin);
      if (one.kind !== "Deployment") assert.equal(pod.automountServiceAccountToken, false, origin);
    }
  });

  test("the example's own Deployment is valid, too: `restricted` admits a pod as a whole", () => {
    const web = kustomize(join(k8s, "overlays/example")).find(({ kind }) => kind === "Deployment") ?? {};
    for (const container of containersOf(web)) {
      const context = { ...podSpec(web)?.securityContext, ...container.securityContext };
      assert.equal(context.runAsNonRoot, true, container.name);
      assert.deepEqual(context.seccompProfile, { type: "RuntimeDefault" }, container.name);
      assert.equal(context.allowPrivilegeEscalation, false, container.name);
      assert.deepEqual(context.capabilities, { drop: ["ALL"] }, container.name);
    }
  });
});

describe("our own rules", () => {
  test("images carry this version's tag, never latest", () => {
    for (const [origin, container] of ourContainers()) {
      assert.match(
        container.image,
        /^((registry|harbor)\.example\.com\/(bklite|ops)\/|bklite-)package-init(-bundle)?:[^:]+$/,
        origin,
      );
      assert.equal(container.image.split(":").at(-1), version, origin);
    }
  });

  test("the same version stands in the Dockerfile and in compose.init.yml", () => {
    assert.match(readFileSync(join(root, "Dockerfile"), "utf8"), new RegExp(`^ARG VERSION=${version}$`, "m"));
    const [compose] = readManifests(join(root, "compose.init.yml"));
    assert.equal(
      compose?.services["package-init"].image,
      `\${PACKAGE_INIT_IMAGE:-bklite-package-init:${version}}`,
    );
  });

  test("the Job fails immediately on every final exit code, and on no other", () => {
    for (const { spec } of jobs()) {
      const [final, ...others] = spec.podFailurePolicy.rules;
      assert.equal(final.action, "FailJob");
      assert.equal(final.onExitCodes.operator, "In");
      assert.deepEqual(final.onExitCodes.values, FINAL.map((name) => EXIT[name]).sort());
      for (const rule of spec.podFailurePolicy.rules) assert.ok(Array.isArray(rule.onPodConditions));
      assert.ok(
        spec.template.spec.containers.some((c: Manifest) => c.name === final.onExitCodes.containerName),
      );
      assert.deepEqual(
        others.map((rule: Manifest) => rule.action),
        ["Ignore"],
      );
    }
  });

  test("the Job ends: restartPolicy Never, a limit of tries and of time, and it is cleaned up", () => {
    for (const { spec } of jobs()) {
      assert.equal(spec.template.spec.restartPolicy, "Never");
      assert.ok(spec.backoffLimit > 0 && spec.activeDeadlineSeconds > 0 && spec.ttlSecondsAfterFinished > 0);
    }
  });

  test("resources are set, and the last lines of the log become the termination message", () => {
    for (const [origin, { resources, terminationMessagePolicy }] of ourContainers()) {
      assert.ok(resources?.requests?.cpu && resources.requests.memory && resources.limits?.memory, origin);
      assert.equal(terminationMessagePolicy, "FallbackToLogsOnError", origin);
    }
  });

  test("no proxy is put beside a pod that has to end", () => {
    for (const [origin, one] of everything()) {
      if (!podOf(one) || one.kind === "Deployment") continue;
      const { labels, annotations } = (podOf(one) as Manifest).metadata;
      assert.equal(labels["sidecar.istio.io/inject"], "false", origin);
      assert.equal(annotations["linkerd.io/inject"], "disabled", origin);
    }
  });
});

function jobs(): Manifest[] {
  const found = [...everything()].map(([, one]) => one).filter((one) => one.kind === "Job");
  // Every overlay but the settings and the claim, every component, and the image with `verify`.
  assert.equal(found.length, OVERLAYS.length - 2 + COMPONENTS.length + 1);
  return found;
}
