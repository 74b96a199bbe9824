import { nkeys } from "nats";

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** A server's configuration in operator mode, and what its users log in with. */
export interface Operator {
  /** For startNats' `config`. */
  config: Record<string, unknown>;
  /** A .creds file for a new user of the account that the server knows. */
  creds(): string;
  /** The same for an account that it does not know. */
  foreignCreds(): string;
}

/**
 * Operator, system account and one account with JetStream, as `nsc` would make them (NATS' JWT claims,
 * version 2).
 */
export function createOperator(): Operator {
  const operator = nkeys.createOperator();
  const system = nkeys.createAccount();
  const account = nkeys.createAccount();
  const limits = {
    ...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
    ...{ mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 },
  };
  const accountToken = (pair: KeyPair, name: string, nats: object) =>
    token(operator, pair, name, { ...nats, type: "account", version: 2 });
  const storeless = { ...limits, mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 };
  return {
    config: {
      operator: token(operator, operator, "operator", {
        type: "operator",
        version: 2,
        system_account: system.getPublicKey(),
      }),
      resolver: "MEMORY",
      system_account: system.getPublicKey(),
      resolver_preload: {
        [system.getPublicKey()]: accountToken(system, "SYS", { limits: storeless }),
        [account.getPublicKey()]: accountToken(account, "APP", { limits }),
      },
    },
    creds: () => userCreds(account),
    foreignCreds: () => userCreds(nkeys.createAccount()),
  };
}

function userCreds(account: KeyPair): string {
  const user = nkeys.createUser();
  const nats = { pub: {}, sub: {}, subs: -1, data: -1, payload: -1, type: "user", version: 2 };
  const seed = new TextDecoder().decode(user.getSeed());
  return [
    "-----BEGIN NATS USER JWT-----",
    token(account, user, "job", nats),
    "------END NATS USER JWT------",
    "",
    "-----BEGIN USER NKEY SEED-----",
    seed,
    "------END USER NKEY SEED------",
    "",
  ].join("\n");
}

function token(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000) - 60,
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name,
    nats,
  };
  const body = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(claims)}`;
  return `${body}.${Buffer.from(issuer.sign(Buffer.from(body))).toString("base64url")}`;
}

/** A new user's keys: the seed for the client, the public key for the server's configuration. */
export function createNkey(): { seed: string; publicKey: string } {
  const user = nkeys.createUser();
  return { seed: new TextDecoder().decode(user.getSeed()), publicKey: user.getPublicKey() };
}
