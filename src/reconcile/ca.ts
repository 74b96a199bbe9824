import { X509Certificate } from "node:crypto";
import type { Config } from "../config/settings.ts";
import type { Log } from "../output/log.ts";
import type { Package } from "../packages/package.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Warns of controllers whose nodes could not connect: the CA in an archive (`certs/ca.crt`) is none, or did not sign the certificate that
 * this NATS server shows. Asked only where NATS_TLS_CA_FILE says that there is a CA of one's own.
 */
export function checkTrust(
  packages: readonly Package[],
  chain: readonly X509Certificate[],
  { nats }: Pick<Config, "nats">,
  log: Log,
): void {
  if (!nats.tls.ca || chain.length === 0) return;
  for (const { type, archive } of packages) {
    const { file, ca } = archive;
    if (type !== "controller" || !ca) continue;
    const found = certificatesIn(ca);
    const [first] = found;
    if (!first) log.warn("plan.warning", "archive.ca.invalid", {}, { file });
    else if (!found.some((one) => signed(one, chain))) {
      const subject = first.subject?.replaceAll("\n", ", ") ?? "";
      log.warn("plan.warning", "archive.ca.other", { subject }, { file });
    }
  }
}

function certificatesIn(pem: Buffer): X509Certificate[] {
  return [...pem.toString("latin1").matchAll(CERTIFICATE)].flatMap(([text]) => {
    try {
      return [new X509Certificate(text)];
    } catch {
      return [];
    }
  });
}

/** Whether it is one of the chain, or what one of the chain was signed with. */
function signed(ca: X509Certificate, chain: readonly X509Certificate[]): boolean {
  return chain.some(
    (one) => one.fingerprint256 === ca.fingerprint256 || (one.checkIssued(ca) && one.verify(ca.publicKey)),
  );
}
