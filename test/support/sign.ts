import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A key pair for signatures, and its line in a key file. */
export interface SigningPair {
  privateKey: KeyObject;
  /** 32 bytes. */
  publicKey: Buffer;
  line: string;
}

/** Makes an Ed25519 key. */
export function signingKey(comment = "release@example.com"): SigningPair {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  return { privateKey, publicKey: raw, line: `ssh-ed25519 ${keyBlob(raw).toString("base64")} ${comment}\n` };
}

/** Signs a text as `ssh-keygen -Y sign` does (OpenSSH's PROTOCOL.sshsig). */
export function sshSignature(
  message: Buffer,
  { privateKey, publicKey }: SigningPair,
  { namespace = "bklite-package", hash = "sha512" } = {},
): string {
  const digest = createHash(hash).update(message).digest();
  const signed = Buffer.concat([
    Buffer.from("SSHSIG"),
    field(namespace),
    field(""),
    field(hash),
    field(digest),
  ]);
  const signature = Buffer.concat([field("ssh-ed25519"), field(sign(null, signed, privateKey))]);
  const version = Buffer.from([0, 0, 0, 1]);
  const parts = [field(keyBlob(publicKey)), field(namespace), field(""), field(hash), field(signature)];
  const blob = Buffer.concat([Buffer.from("SSHSIG"), version, ...parts]).toString("base64");
  const lines = (blob.match(/.{1,70}/g) ?? []).join("\n");
  return `-----BEGIN SSH SIGNATURE-----\n${lines}\n-----END SSH SIGNATURE-----\n`;
}

/** Writes SHA256SUMS of everything below a folder, and its signature, as docs/signing.md does. */
export function signFolder(dir: string, key: SigningPair): void {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && !one.name.startsWith("SHA256SUMS"))
    .map((one) => join(one.parentPath, one.name));
  const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
  const list = files.map((path) => `${digest(path)}  ./${path.slice(dir.length + 1)}\n`).join("");
  writeFileSync(join(dir, "SHA256SUMS"), list);
  writeFileSync(join(dir, "SHA256SUMS.sig"), sshSignature(Buffer.from(list), key));
}

function keyBlob(publicKey: Buffer): Buffer {
  return Buffer.concat([field("ssh-ed25519"), field(publicKey)]);
}

function field(bytes: Buffer | string): Buffer {
  const content = Buffer.from(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}
