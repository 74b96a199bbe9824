import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseArguments } from "../../src/cli.ts";
import { readConfig } from "../../src/config/config.ts";
import { Reader, VARIABLES, type VariableName } from "../../src/config/env.ts";
import { EXIT } from "../../src/errors.ts";
import { deployment, everything, gated, k8s, origins, ourContainers, root } from "./k8s-manifests.ts";
import { containersOf, type Manifest, podSpec, readManifests } from "./kustomize.ts";

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
  Deployment: "apps/v1/Deployment",
  Job: "batch/v1/Job",
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

  test("no manifest has a field that the API does not know", () => {
    const models = join(root, "node_modules/kubernetes-models");
    const lines = [...everything()].map(([, one], index) => {
      const type = `import("${models}/${MODELS[one.kind]}.js").I${one.kind}`;
      return `export const manifest${index}: ${type} = ${JSON.stringify(one)};`;
    });
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

  test("every file below k8s/ is covered", () => {
    const covered = new Set(origins.map((origin) => join(k8s, origin)));
    const loose = globSync("**/*.yaml", { cwd: k8s })
      .map((path) => join(k8s, path))
      .filter((path) => !covered.has(path) && !isNamedByKustomization(path));
    assert.deepEqual(
      loose.map((path) => relative(k8s, path)),
      [],
    );
  });
});

function isNamedByKustomization(path: string): boolean {
  if (basename(path) === "kustomization.yaml") return true;
  const [text] = readManifests(join(path, "../kustomization.yaml"));
  const named = [...(text?.resources ?? []), ...(text?.patches ?? []).map((p: Manifest) => p.path)];
  return named.includes(basename(path));
}

describe("restricted Pod Security", () => {
  test("containers: no root, no privilege, no capability, seccomp, read-only root", () => {
    for (const [origin, container, owner] of ourContainers()) {
      const context = { ...(podSpec(owner)?.securityContext ?? {}), ...container.securityContext };
      assert.equal(context.runAsNonRoot, true, origin);
      assert.equal(context.runAsUser, 65532, origin);
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
});

describe("our own rules", () => {
  test("images carry this version's tag, never latest", () => {
    for (const [origin, container] of ourContainers()) {
      assert.match(
        container.image,
        /^(registry\.example\.com\/bklite\/|bklite-)package-init(-bundle)?:[^:]+$/,
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

  test("the Job fails at once on every final exit code, and on no other", () => {
    for (const { spec } of jobs()) {
      const [final, ...others] = spec.podFailurePolicy.rules;
      assert.equal(final.action, "FailJob");
      assert.equal(final.onExitCodes.operator, "In");
      assert.deepEqual(final.onExitCodes.values, FINAL.map((name) => EXIT[name]).sort());
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

  test("a gate comes first, waits with verify, and leaves other Deployments alone", () => {
    for (const name of ["pvc", "image"]) {
      const [web, other] = gated(join(k8s, "gate", name));
      const [gate, own] = podSpec(web as Manifest)?.initContainers ?? [];
      assert.equal(own.name, "own");
      assert.deepEqual(parseArguments(gate.args), { command: "verify", json: false, wait: true });
      assert.deepEqual(other, deployment("other", {}));
    }
  });
});

function jobs(): Manifest[] {
  const found = [...everything()].map(([, one]) => one).filter((one) => one.kind === "Job");
  assert.equal(found.length, 2);
  return found;
}

describe("settings and secrets", () => {
  const [configMap] = readManifests(join(k8s, "base/configmap.yaml"));
  const [secret] = readManifests(join(k8s, "base/secret.example.yaml"));
  const settings: Record<string, string> = configMap?.data;
  const secrets: Record<string, string> = secret?.stringData;
  const known = Object.entries(VARIABLES).flatMap(([name, { file }]) =>
    file ? [name, `${name}_FILE`] : [name],
  );
  const isSecret = (name: string) =>
    VARIABLES[name as VariableName]?.secret === true || name === "DATABASE_URL";

  test("every name is known to the program", () => {
    const names = Object.keys(settings);
    for (const [, { env = [] }] of ourContainers()) names.push(...env.map((one: Manifest) => one.name));
    assert.deepEqual(
      names.filter((name) => !known.includes(name)),
      [],
    );
  });

  test("no secret lies in the ConfigMap or in a plain value", () => {
    assert.deepEqual(Object.keys(settings).filter(isSecret), []);
    assert.ok(!settings.NATS_SERVERS?.includes("@"));
    for (const [origin, { env = [] }] of ourContainers()) {
      for (const one of env)
        assert.ok(one.valueFrom?.secretKeyRef && one.value === undefined, `${origin}: ${one.name}`);
    }
  });

  test("what a pod refers to exists: ConfigMap, Secret and its keys, claim, volumes", () => {
    for (const [origin, container, owner] of ourContainers()) {
      for (const { configMapRef } of container.envFrom ?? [])
        assert.equal(configMapRef.name, configMap?.metadata.name, origin);
      for (const { valueFrom } of container.env ?? []) {
        assert.equal(valueFrom.secretKeyRef.name, secret?.metadata.name, origin);
        assert.ok(valueFrom.secretKeyRef.key in secrets, `${origin}: ${valueFrom.secretKeyRef.key}`);
      }
      const volumes: Manifest[] = podSpec(owner)?.volumes ?? [];
      for (const mount of container.volumeMounts)
        assert.ok(
          volumes.some(({ name }) => name === mount.name),
          `${origin}: ${mount.name}`,
        );
      for (const volume of volumes) checkVolume(volume, origin);
    }
  });

  function checkVolume(volume: Manifest, origin: string): void {
    if (volume.persistentVolumeClaim) {
      const [claim] = readManifests(join(k8s, "overlays/pvc/pvc.yaml"));
      assert.equal(volume.persistentVolumeClaim.claimName, claim?.metadata.name, origin);
    }
    if (!volume.secret) return;
    assert.equal(volume.secret.secretName, secret?.metadata.name, origin);
    for (const { key } of volume.secret.items) assert.ok(key in secrets, `${origin}: ${key}`);
  }

  test("the archives and the authority lie where the settings say", () => {
    for (const [origin, { image, args, volumeMounts }] of ourContainers()) {
      if (!args) continue;
      const paths = volumeMounts.map((mount: Manifest) => mount.mountPath);
      assert.ok(paths.includes("/etc/nats/certs"), origin);
      assert.ok(image.includes("-bundle:") || paths.includes(settings.PACKAGES_DIR), origin);
    }
    assert.equal(settings.NATS_TLS_CA_FILE, "/etc/nats/certs/ca.crt");
  });

  test("the program accepts the values", () => {
    const ca = join(temporary, "ca.crt");
    writeFileSync(ca, secrets["ca.crt"] ?? "");
    const environment = { ...settings, NATS_TLS_CA_FILE: ca };
    for (const [, { env = [] }] of ourContainers()) {
      for (const { name, valueFrom } of env)
        Object.assign(environment, { [name]: secrets[valueFrom.secretKeyRef.key] });
    }
    const config = readConfig(new Reader(environment));
    assert.deepEqual(config.nats.auth, { kind: "password", user: "admin", password: "change-me" });
  });
});
