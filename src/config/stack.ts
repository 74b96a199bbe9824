import type { Environment } from "./env.ts";

/**
 * What BK-Lite's Compose stack calls its logins in its .env. Compose 1.29 cannot say "DB_PASSWORD, or else
 * POSTGRES_PASSWORD", so compose.init.yml hands on both names and the choice is made here.
 */
export const STACK_NAMES = {
  DB_PASSWORD: "POSTGRES_PASSWORD",
  NATS_USER: "NATS_ADMIN_USERNAME",
  NATS_PASSWORD: "NATS_ADMIN_PASSWORD",
} as const;

const POSTGRES_LOGIN = ["DB_PASSWORD", "DB_PASSWORD_FILE"];
const NATS_LOGIN = ["NATS_USER", "NATS_PASSWORD", "NATS_PASSWORD_FILE", "NATS_TOKEN", "NATS_TOKEN_FILE"];
const NATS_KEY = ["NATS_CREDS_FILE", "NATS_NKEY_SEED_FILE"];

/** The environment with the stack's logins under the server's names, for each server that no other login is given for. */
export function withStackNames(environment: Environment): Environment {
  const given = (names: readonly string[]) => names.some((name) => environment[name]);
  return {
    ...environment,
    ...(!given(POSTGRES_LOGIN) && { DB_PASSWORD: environment[STACK_NAMES.DB_PASSWORD] }),
    ...(!given([...NATS_LOGIN, ...NATS_KEY]) && {
      NATS_USER: environment[STACK_NAMES.NATS_USER],
      NATS_PASSWORD: environment[STACK_NAMES.NATS_PASSWORD],
    }),
  };
}
