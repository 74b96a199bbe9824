import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseArguments } from "../../src/cli.ts";
import { DEPLOYMENTS, k8s, stackWith, withComponents } from "./k8s-manifests.ts";
import { containersOf, kustomize, type Manifest, podOf, podSpec } from "./kustomize.ts";

/** The one manifest of that kind, and name where there are several. */
function find(all: readonly Manifest[], kind: string, name?: string): Manifest {
  const [found, ...others] = all.filter((one) => one.kind === kind && (!name || one.metadata.name === name));
  assert.ok(found && others.length === 0, `${kind} ${name ?? ""}`);
  return found;
}

const overlay = (name: string) => kustomize(join(k8s, "overlays", name));
const imagesOf = (all: readonly Manifest[]) =>
  all.flatMap((one) => containersOf(one).map(({ image }) => image));

describe("the gate", () => {
  const all = stackWith(["gate"]);
  const initContainers = (name: string): Manifest[] =>
    podSpec(find(all, "Deployment", name))?.initContainers ?? [];

  test("comes after the Deployment's own initContainers, and where it has none", () => {
    assert.deepEqual(
      initContainers("web").map(({ name }) => name),
      ["own", "gate"],
    );
    assert.deepEqual(
      initContainers("worker").map(({ name }) => name),
      ["gate"],
    );
    for (const name of ["web", "worker"]) {
      const { args } = initContainers(name).at(-1) as Manifest;
      assert.deepEqual(parseArguments(args), { command: "gate", wait: false, deep: false });
    }
  });

  test("needs no claim: only NATS's authority is mounted", () => {
    for (const name of ["web", "worker"]) {
      const volumes: Manifest[] = podSpec(find(all, "Deployment", name))?.volumes ?? [];
      assert.deepEqual(
        volumes.map(({ name, ...source }) => [name, ...Object.keys(source)]),
        [["package-init-nats-ca", "secret"]],
      );
    }
  });

  test("leaves a Deployment without the label as it was", () => {
    assert.deepEqual(find(all, "Deployment", "server"), DEPLOYMENTS[2]);
  });
});

describe("overlays", () => {
  test("pvc and its loader take the image from one place", () => {
    const [image] = imagesOf(overlay("pvc"));
    assert.match(image ?? "", /^registry\.example\.com\//);
    assert.deepEqual(imagesOf(overlay("pvc/claim")), [image]);
  });

  test("deleting a Job's overlay leaves the claim, its loader, and what gated pods read", () => {
    for (const name of ["pvc", "image"]) {
      assert.deepEqual(
        overlay(name).map(({ kind }) => kind),
        ["Job"],
      );
    }
    assert.deepEqual(
      overlay("settings").map(({ kind }) => kind),
      ["ConfigMap"],
    );
    assert.deepEqual(
      overlay("pvc/claim").map(({ kind }) => kind),
      ["PersistentVolumeClaim", "Pod"],
    );
  });

  test("the bundle image runs itself: no claim, nothing mounted at /packages, nothing copied", () => {
    const job = find(overlay("image"), "Job");
    const { initContainers, containers, volumes } = podSpec(job) as Manifest;
    assert.equal(initContainers, undefined);
    assert.match(containers[0].image, /package-init-bundle:/);
    assert.deepEqual(
      containers[0].volumeMounts.map((mount: Manifest) => mount.mountPath),
      ["/etc/nats/certs"],
    );
    assert.deepEqual(
      volumes.map(({ name }: Manifest) => name),
      ["nats-ca"],
    );
  });

  test("the example's image reaches Job and gate", () => {
    const ours = imagesOf(overlay("example")).filter((image) => image.includes("package-init"));
    assert.equal(ours.length, 2);
    assert.equal(new Set(ours).size, 1);
  });
});

describe("components", () => {
  test("openshift: no user or group is pinned anywhere, and pods still may not be root", () => {
    const all = stackWith(["gate", "verify", "openshift"]);
    const text = JSON.stringify(all.filter(({ kind }) => kind !== "Secret"));
    assert.doesNotMatch(text, /runAsUser|runAsGroup|fsGroup/);
    for (const kind of ["Job", "CronJob", "Pod"]) {
      assert.equal(podSpec(find(all, kind))?.securityContext.runAsNonRoot, true);
    }
    for (const name of ["web", "worker"]) {
      const gate = podSpec(find(all, "Deployment", name))?.initContainers.at(-1);
      assert.equal(gate.securityContext.runAsNonRoot, true);
    }
  });

  test("signed: the Job and the nightly check get the keys", () => {
    const all = stackWith(["verify", "signed"]);
    for (const kind of ["Job", "CronJob"]) {
      const spec = podSpec(find(all, kind)) as Manifest;
      const { env, volumeMounts } = spec.containers[0];
      const { value } = env.find(({ name }: Manifest) => name === "VERIFY_KEY_FILE");
      const mount = volumeMounts.find(({ mountPath }: Manifest) => value === `${mountPath}/allowed_signers`);
      const { secret } = spec.volumes.find(({ name }: Manifest) => name === mount.name);
      assert.equal(secret.secretName, "bklite-package-init-keys");
    }
  });

  test("verify: every night, the Job's own pod but for its command and label, never two together", () => {
    const all = stackWith(["verify"]);
    const [job, nightly] = [find(all, "Job"), find(all, "CronJob")];
    const { args, ...container } = podSpec(nightly)?.containers[0] ?? {};
    assert.deepEqual(args, ["verify", "--deep"]);
    assert.deepEqual({ ...podSpec(nightly), containers: [{ ...container, args: ["init"] }] }, podSpec(job));
    const { jobTemplate, concurrencyPolicy } = nightly.spec;
    assert.deepEqual(jobTemplate.spec.podFailurePolicy, job.spec.podFailurePolicy);
    assert.equal(concurrencyPolicy, "Forbid");
  });

  test("verify with the bundle image: its archives come with the image, no claim is mounted", () => {
    const nightly = find(withComponents("image", ["verify"]), "CronJob");
    const { containers, volumes } = podSpec(nightly) as Manifest;
    assert.match(containers[0].image, /package-init-bundle:/);
    assert.deepEqual(
      volumes.map(({ name }: Manifest) => name),
      ["nats-ca"],
    );
  });

  test("networkpolicy: selects the pods of Job and verify, and leaves them DNS, Postgres and NATS", () => {
    const all = stackWith(["verify", "networkpolicy"]);
    const { podSelector, policyTypes, ingress, egress } = find(all, "NetworkPolicy").spec;
    const selected = all.filter((one) =>
      Object.entries(podSelector.matchLabels).every(
        ([key, value]) => podOf(one)?.metadata.labels?.[key] === value,
      ),
    );
    assert.deepEqual(selected.map(({ kind }) => kind).sort(), ["CronJob", "Job"]);
    assert.deepEqual([policyTypes, ingress], [["Ingress", "Egress"], undefined]);
    const ports: number[] = egress.flatMap((rule: Manifest) => rule.ports.map((one: Manifest) => one.port));
    assert.deepEqual([...new Set(ports)].sort(), [4222, 53, 5353, 5432]);
  });

  test("argocd: a hook of the sync phase, created again each time", () => {
    const { annotations } = find(stackWith(["argocd"]), "Job").metadata;
    assert.deepEqual(annotations, {
      "argocd.argoproj.io/hook": "Sync",
      "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    });
  });

  test("helm-hooks: after install and upgrade, created again each time", () => {
    const { annotations } = find(stackWith(["helm-hooks"]), "Job").metadata;
    assert.deepEqual(annotations, {
      "helm.sh/hook": "post-install,post-upgrade",
      "helm.sh/hook-delete-policy": "before-hook-creation",
    });
  });
});
