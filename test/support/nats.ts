import type { ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { end, hasEnded, spawnGuarded, tempDir } from "./guard.ts";
import { findNatsServer } from "./nats-binary.ts";
import { freePort } from "./ports.ts";
import { GiveUp, until } from "./wait.ts";

export interface NatsOptions {
  /** Path of another nats-server than the tests' usual one. */
  program?: string;
  /**
   * More configuration, in nats-server's own format, or as an object of top-level settings: accounts,
   * permissions, limits, operator and resolver, and whatever else the server knows. Not for what the options
   * below set.
   */
  config?: string | Readonly<Record<string, unknown>>;
  /** One user for everything; the url has no credentials. */
  user?: string;
  password?: string;
  token?: string;
  /** PEM texts. `verify`: clients must have a certificate of `ca`. */
  tls?: { cert: string; key: string; ca?: string; verify?: boolean };
  /** With `tls`: plain connections are taken, too, as BK-Lite's server does. */
  allowNonTls?: boolean;
  /** With `tls`: the handshake comes before the server's first word (nats-server 2.10). */
  handshakeFirst?: boolean;
  /** On unless false. */
  jetstream?: boolean;
  /** JetStream's domain: clients of a connected server reach it as `$JS.DOMAIN.API`. */
  domain?: string;
  /** Bytes. */
  maxFileStore?: number;
  /** Where JetStream keeps its files; a folder that is given is not removed. */
  storeDir?: string;
  /** Bytes. */
  maxPayload?: number;
  port?: number;
  name?: string;
}

/** A nats-server as its clients see it, whoever started it. */
export interface NatsAccess {
  host: string;
  port: number;
  /** nats://, or tls:// where plain connections are refused; without credentials. */
  url: string;
  /** What the options said, for clients. */
  user: string | undefined;
  password: string | undefined;
  token: string | undefined;
  version: string;
}

/** A nats-server of the test's own. */
export interface NatsServer extends NatsAccess {
  name: string;
  monitorUrl: string;
  storeDir: string;
  logFile: string;
  configFile: string;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
  /** kill -9; the store stays. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, with the same ports and store. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing is answered. */
  pause(): void;
  resume(): void;
}

/** What the monitor says of the server. */
interface Varz {
  version: string;
  /** Empty without JetStream. */
  jetstream?: { config?: unknown };
}

/**
 * A nats-server of the test's own on 127.0.0.1, which answers, with JetStream if that is not switched off.
 */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const program = options.program ?? (await findNatsServer());
  const { jetstream = true, name = "nats-test" } = options;
  const folder = tempDir("nats");
  let server: ChildProcess | undefined;
  try {
    const storeDir = options.storeDir ?? join(folder.path, "store");
    const logFile = join(folder.path, "server.log");
    const configFile = join(folder.path, "nats.conf");
    const host = "127.0.0.1";
    const port = options.port ?? (await freePort());
    const monitor = await freePort();
    mkdirSync(storeDir, { recursive: true });
    writeFileSync(configFile, configText(options, { folder: folder.path, name, port, monitor, storeDir }));

    const monitorUrl = `http://${host}:${monitor}`;
    let varz: Varz | undefined;
    const launch = async () => {
      server = launchServer(program, configFile, logFile);
      varz = await ready(server, { monitorUrl, jetstream, logFile });
    };
    await launch();
    return {
      name,
      host,
      port,
      url: `${options.tls && !options.allowNonTls ? "tls" : "nats"}://${host}:${port}`,
      user: options.user,
      password: options.password,
      token: options.token,
      monitorUrl,
      storeDir,
      logFile,
      configFile,
      version: varz?.version ?? "",
      async stop() {
        if (server) await end(server, "SIGTERM", 3_000);
        folder.remove();
      },
      async kill() {
        if (server) await end(server, "SIGKILL");
      },
      async restart() {
        if (server && !hasEnded(server)) throw new Error(`${name} is still running: kill() it first`);
        await launch();
      },
      pause() {
        server?.kill("SIGSTOP");
      },
      resume() {
        server?.kill("SIGCONT");
      },
    };
  } catch (error) {
    if (server) await end(server, "SIGKILL");
    folder.remove();
    throw error;
  }
}

interface Places {
  folder: string;
  name: string;
  port: number;
  monitor: number;
  storeDir: string;
}

/** The server's format takes JSON values, so that each setting is one line `name: <json>`. */
function configText(options: NatsOptions, places: Places): string {
  const settings: Record<string, unknown> = {
    server_name: places.name,
    host: "127.0.0.1",
    port: places.port,
    http: `127.0.0.1:${places.monitor}`,
  };
  if (options.jetstream !== false) {
    settings.jetstream = {
      store_dir: places.storeDir,
      ...(options.domain === undefined ? {} : { domain: options.domain }),
      ...(options.maxFileStore === undefined ? {} : { max_file_store: options.maxFileStore }),
    };
  }
  if (options.maxPayload !== undefined) settings.max_payload = options.maxPayload;
  if (options.user !== undefined) {
    settings.authorization = { user: options.user, password: options.password ?? "" };
  }
  if (options.token !== undefined) settings.authorization = { token: options.token };
  if (options.tls) {
    settings.tls = tlsSettings(options.tls, places.folder);
    if (options.handshakeFirst) Object.assign(settings.tls as object, { handshake_first: true });
    if (options.allowNonTls) settings.allow_non_tls = true;
  }
  const more = typeof options.config === "string" ? {} : options.config;
  const lines = Object.entries({ ...settings, ...more }).map(
    ([key, value]) => `${key}: ${JSON.stringify(value)}`,
  );
  if (typeof options.config === "string") lines.push(options.config);
  return `${lines.join("\n")}\n`;
}

function tlsSettings(tls: NonNullable<NatsOptions["tls"]>, folder: string): Record<string, unknown> {
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    cert_file: write("server.crt", tls.cert),
    key_file: write("server.key", tls.key),
    ...(tls.ca ? { ca_file: write("ca.crt", tls.ca) } : {}),
    ...(tls.verify ? { verify: true } : {}),
    // Two cores may be shared by many handshakes.
    timeout: 5,
  };
}

function launchServer(program: string, configFile: string, logFile: string): ChildProcess {
  const log = openSync(logFile, "a");
  try {
    return spawnGuarded(program, ["--config", configFile], {
      cwd: "/",
      env: {},
      stdio: ["ignore", log, log],
      // Not in the terminal's group: Ctrl-C is for the test, which ends the server itself.
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

/**
 * A single server opens its port when JetStream is up; in a cluster JetStream follows when it has a leader.
 * The monitor is asked, not the port: the server would count that connection a while longer than its client,
 * and take it for the one that it may have.
 */
async function ready(
  server: ChildProcess,
  { monitorUrl, jetstream, logFile }: { monitorUrl: string; jetstream: boolean; logFile: string },
): Promise<Varz> {
  const varz = await until("nats-server ready", async () => {
    if (hasEnded(server))
      throw new GiveUp(`nats-server ended:\n${readFileSync(logFile, "utf8").slice(-2000)}`);
    const { ok } = await ask(`${monitorUrl}/healthz?js-server-only=true`);
    return ok && ((await (await ask(`${monitorUrl}/varz`)).json()) as Varz);
  });
  if (jetstream && !varz.jetstream?.config) {
    throw new Error(`nats-server has no JetStream:\n${readFileSync(logFile, "utf8").slice(-2000)}`);
  }
  return varz;
}

function ask(url: string): Promise<Response> {
  // Closed at once: a test file must not wait for a line that is kept for the next question.
  return fetch(url, { signal: AbortSignal.timeout(20_000), headers: { connection: "close" } });
}
