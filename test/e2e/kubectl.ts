/**
 * A stand-in for kubectl where no cluster is at hand: objects are files of a folder, pods are Docker
 * containers, and a process of its own does the Job controller's work. It knows the commands of
 * docs/kubernetes.md, of k8s/wait.sh and of fill.sh, and fails as the real one does: it refuses what is not
 * there, and `exec` hangs if the receiver ends early. Environment: KUBECTL_STATE (folder), KUBECTL_NETWORK
 * (Docker's network), KUBECTL_CLAIM (folder or volume of the claim), KUBECTL_STALL (set: what is sent to a
 * receiver stays on the way).
 */
import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAllDocuments, stringify } from "yaml";
import { containersOf, kustomize, type Manifest, podSpec } from "../unit/kustomize.ts";
import { jsonPath } from "./jsonpath.ts";

const state = process.env.KUBECTL_STATE ?? "";
/** An error in the words of kubectl, without a stack. */
class Refusal extends Error {}

function docker(...args: string[]): string {
  return execFileSync("docker", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}
function tryDocker(...args: string[]): string | undefined {
  try {
    return docker(...args);
  } catch {
    return undefined;
  }
}

const SHORT: Record<string, string> = {
  pods: "pod",
  jobs: "job",
  events: "event",
  configmaps: "configmap",
  secrets: "secret",
};
const kindOf = (word: string) => SHORT[word] ?? word.toLowerCase();
const fileOf = (namespace: string, kind: string, name: string) =>
  join(state, `${namespace}.${kindOf(kind)}.${name}.json`);

function read(namespace: string, kind: string, name: string): Manifest {
  try {
    return withStatus(JSON.parse(readFileSync(fileOf(namespace, kind, name), "utf8")));
  } catch {
    throw new Refusal(
      `Error from server (NotFound): ${kindOf(kind)}s${kindOf(kind) === "job" ? ".batch" : ""} "${name}" not found`,
    );
  }
}
function exists(namespace: string, kind: string, name: string): boolean {
  return readdirSync(state).includes(`${namespace}.${kindOf(kind)}.${name}.json`);
}
function write(one: Manifest): void {
  const { name, namespace } = one.metadata;
  writeFileSync(fileOf(namespace, one.kind, name), JSON.stringify(one));
}
function list(namespace: string, kind: string, selector = ""): Manifest[] {
  const start = `${namespace}.${kindOf(kind)}.`;
  const labels = selector.split(",").filter(Boolean).map((one) => one.split("=")); // biome-ignore format: short
  return readdirSync(state)
    .filter((file) => file.startsWith(start))
    .flatMap((file) => {
      try {
        return [read(namespace, kind, file.slice(start.length, -".json".length))];
      } catch {
        return []; // a controller has deleted it meanwhile
      }
    })
    .filter(({ metadata }) => labels.every(([key = "", value]) => metadata.labels?.[key] === value));
}

/** A pod's status is its container's. */
function withStatus(one: Manifest): Manifest {
  const { container } = one.metadata;
  if (one.kind !== "Pod" || !container) return one;
  const text = tryDocker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", container);
  const [status, code = "0"] = text?.split(" ") ?? ["gone"];
  if (status === "running") {
    return {
      ...one,
      status: { phase: "Running", containerStatuses: [{ ready: true, state: { running: {} } }] },
    };
  }
  const terminated = { exitCode: Number(code) };
  return {
    ...one,
    status: {
      phase: code === "0" ? "Succeeded" : "Failed",
      reason: one.metadata.ended,
      containerStatuses: [{ ready: false, state: { terminated } }],
    },
  };
}

/** What the kubelet finds wrong before it can start a container; undefined if nothing. */
function obstacle(pod: Manifest): { phase: string; reason?: string; message: string } | undefined {
  const { namespace } = pod.metadata;
  const spec = podSpec(pod) as Manifest;
  for (const { persistentVolumeClaim } of spec.volumes ?? []) {
    const name = persistentVolumeClaim?.claimName;
    if (name && !exists(namespace, "PersistentVolumeClaim", name)) {
      return { phase: "Pending", message: `persistentvolumeclaim "${name}" not found` };
    }
  }
  for (const { image, envFrom = [], env = [] } of containersOf(pod)) {
    if (tryDocker("image", "inspect", image) === undefined) {
      return { phase: "Pending", reason: "ImagePullBackOff", message: `Back-off pulling image "${image}"` };
    }
    for (const { configMapRef } of envFrom) {
      if (exists(namespace, "ConfigMap", configMapRef.name)) continue;
      return {
        phase: "Pending",
        reason: "CreateContainerConfigError",
        message: `configmap "${configMapRef.name}" not found`,
      };
    }
    for (const { valueFrom } of env) {
      const { name, key } = valueFrom.secretKeyRef;
      const words = !exists(namespace, "Secret", name)
        ? `secret "${name}" not found`
        : key in read(namespace, "Secret", name).data
          ? undefined
          : `couldn't find key ${key} in Secret ${namespace}/${name}`;
      if (words) return { phase: "Pending", reason: "CreateContainerConfigError", message: words };
    }
  }
  return undefined;
}

/** Starts a pod's container, or leaves it pending with the kubelet's words. */
function start(pod: Manifest): void {
  const found = obstacle(pod);
  const { namespace, name } = pod.metadata;
  if (found) {
    const waiting = found.reason && [
      { ready: false, state: { waiting: { reason: found.reason, message: found.message } } },
    ];
    write({ ...pod, status: { phase: found.phase, ...(waiting && { containerStatuses: waiting }) } });
    if (!found.reason) event(namespace, name, "FailedScheduling", found.message);
    return;
  }
  const spec = podSpec(pod) as Manifest;
  const [{ image, command = [], args = [], envFrom = [], env = [], volumeMounts = [] }] = spec.containers;
  const decoded = (secret: string) =>
    Object.entries<string>(read(namespace, "Secret", secret).data).map(
      ([key, value]) => [key, Buffer.from(value, "base64")] as const,
    );
  const variables: Record<string, string> = {};
  for (const { configMapRef } of envFrom)
    Object.assign(variables, read(namespace, "ConfigMap", configMapRef.name).data);
  for (const { name: variable, valueFrom } of env) {
    const { name: secret, key } = valueFrom.secretKeyRef;
    variables[variable] = String(decoded(secret).find(([one]) => one === key)?.[1]);
  }
  const mounts = volumeMounts.flatMap((mount: Manifest) => {
    const { secret } = spec.volumes.find((volume: Manifest) => volume.name === mount.name);
    let from = process.env.KUBECTL_CLAIM ?? "";
    if (secret) {
      from = join(state, `mount-${name}`);
      mkdirSync(from, { recursive: true });
      for (const [key, value] of decoded(secret.secretName)) writeFileSync(join(from, key), value);
    }
    return ["-v", `${from}:${mount.mountPath}${mount.readOnly ? ":ro" : ""}`];
  });
  const [program, ...first] = command;
  const { runAsUser, runAsGroup } = spec.securityContext;
  const container = docker(
    ...["run", "-d", "--label", `stand-in=${state}`, "--network", process.env.KUBECTL_NETWORK ?? "none"],
    ...["--read-only", "--cap-drop", "ALL", "--user", `${runAsUser}:${runAsGroup}`, ...mounts],
    ...Object.entries(variables).flatMap(([key, value]) => ["-e", `${key}=${value}`]),
    ...(program ? ["--entrypoint", program] : []),
    ...[image, ...first, ...args],
  );
  write({ ...pod, metadata: { ...pod.metadata, container } });
}

function event(namespace: string, object: string, reason: string, message: string): void {
  const metadata = {
    namespace,
    name: `${object}.${Date.now()}`,
    creationTimestamp: new Date().toISOString(),
  };
  write({ kind: "Event", metadata, involvedObject: { name: object }, type: "Warning", reason, message });
}

/**
 * The Job controller: one pod after the other until one succeeds, a rule ends the Job, or there were too
 * many.
 */
async function control(namespace: string, job: string): Promise<void> {
  const { spec, metadata: own } = read(namespace, "Job", job);
  // a Job of the same name that was applied since has a controller of its own
  const isDeleted = () =>
    !exists(namespace, "Job", job) || read(namespace, "Job", job).metadata.uid !== own.uid;
  const [{ onExitCodes }] = spec.podFailurePolicy.rules;
  const end = (type: string, reason: string, message: string) => {
    const one = read(namespace, "Job", job);
    write({ ...one, status: { conditions: [{ type, status: "True", reason, message }] } });
  };
  for (let failures = 0; failures <= spec.backoffLimit; failures++) {
    const name = `${job}-${Math.random().toString(36).slice(2, 7)}`;
    const { metadata, spec: podTemplate } = spec.template;
    const labels = { ...metadata.labels, "job-name": job };
    const creationTimestamp = new Date().toISOString();
    const pod = { kind: "Pod", metadata: { name, namespace, labels, creationTimestamp }, spec: podTemplate };
    start(pod);
    let now = read(namespace, "Pod", name);
    while (!["Succeeded", "Failed"].includes(now.status.phase)) {
      await sleep(200);
      if (isDeleted()) return remove(namespace, "Pod", name, true);
      if (now.status.phase === "Pending") start(pod);
      now = read(namespace, "Pod", name);
    }
    if (isDeleted()) return remove(namespace, "Pod", name, true);
    const code = now.status.containerStatuses[0].state.terminated.exitCode;
    if (code === 0) return end("Complete", "CompletionsReached", "Reached expected number of succeeded pods");
    if (onExitCodes.values.includes(code)) {
      const words = `Container ${onExitCodes.containerName} for pod ${namespace}/${name} failed with exit code ${code} matching FailJob rule at index 0`;
      return end("Failed", "PodFailurePolicy", words);
    }
  }
  end("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
}

function apply(one: Manifest, namespace: string): void {
  const named = { ...one, metadata: { ...one.metadata, namespace: one.metadata.namespace ?? namespace } };
  const { name, namespace: at } = named.metadata;
  const said = `${one.kind.toLowerCase()}${one.kind === "Job" ? ".batch" : ""}/${name}`;
  const before = exists(at, one.kind, name) ? read(at, one.kind, name) : undefined;
  if (before && ["Job", "Pod"].includes(one.kind)) {
    if (JSON.stringify(before.spec) !== JSON.stringify(one.spec)) {
      throw new Refusal(
        `The ${one.kind} "${name}" is invalid: spec.template: Invalid value: field is immutable`,
      );
    }
    console.log(`${said} unchanged`);
    return;
  }
  if (one.kind === "Pod") start(named);
  else write({ ...named, metadata: { ...named.metadata, uid: randomUUID() } });
  if (one.kind === "Job") {
    const self = [import.meta.filename, "--controller", at, name];
    spawn(process.execPath, self, { detached: true, stdio: "ignore" }).unref();
  }
  console.log(`${said} ${before ? "configured" : "created"}`);
}

function remove(namespace: string, kind: string, name: string, ignoreMissing = false): void {
  if (ignoreMissing && !exists(namespace, kind, name)) return;
  const one = read(namespace, kind, name);
  rmSync(fileOf(namespace, kind, name));
  if (one.metadata.container) tryDocker("rm", "-f", one.metadata.container);
  if (one.kind === "Job") {
    for (const { metadata } of list(namespace, "pod", `job-name=${name}`))
      remove(namespace, "Pod", metadata.name, true);
  }
  console.log(`${kindOf(kind)} "${name}" deleted`);
}

/** The words of a command line, and its options by name; a lone `--` ends it. */
function parse(argv: readonly string[]) {
  const flags = new Set(["-i", "--ignore-not-found"]);
  const end = argv.indexOf("--");
  const command = end < 0 ? [] : argv.slice(end + 1);
  const words: string[] = [];
  const options = new Map<string, string[]>();
  const own = end < 0 ? [...argv] : argv.slice(0, end);
  while (own.length > 0) {
    const word = own.shift() ?? "";
    if (word === "-" || !word.startsWith("-")) words.push(word);
    else {
      const [, name = word, inline] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
      const value = inline ?? (flags.has(word) ? "" : (own.shift() ?? ""));
      options.set(name, [...(options.get(name) ?? []), value]);
    }
  }
  return { words, command, options, option: (name: string) => options.get(name)?.[0] };
}

function createSecret(name: string, namespace: string, options: Map<string, string[]>): void {
  const literals = (options.get("--from-literal") ?? []).map(
    (one) => /^([^=]+)=(.*)$/s.exec(one)?.slice(1) ?? [],
  );
  const files = (options.get("--from-file") ?? []).map((one) => {
    const [key = "", path = ""] = one.split("=");
    try {
      return [key, readFileSync(path, "utf8")];
    } catch {
      throw new Refusal(`error: error reading ${path}: no such file or directory`);
    }
  });
  const data = [...literals, ...files].map(([key, value = ""]) => [
    key,
    Buffer.from(value).toString("base64"),
  ]);
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace },
    data: Object.fromEntries(data),
  };
  if (options.get("--dry-run")?.[0] !== "client") {
    if (exists(namespace, "Secret", name)) {
      throw new Refusal(`error: failed to create secret secrets "${name}" already exists`);
    }
    write(secret);
  } else process.stdout.write(stringify(secret));
}

function get(words: readonly string[], namespace: string, options: Map<string, string[]>): void {
  const [kind = "", name] = words;
  const [, template] = /^jsonpath=(.*)$/s.exec(options.get("-o")?.[0] ?? "") ?? [];
  if (name) {
    print(read(namespace, kind, name), template);
    return;
  }
  const [, field, value] =
    /involvedObject\.(name)=([^,]*)/.exec(options.get("--field-selector")?.[0] ?? "") ?? [];
  const items = list(namespace, kind, options.get("-l")?.[0]).filter(
    (one) => !field || one.involvedObject.name === value,
  );
  items.sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
  print({ kind: "List", items }, template);
}
function print(one: Manifest, template: string | undefined): void {
  if (template === undefined) console.log(JSON.stringify(one, null, 2));
  else process.stdout.write(jsonPath(template, one));
}

function logs(target: string, namespace: string, tail: string | undefined): void {
  const [kind, name] = target.includes("/") ? target.split("/") : ["pod", target];
  // As the real one: with several pods it takes the oldest.
  const pods = list(namespace, "pod", `job-name=${name}`);
  pods.sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
  const pod = kind === "pod" ? read(namespace, "pod", name ?? "") : pods[0];
  if (!pod?.metadata.container)
    throw new Refusal(`Error from server (BadRequest): container in pod "${name}" is waiting to start`);
  process.stdout.write(`${docker("logs", ...(tail ? ["--tail", tail] : []), pod.metadata.container)}\n`);
}

async function exec(
  name: string,
  namespace: string,
  command: readonly string[],
  interactive: boolean,
): Promise<void> {
  const pod = read(namespace, "pod", name);
  if (pod.status.phase !== "Running") {
    throw new Refusal(
      `error: cannot exec into a container in a completed pod; current phase is ${pod.status.phase}`,
    );
  }
  const args = ["exec", ...(interactive ? ["-i"] : []), pod.metadata.container, ...command];
  const child = spawn("docker", args, { stdio: [interactive ? "pipe" : "ignore", "inherit", "inherit"] });
  let sent = !interactive;
  if (child.stdin) {
    child.stdin.on("error", () => {});
    process.stdin.on("end", () => {
      sent = true;
    });
    if (!process.env.KUBECTL_STALL) process.stdin.pipe(child.stdin);
  }
  const code = await new Promise<number>((resolve) => child.on("exit", (one) => resolve(one ?? 137)));
  // The real one goes on sending to a receiver that has ended, for ever.
  while (!sent) await sleep(1000);
  if (code !== 0) console.error(`command terminated with exit code ${code}`);
  process.exit(code);
}

async function main(): Promise<void> {
  if (process.argv[2] === "--controller") return control(process.argv[3] ?? "", process.argv[4] ?? "");
  const { words, command, options, option } = parse(process.argv.slice(2));
  const namespace = option("-n") ?? option("--namespace") ?? "default";
  const [verb, ...rest] = words;
  const given = (): Manifest[] => {
    const folder = option("-k");
    if (folder) return kustomize(folder);
    const text = readFileSync(option("-f") === "-" ? 0 : (option("-f") ?? ""), "utf8");
    if (text.trim() === "") throw new Refusal("error: no objects passed to apply");
    return parseAllDocuments(text).map((one) => one.toJS());
  };
  if (verb === "apply") for (const one of given()) apply(one, namespace);
  else if (verb === "delete" && options.has("-k")) {
    const ignore = options.has("--ignore-not-found");
    for (const { kind, metadata } of given())
      remove(metadata.namespace ?? namespace, kind, metadata.name, ignore);
  } else if (verb === "delete")
    remove(namespace, rest[0] ?? "", rest[1] ?? "", options.has("--ignore-not-found"));
  else if (verb === "create" && rest[0] === "secret") createSecret(rest[2] ?? "", namespace, options);
  else if (verb === "get") get(rest, namespace, options);
  else if (verb === "describe") print({ items: list(namespace, rest[0] ?? "", option("-l")) }, undefined);
  else if (verb === "logs") logs(rest[0] ?? "", namespace, option("--tail"));
  else if (verb === "exec") await exec(rest[0] ?? "", namespace, command, options.has("-i"));
  else if (verb === "wait") {
    const pod = () => read(namespace, "pod", (rest[0] ?? "").replace("pod/", ""));
    const until = Date.now() + Number.parseInt(option("--timeout") ?? "30", 10) * 1000;
    while (pod().status.phase !== "Running") {
      if (Date.now() > until) throw new Refusal(`error: timed out waiting for the condition on ${rest[0]}`);
      await sleep(200);
    }
  } else throw new Refusal(`error: unknown command: ${process.argv.slice(2).join(" ")}`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
