import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createCa, natsCertificates } from "../support/certs.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { useServers } from "../support/site.ts";

const servers = useServers();
const { ca, server } = natsCertificates();
let secure: NatsServer;

before(async () => {
  secure = await startNats({ tls: server, allowNonTls: true });
});
after(() => secure?.stop());

const CASES: [name: string, content: string, reason: string | undefined][] = [
  ["the CA that signed NATS' certificate", ca.cert, undefined],
  ["two CAs, one of them the right one", createCa("old").cert + ca.cert, undefined],
  ["another CA of the same name", createCa("BK-Lite test CA").cert, "archive.ca.other"],
  ["no certificate", "to be replaced\n", "archive.ca.invalid"],
];

for (const format of ["zip", "tar.gz"] as const) {
  for (const [name, content, reason] of CASES) {
    test(`${format} with ${name} in certs/ca.crt: ${reason ?? "nothing is said"}`, async () => {
      const site = await servers.site({ state: "C" });
      const entries = [{ name: "certs/ca.crt", content }];
      await site.archive(`fusion-collectors-linux-amd64.${format}`, { format, entries });
      const caFile = join(site.volume, ".ca.crt");
      await writeFile(caFile, ca.cert);
      const env = { NATS_SERVERS: `tls://127.0.0.1:${secure.port}`, NATS_TLS_CA_FILE: caFile };
      const run = await site.ok(["plan"], env);
      const said = run.report?.warnings.filter((warning) => warning.reason.startsWith("archive.ca."));
      assert.deepEqual(
        said?.map((warning) => warning.reason),
        reason ? [reason] : [],
      );
      const { NATS_TLS_CA_FILE: _, ...without } = env;
      const open = await site.ok(["plan"], { ...without, NATS_TLS_INSECURE: "true" });
      assert.ok(!open.report?.warnings.some((warning) => warning.reason.startsWith("archive.ca.")));
    });
  }
}
