import { type NatsOptions, type NatsServer, startNats } from "./nats.ts";
import { freePort } from "./ports.ts";
import { until } from "./wait.ts";

export interface NatsCluster {
  nodes: NatsServer[];
  /** Comma-separated, as NATS_SERVERS takes them. */
  servers: string;
  /** The running node that leads the stream now; waits while there is none. */
  leaderOf(stream: string): Promise<NatsServer>;
  /**
   * Waits until every running node knows the same leader of JetStream, and until that leader sees them all
   * current.
   */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

interface Jsz {
  meta_cluster?: {
    leader?: string;
    cluster_size?: number;
    replicas?: { name: string; current: boolean; offline?: boolean }[];
  };
  account_details?: { stream_detail?: { name: string; cluster?: { leader?: string } }[] }[];
}

/** Nodes that form one JetStream cluster over loopback, ready for streams with `size` replicas. */
export async function startCluster(
  size = 3,
  options: Omit<NatsOptions, "port" | "name" | "storeDir" | "config"> & {
    config?: Record<string, unknown>;
  } = {},
): Promise<NatsCluster> {
  const routes = await Promise.all(Array.from({ length: size }, freePort));
  const urls = routes.map((port) => `nats-route://127.0.0.1:${port}`);
  const started = await Promise.allSettled(
    routes.map((port, index) =>
      startNats({
        ...options,
        name: `node${index + 1}`,
        config: {
          ...options.config,
          cluster: { name: "test", listen: `127.0.0.1:${port}`, routes: urls },
        },
      }),
    ),
  );
  const nodes = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  const ready = () => clusterReady(nodes, size);
  try {
    const failed = started.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    await ready();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    nodes,
    servers: nodes.map((node) => node.url).join(","),
    leaderOf: (stream) => leaderOf(nodes, stream),
    ready,
    stop,
  };
}

async function clusterReady(nodes: readonly NatsServer[], size: number): Promise<void> {
  await until("JetStream cluster ready", async () => {
    const views = await viewsOf(nodes);
    const metas = views.map(({ jsz }) => jsz.meta_cluster);
    const leaders = new Set(metas.map((meta) => meta?.leader));
    const [leader] = leaders;
    // The leader alone reports its followers; a dead node may still be the leader that the others remember.
    const own = views.find(({ node }) => node.name === leader)?.jsz.meta_cluster;
    if (leaders.size !== 1 || !own) return false;
    const current = (own.replicas ?? []).filter((peer) => peer.current && !peer.offline).length;
    return metas.every((meta) => meta?.cluster_size === size) && current >= views.length - 1;
  });
}

async function leaderOf(nodes: readonly NatsServer[], stream: string): Promise<NatsServer> {
  return until(`leader of ${stream}`, async () => {
    for (const { node, jsz } of await viewsOf(nodes)) {
      const details = (jsz.account_details ?? []).flatMap((account) => account.stream_detail ?? []);
      // Its own word only: the others name a killed leader until they have elected the next.
      if (details.find((detail) => detail.name === stream)?.cluster?.leader === node.name) return node;
    }
    return undefined;
  });
}

/** What each running node reports of JetStream. */
async function viewsOf(nodes: readonly NatsServer[]): Promise<{ node: NatsServer; jsz: Jsz }[]> {
  const answers = await Promise.allSettled(
    nodes.map(async (node) => {
      const response = await fetch(`${node.monitorUrl}/jsz?streams=true&accounts=true`, {
        signal: AbortSignal.timeout(2_000),
      });
      return { node, jsz: (await response.json()) as Jsz };
    }),
  );
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
}
