import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode, type NatsConnection, NatsError } from "nats";
import { Reader } from "../../src/config/env.ts";
import { readConfig } from "../../src/config/job-settings.ts";
import { JobError } from "../../src/errors.ts";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { endpointOf, tlsFailure } from "../../src/readiness/endpoint.ts";
import { loginFailure as natsLoginFailure } from "../../src/readiness/nats-probe.ts";
import { firstResponseFailure, loginFailure } from "../../src/readiness/postgres-probe.ts";
import { JS, storeError } from "../../src/store/store-errors.ts";

/** Errors as the libraries have them, of servers that a test cannot bring to say so at will. */
const coded = (code: string, message = "said") => Object.assign(new Error(message), { code });
const { db } = readConfig(new Reader({ DB_HOST: "postgres", DB_SSLMODE: "require", NATS_SERVERS: "nats" }));
const [postgres, nats] = [
  endpointOf("postgres", { host: "h", port: 1 }),
  endpointOf("nats", { host: "h", port: 1 }),
];

describe("a login to Postgres that failed is", () => {
  const LOGINS: [id: ReasonId, error: Error][] = [
    ["postgres.login.starting", coded("57P03")],
    ["postgres.login.connections", coded("53300")],
    ["postgres.login.refused", coded("28000")],
    ["postgres.login.password", coded("28P01")],
    ["postgres.login.failed", coded("XX000")],
    ["postgres.database.denied", coded("42501")],
    ["postgres.database.missing", coded("3D000")],
    ["postgres.pooler.parameter", coded("08P01", "unsupported startup parameter: options")],
    ["postgres.tls.rejected", coded("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE")],
    ["postgres.tls.handshake", coded("ERR_SSL_WRONG_VERSION_NUMBER")],
  ];
  for (const [id, error] of LOGINS)
    test(id, () => assert.equal(loginFailure(postgres, db, error).reason, id));

  test("postgres.login.protocol", () => {
    const id: ReasonId = "postgres.login.protocol";
    const answer = Buffer.from("HTTP/1.1 400 Bad Request\r\n");
    assert.equal(firstResponseFailure(postgres, answer, { user: "u", password: "p" })?.reason, id);
  });
});

describe("a login to NATS that failed is", () => {
  const LOGINS: [id: ReasonId, error: Error][] = [
    ["nats.login.refused", new NatsError("no", ErrorCode.AuthorizationViolation)],
    ["nats.login.credentials", new NatsError("no", ErrorCode.BadCreds)],
    ["nats.login.connections", new Error("maximum connections exceeded")],
    ["nats.login.failed", new Error("unknown protocol operation")],
  ];
  for (const [id, error] of LOGINS) test(id, () => assert.equal(natsLoginFailure(nats, error).reason, id));

  test("nats.tls.handshake", () => {
    const id: ReasonId = "nats.tls.handshake";
    assert.equal(tlsFailure(nats, coded("ERR_SSL_WRONG_VERSION_NUMBER"))?.reason, id);
  });
});

/** What JetStream answered. */
function answered(err_code: number): NatsError {
  const error = new NatsError("said", ErrorCode.JetStream404NoMessages);
  error.api_error = { code: 503, err_code, description: "said" };
  return error;
}

function violation(permissionContext?: { operation: string; subject: string }): NatsError {
  const error = new NatsError("Permissions Violation", ErrorCode.PermissionsViolation);
  return Object.assign(error, permissionContext && { permissionContext });
}

describe("what JetStream says is", () => {
  const SAID: [id: ReasonId, error: NatsError, isClosed?: boolean][] = [
    ["store.full", answered(JS.storageExceeded)],
    ["store.jetstream.off", answered(JS.notEnabled)],
    ["nats.bucket.sealed", answered(JS.sealed)],
    ["store.silent", answered(JS.temporarilyUnavailable)],
    ["store.unexpected", answered(10_000)],
    ["store.lost", new NatsError("closed", ErrorCode.ConnectionClosed), true],
    ["store.denied", violation({ operation: "publish", subject: "$O.bklite.C.x" })],
    ["store.refused", violation()],
  ];
  for (const [id, error, isClosed = false] of SAID) {
    test(id, () => {
      const connection = { isClosed: () => isClosed, getServer: () => "h:1" } as unknown as NatsConnection;
      const meant = storeError(error, "bklite", connection);
      assert.ok(meant instanceof JobError);
      assert.equal(meant.reason, id);
    });
  }
});
