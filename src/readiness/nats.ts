import type { X509Certificate } from "node:crypto";
import type { NatsConfig, NatsServer } from "../config/nats-settings.ts";
import type { Log } from "../output/log.ts";
import { Bucket } from "../store/bucket.ts";
import type { Endpoint } from "./attempt.ts";
import { NATS_LAYERS } from "./layer.ts";
import { lineTo } from "./line.ts";
import { type BucketNeeds, checkBucket, checkJetStream } from "./nats-bucket.ts";
import { connect } from "./nats-login.ts";
import type { Probe } from "./probe.ts";

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

/** How to become ready on a usable bucket. */
export function natsProbe(config: NatsConfig, needs: BucketNeeds, log: Log): Probe<NatsReady> {
  const endpoints = config.servers.map((server) => endpointOf(server, config, needs, log));
  return { service: "nats", layers: NATS_LAYERS, endpoints };
}

function endpointOf(
  server: NatsServer,
  config: NatsConfig,
  needs: BucketNeeds,
  log: Log,
): Endpoint<NatsReady> {
  const line = lineTo("nats", server);
  return {
    where: line.where,
    async connect(attempt) {
      const { nc, chain } = await connect(line, server, config, attempt);
      try {
        const bucket = await Bucket.open(config.bucket, nc);
        // A server pings, whether JetStream answers or not.
        attempt.watch(undefined);
        attempt.enter("jetstream");
        await checkJetStream(line, bucket);
        attempt.enter("bucket");
        const exists = await attempt.alone(() => checkBucket(line, bucket, { config, needs, log, attempt }));
        return { bucket, exists, where: line.where, version: nc.info?.version ?? "", chain };
      } catch (error) {
        nc.close().catch(() => {});
        throw error;
      }
    },
    close: ({ bucket }) => void bucket.nc.close(),
  };
}
