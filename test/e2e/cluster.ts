import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { natsCertificates } from "../support/certs.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { packageTable } from "../support/tables.ts";
import { until } from "../support/wait.ts";
import { docker, findComposes, IMAGE, type Result, root, run } from "./docker.ts";
import { PASSWORDS, Stack } from "./stack.ts";

/** The image's name in the overlay. */
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const TAG = `registry.example.com/bklite/package-init:${version}`;

/**
 * Where docs/kubernetes.md is run: on kubectl's current cluster (KUBERNETES=real), else through
 * test/e2e/kubectl.ts.
 */
export const isReal = process.env.KUBERNETES === "real";

/**
 * A copy of the repository with packages and certificates, and a cluster with Postgres and NATS to run its
 * commands on.
 */
export class Cluster {
  readonly #temp: TempDir = tempDir("kubernetes");
  readonly checkout = join(this.#temp.path, "checkout");
  readonly packages = join(this.checkout, "packages");
  /** The claim's folder (stand-in). */
  readonly claim = join(this.#temp.path, "claim");
  readonly #bin = join(this.#temp.path, "bin");
  readonly #state = join(this.#temp.path, "state");
  stack: Stack | undefined;

  async start(): Promise<void> {
    for (const folder of [this.#bin, this.#state, this.claim]) mkdirSync(folder);
    cpSync(root, this.checkout, {
      recursive: true,
      filter: (path) => !/\/(node_modules|dist|\.git|\.cache)$/.test(path),
    });
    const certificates = natsCertificates();
    const certs = join(this.checkout, "conf/certs");
    mkdirSync(certs, { recursive: true });
    await docker("tag", IMAGE, TAG);
    // No registry is at hand: what is pushed is handed to the nodes.
    const push = isReal ? 'exec kind load docker-image "$2"' : 'echo "stand-in: $2 is not pushed"; exit';
    this.#script("docker", `[ "$1" != push ] || { ${push}; }\nPATH=\${PATH#${this.#bin}:} exec docker "$@"`);
    if (isReal) {
      for (const [name, text] of [
        ["ca.crt", certificates.ca.cert],
        ["server.crt", certificates.server.cert],
        ["server.key", certificates.server.key],
      ] as const) {
        writeFileSync(join(certs, name), text);
      }
      await this.#startServers(certs);
      return;
    }
    const [{ command }] = await findComposes();
    this.stack = new Stack(command);
    copyFileSync(join(this.stack.folder, "conf/certs/ca.crt"), join(certs, "ca.crt"));
    await this.stack.startServers();
    await this.sql(packageTable("B"));
    await this.#onClaim("chown", "65532:65532", ".");
    this.#script("kubectl", `exec '${process.execPath}' '${join(import.meta.dirname, "kubectl.ts")}' "$@"`);
    // The scripts poll every 5 s; nothing here depends on how long that is.
    this.#script("sleep", `PATH=\${PATH#${this.#bin}:} exec sleep 1`);
  }

  #script(name: string, text: string): void {
    writeFileSync(join(this.#bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }

  /**
   * Postgres and NATS in a namespace of their own; their images run as root, which bk-lite's `restricted`
   * refuses.
   */
  async #startServers(certs: string): Promise<void> {
    const kubectl = async (...args: string[]) => {
      const { code, stderr } = await run("kubectl", args);
      if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    };
    await run("kind", ["load", "docker-image", TAG]);
    await kubectl("apply", "-f", join(import.meta.dirname, "kubernetes/namespaces.yaml"));
    const files = ["server.crt", "server.key", "ca.crt"].map((name) => `--from-file=${join(certs, name)}`);
    const conf = `--from-file=${join(import.meta.dirname, "stack/nats.conf")}`;
    const login = Object.entries(PASSWORDS).map(([name, value]) => `--from-literal=${name}=${value}`);
    await kubectl("-n", "servers", "create", "secret", "generic", "nats-certs", ...files);
    await kubectl("-n", "servers", "create", "secret", "generic", "login", ...login);
    await kubectl("-n", "servers", "create", "configmap", "nats-conf", conf);
    await kubectl("apply", "-f", join(import.meta.dirname, "kubernetes/servers.yaml"));
    for (const name of ["postgres", "nats"]) {
      await kubectl("-n", "servers", "rollout", "status", `deployment/${name}`, "--timeout=300s");
    }
    await until("the table is there", () => this.sql(packageTable("B")), 120_000, 2000);
  }

  /** One statement on BK-Lite's database; the answer's lines. */
  async sql(statement: string): Promise<string[]> {
    if (this.stack) return this.stack.sql(statement);
    const psql = ["psql", "-h", "127.0.0.1", "-U", "postgres", "-d", "bklite", "-tA", "-c", statement];
    const args = ["-n", "servers", "exec", "deployment/postgres", "--", ...psql];
    const { code, stdout, stderr } = await run("kubectl", args);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim().split("\n");
  }

  /** Runs text as a shell in the checkout, with the passwords that the page names. */
  shell(text: string, env: NodeJS.ProcessEnv = {}): Promise<Result> {
    const standIn = {
      KUBECTL_STATE: this.#state,
      KUBECTL_NETWORK: this.stack?.project,
      KUBECTL_CLAIM: this.claim,
    };
    const all = {
      ...process.env,
      ...PASSWORDS,
      ...standIn,
      ...env,
      PATH: `${this.#bin}:${process.env.PATH}`,
    };
    return run("sh", ["-ec", text], { cwd: this.checkout, env: all });
  }

  /** Changes a value of the settings before they are applied. */
  set(name: string, value: string): void {
    const file = join(this.checkout, "k8s/settings/configmap.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(
      file,
      text.replace(new RegExp(`^ {2}${name}: .*$`, "m"), `  ${name}: ${JSON.stringify(value)}`),
    );
  }

  /** Runs a program as root on the claim's folder, whose files may belong to the container's user. */
  #onClaim(program: string, ...args: string[]): Promise<string> {
    const options = ["--rm", "-v", `${this.claim}:/claim`, "-w", "/claim", "--entrypoint", program];
    return docker("run", ...options, "postgres:15", ...args);
  }

  async remove(): Promise<void> {
    if (!isReal) {
      const ids = await docker("ps", "-aq", "--filter", `label=stand-in=${this.#state}`);
      if (ids !== "") await docker("rm", "-f", ...ids.split("\n"));
      await this.#onClaim("find", ".", "-mindepth", "1", "-delete");
    }
    await run("docker", ["rmi", TAG]);
    await this.stack?.remove();
    this.#temp.remove();
  }
}
