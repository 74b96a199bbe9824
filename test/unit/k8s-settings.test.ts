import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Reader, VARIABLES, type VariableName } from "../../src/config/env.ts";
import { readConfig } from "../../src/config/job-settings.ts";
import { k8s, ourContainers } from "./k8s-manifests.ts";
import { type Manifest, podSpec, readManifests } from "./kustomize.ts";

let temporary: string;
before(() => {
  temporary = mkdtempSync(join(tmpdir(), "k8s-test-"));
});
after(() => rmSync(temporary, { recursive: true, force: true }));

describe("settings and secrets", () => {
  const [configMap] = readManifests(join(k8s, "settings/configmap.yaml"));
  const [secret] = readManifests(join(k8s, "settings/secret.example.yaml"));
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
      for (const one of env.filter(({ name }: Manifest) => name !== "VERIFY_KEY_FILE"))
        assert.ok(one.valueFrom?.secretKeyRef && one.value === undefined, `${origin}: ${one.name}`);
    }
  });

  test("what a pod refers to exists: ConfigMap, Secret and its keys, claim, volumes", () => {
    for (const [origin, container, owner] of ourContainers()) {
      for (const { configMapRef } of container.envFrom ?? [])
        assert.equal(configMapRef.name, configMap?.metadata.name, origin);
      for (const { valueFrom } of (container.env ?? []).filter((one: Manifest) => one.valueFrom)) {
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
      const [claim] = readManifests(join(k8s, "overlays/pvc/claim/claim.yaml"));
      assert.equal(volume.persistentVolumeClaim.claimName, claim?.metadata.name, origin);
    }
    // The keys for signed packages are a Secret of its own, made as docs/signing.md says.
    if (!volume.secret || volume.secret.secretName === "bklite-package-init-keys") return;
    assert.equal(volume.secret.secretName, secret?.metadata.name, origin);
    for (const { key } of volume.secret.items) assert.ok(key in secrets, `${origin}: ${key}`);
  }

  test("the archives and the authority lie where the settings say", () => {
    for (const [origin, { image, args = [], volumeMounts }] of ourContainers()) {
      const paths = volumeMounts.map((mount: Manifest) => mount.mountPath);
      if (args.length > 0) assert.ok(paths.includes("/etc/nats/certs"), origin);
      const needsPackages = args[0] !== "gate" && !image.includes("-bundle:");
      assert.equal(paths.includes(settings.PACKAGES_DIR), needsPackages, origin);
    }
    assert.equal(settings.NATS_TLS_CA_FILE, "/etc/nats/certs/ca.crt");
  });

  test("the program accepts the values", () => {
    const ca = join(temporary, "ca.crt");
    writeFileSync(ca, secrets["ca.crt"] ?? "");
    const environment = { ...settings, NATS_TLS_CA_FILE: ca };
    for (const [, { env = [] }] of ourContainers()) {
      for (const { name, valueFrom } of env)
        if (valueFrom) Object.assign(environment, { [name]: secrets[valueFrom.secretKeyRef.key] });
    }
    const config = readConfig(new Reader(environment));
    assert.deepEqual(config.nats.auth, { kind: "password", user: "admin", password: "change-me" });
  });
});
