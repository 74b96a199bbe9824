import { X509Certificate } from "node:crypto";
import type { Config } from "../config/job-settings.ts";
import type { Log } from "../output/log.ts";
import type { Package } from "../packages/package.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Warns of controllers whose nodes could not connect: the archive's CA (`certs/ca.crt`) is not a certificate,
 * or did not sign the certificate of this NATS server. Checked only with NATS_TLS_CA_FILE, which says that
 * the installation has its own CA.
 */
export function checkTrust(
  packages: readonly Package[],
  chain: readonly X509Certificate[],
  { nats }: Pick<Config, "nats">,
  log: Log,
): void {
  if (!nats.tls.ca || chain.length === 0) return;
  for (const { type, archive } of packages) {
    if (type !== "controller" || archive.kind !== "controller" || !archive.ca) continue;
    const { file, ca } = archive;
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

/** Whether a certificate is in the chain, or signed one of the certificates in it. */
function signed(ca: X509Certificate, chain: readonly X509Certificate[]): boolean {
  return chain.some(
    (one) => one.fingerprint256 === ca.fingerprint256 || (one.checkIssued(ca) && one.verify(ca.publicKey)),
  );
}
