import pg from "pg";

/** One database of a test's Postgres, with the superuser's login. */
export interface Db {
  name: string;
  host: string;
  port: number;
  user: string;
  password: string;
  /** postgres:// with user and password. */
  url: string;
  /** Runs one statement on a connection of its own, so that a killed server leaves no broken pool behind. */
  query<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** Where a server listens, and whose login is used. */
export type Login = Pick<Db, "host" | "port" | "user" | "password">;

/** A client for `name`, connected; the caller ends it. */
export async function connect(login: Login, name: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: login.host,
    port: login.port,
    user: login.user,
    password: login.password,
    database: name,
    connectionTimeoutMillis: 60_000,
  });
  // A server that is killed in mid-test must fail the query, not the process.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** The database `name` as `login` sees it. Nothing is opened until it is asked something. */
export function database(login: Login, name: string): Db {
  const { host, port, user, password } = login;
  return {
    name,
    host,
    port,
    user,
    password,
    url: `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${name}`,
    async query<Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
      const client = await connect(login, name);
      try {
        // Without values: the simple protocol, which takes several statements at once and answers each.
        const result: pg.QueryResult | pg.QueryResult[] =
          values.length > 0 ? await client.query(sql, [...values]) : await client.query(sql);
        const last = Array.isArray(result) ? result.at(-1) : result;
        return (last?.rows ?? []) as Row[];
      } finally {
        await client.end();
      }
    },
  };
}

/** Runs SQL, one statement or several. */
export async function exec(db: Db, sql: string): Promise<void> {
  await db.query(sql);
}
