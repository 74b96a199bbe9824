import type { X509Certificate } from "node:crypto";
import type { NatsConnection } from "nats";
import type { NatsConfig, NatsServer } from "../config/nats.ts";
import type { Log } from "../output/log.ts";
import { Bucket } from "../store/bucket.ts";
import type { Climb } from "./climb.ts";
import { NATS_LAYERS, silent } from "./layer.ts";
import { type Line, lineTo, resolveHost } from "./line.ts";
import { checkBucket, checkJetStream } from "./nats-bucket.ts";
import { knock } from "./nats-hello.ts";
import { isRefused, login, loginFailure } from "./nats-login.ts";
import type { Step, Way } from "./race.ts";

export interface NatsReady {
  bucket: Bucket;
  /** False where the command does not make it: `plan`, `verify` and `wait`. */
  exists: boolean;
  /** host:port of the server that was taken. */
  where: string;
  /** The server's version, for the report. */
  version: string;
  /** The server's certificate and those that came with it; none without TLS. */
  chain: readonly X509Certificate[];
}

/** What a command needs of the bucket. */
export interface BucketNeeds {
  /** Whether it may be created. */
  makes: boolean;
  /** Whether its settings have to be those of an object store that takes uploads. */
  settings: boolean;
}

/** The way up to a usable bucket. */
export function natsClimb(config: NatsConfig, needs: BucketNeeds, log: Log): Climb<NatsReady> {
  const ways = config.servers.map((server) => wayTo(server, config, needs, log));
  return { service: "nats", layers: NATS_LAYERS, ways };
}

function wayTo(server: NatsServer, config: NatsConfig, needs: BucketNeeds, log: Log): Way<NatsReady> {
  const line = lineTo("nats", server);
  return {
    climb: (step) => up(line, server, config, needs, log, step),
    stuck: (layer, seconds) => silent("nats", line.where, layer, seconds),
    close: ({ bucket }) => void bucket.nc.close(),
  };
}

async function up(
  line: Line,
  server: NatsServer,
  config: NatsConfig,
  needs: BucketNeeds,
  log: Log,
  step: Step,
): Promise<NatsReady> {
  const { signal, trying, alone } = step;
  trying("dns");
  await resolveHost(line, signal);
  trying("tcp");
  const chain = await knock(line, server, config, step);
  trying("login");
  const nc = await login(server, config, 4800).catch(async (error) => {
    signal.throwIfAborted();
    // What the library makes of a server that hangs up says little: hear its last words.
    if (!isRefused(error)) await knock(line, server, config, { signal, trying: () => {} }, true);
    throw loginFailure(line, error);
  });
  const close = () => void nc.close();
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  try {
    const bucket = await Bucket.open(config.bucket, nc);
    trying("jetstream");
    await checkJetStream(line, bucket);
    trying("bucket");
    const exists = await alone(() => checkBucket(line, bucket, config, needs, log));
    return { bucket, exists, where: line.where, version: versionOf(nc), chain };
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

function versionOf(nc: NatsConnection): string {
  return nc.info?.version ?? "";
}
