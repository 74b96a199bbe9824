import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { EXIT } from "../../src/exit.ts";
import type { JobResult } from "../support/run.ts";
import { explain } from "../support/site.ts";

type Env = Readonly<Record<string, string>>;

const CODES: readonly number[] = Object.values(EXIT);
/** Where secrets stand, and those that hold them in a file. */
const SECRET = ["DB_PASSWORD", "NATS_PASSWORD", "NATS_TOKEN", "DATABASE_URL", "NATS_SERVERS"];
const SECRET_FILES = ["NATS_CREDS_FILE", "NATS_NKEY_SEED_FILE", "NATS_TLS_KEY_FILE", "DB_SSL_KEY_FILE"];

/**
 * What holds of every end of the job that it chose itself, whatever happened: a code of the contract and
 * never the one for a bug, no unhandled rejection and no warning of Node's, the report says what the exit
 * says, and no secret in any output.
 */
export function assertInvariants(result: JobResult, env: Env = {}): void {
  assert.ok(result.code !== null, `ended by ${result.signal} and not by itself\n${explain(result)}`);
  assert.ok(CODES.includes(result.code) && result.code !== EXIT.internal, explain(result));
  assert.doesNotMatch(result.stderr, /unhandled|at process\.|node:internal|\(node:\d+\)/i, explain(result));
  if (result.report) {
    assert.equal(result.report.exitCode, result.code, explain(result));
    assert.equal(result.report.outcome, result.code === 0 ? "ok" : "failed");
    if (result.code !== 0) assert.ok((result.report.error?.hint ?? "").length > 10, explain(result));
  }
  const last = result.events.at(-1)?.event;
  if (last !== undefined) assert.equal(last, result.code === 0 ? "run.done" : "run.failed", explain(result));
  assertNoSecrets(result, secretsOf(env));
}

/** All that a run says, in one text. */
export function everything({ stdout, stderr, report }: JobResult): string {
  return `${stdout}\n${stderr}\n${JSON.stringify(report ?? null)}`;
}

export function assertNoSecrets(result: JobResult, secrets: readonly string[]): void {
  const text = everything(result);
  for (const secret of secrets) {
    for (const form of new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])) {
      const at = text.indexOf(form);
      assert.equal(at, -1, `a secret is in the output: ...${text.slice(Math.max(0, at - 200), at + 200)}...`);
    }
  }
}

/** The secrets that an environment gives, as the test that gave them knows them. */
export function secretsOf(env: Env): string[] {
  const secrets: string[] = [];
  for (const name of SECRET) {
    const file = env[`${name}_FILE`];
    const value = env[name] ?? (file === undefined ? "" : readFileSync(file, "utf8").trim());
    if (!value.includes("@")) secrets.push(value.includes("://") || name === "NATS_SERVERS" ? "" : value);
    else {
      for (const part of value.split(",")) {
        const [, user = "", password] = /^(?:\w+:\/\/)?([^:@]*)(?::(.*))?@[^@]*$/.exec(part.trim()) ?? [];
        secrets.push(decode(password ?? user));
      }
    }
  }
  for (const name of SECRET_FILES) {
    const path = env[name];
    if (path === undefined) continue;
    const lines = readFileSync(path, "utf8").split(/\r?\n/);
    secrets.push(
      ...lines.filter((line) => line.length >= 16 && !line.includes("---") && !line.includes(" ")),
    );
  }
  return secrets.filter((secret) => secret !== "");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a test of what cannot be read
  }
}
