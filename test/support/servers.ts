import type { Login } from "./database.ts";
import { type NatsAccess, startNats } from "./nats.ts";
import { type PostgresAccess, postgresAt, startPostgres } from "./postgres.ts";

/** Carries the addresses to the test files, each of which is a process of its own. */
const VARIABLE = "BKLITE_TEST_SERVERS";

interface Addresses {
  postgres: Login;
  nats: NatsAccess;
}

let stop: (() => Promise<unknown>) | undefined;

/** Starts one Postgres and one nats-server for all test files of a run: node's `--test-global-setup`. */
export async function globalSetup(): Promise<void> {
  const [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  stop = () => Promise.allSettled([postgres.stop(), nats.stop()]);
  const { host, port, user, password } = postgres;
  const addresses: Addresses = { postgres: { host, port, user, password }, nats };
  process.env[VARIABLE] = JSON.stringify(addresses);
}

export async function globalTeardown(): Promise<void> {
  await stop?.();
}

/** The servers that this run's files share; undefined if a file runs by itself. */
export function sharedServers(): { postgres: PostgresAccess; nats: NatsAccess } | undefined {
  const text = process.env[VARIABLE];
  if (!text) return undefined;
  const { postgres, nats } = JSON.parse(text) as Addresses;
  return { postgres: postgresAt(postgres), nats };
}
