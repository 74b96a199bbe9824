import { generateKeyPairSync, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import rs from "jsrsasign";

/** PEM texts. */
export interface KeyAndCert {
  key: string;
  cert: string;
}

export interface IssueOptions {
  /** Common name; for a client of Postgres, the role. */
  cn: string;
  /** Names and addresses that a server's certificate is good for. */
  sans?: readonly string[];
  use?: "server" | "client";
  /** Its last day was yesterday. */
  expired?: boolean;
}

export interface CertificateAuthority {
  /** PEM: what clients and servers are told to trust. */
  cert: string;
  issue(options: IssueOptions): KeyAndCert;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** A certificate authority of the test's own. Two of the same name are still two: each has its own key. */
export function createCa(cn = "Test CA"): CertificateAuthority {
  const keys = newKeys();
  const self = { issuer: cn, issuerKey: keys.key };
  const cert = certificate(cn, keys.publicKey, self, { days: [-1, 30] }, [
    { extname: "basicConstraints", cA: true, critical: true },
    { extname: "keyUsage", names: ["keyCertSign", "cRLSign"], critical: true },
  ]);
  return {
    cert,
    issue({ cn: subject, sans = [], use = "server", expired = false }) {
      const own = newKeys();
      const days: [number, number] = expired ? [-30, -1] : [-1, 30];
      const text = certificate(subject, own.publicKey, self, { days }, [
        { extname: "basicConstraints", cA: false },
        { extname: "keyUsage", names: ["digitalSignature"], critical: true },
        { extname: "extKeyUsage", array: [use === "server" ? "serverAuth" : "clientAuth"] },
        ...(sans.length > 0 ? [{ extname: "subjectAltName", array: sans.map(altName) }] : []),
      ]);
      return { key: own.key, cert: text };
    },
  };
}

/** What BK-Lite's own NATS certificate names (BK-Lite fact), under a CA of its own. */
export function natsCertificates(): { ca: CertificateAuthority; server: KeyAndCert } {
  const ca = createCa("BK-Lite test CA");
  return { ca, server: ca.issue({ cn: "nats", sans: ["nats", "localhost", "127.0.0.1"] }) };
}

function newKeys(): { key: string; publicKey: string } {
  const pair = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  return { key: pair.privateKey, publicKey: pair.publicKey };
}

function altName(name: string): Record<string, string> {
  return isIP(name) ? { ip: name } : { dns: name };
}

function certificate(
  subject: string,
  publicKey: string,
  { issuer, issuerKey }: { issuer: string; issuerKey: string },
  { days: [from, until] }: { days: [number, number] },
  extensions: { extname: string; [field: string]: unknown }[],
): string {
  return new rs.KJUR.asn1.x509.Certificate({
    version: 3,
    // A leading 4 keeps the number positive and its length fixed.
    serial: { hex: `4${randomBytes(8).toString("hex").slice(1)}` },
    issuer: { str: `/CN=${issuer}` },
    notbefore: utcTime(from),
    notafter: utcTime(until),
    subject: { str: `/CN=${subject}` },
    sbjpubkey: publicKey,
    ext: extensions,
    sigalg: "SHA256withECDSA",
    cakey: issuerKey,
  }).getPEM();
}

/** YYMMDDHHMMSSZ, so many days from now. */
function utcTime(days: number): string {
  const digits = new Date(Date.now() + days * DAY_MS).toISOString().replace(/\D/g, "");
  return `${digits.slice(2, 14)}Z`;
}
