import { createHash } from "node:crypto";
import { type Problem, problem } from "../errors.ts";
import { checkSignature, parseSignature, type SigningKey } from "../sshsig.ts";
import { digestsIn, type Expected, LIST } from "./checksums.ts";
import { besideAndAbove, decodeText, type Located, readSmall } from "./files.ts";
import { isSystemFolder } from "./list.ts";

/** Bytes: a collector's folder may have 100,000 files, each with a line of about 130. */
const MAX_LIST = 16 * 1024 * 1024;
/** Bytes; ssh-keygen writes about 300. */
const MAX_SIGNATURE = 4096;

/** The SHA-256 that a signed list has for a file. */
interface SignedDigest extends Expected {
  signer: SigningKey;
}

interface SignedList {
  /** SHA-256 in hex by exact path below the list's folder; several if the list has a path more than once. */
  digests: ReadonlyMap<string, readonly string[]>;
  signer: SigningKey;
}

/**
 * The signed lists of checksums on the volume (VERIFY_KEY_FILE). A file counts only if the nearest SHA256SUMS
 * beside or above it lists it by its exact path, and SHA256SUMS.sig beside that list was made by one of the
 * keys.
 */
export class Signatures {
  readonly #keys: readonly SigningKey[];
  readonly #now: number;
  readonly #lists = new Map<string, SignedList>();

  /** `now`: milliseconds since 1970, for keys that are valid for a time. */
  constructor(keys: readonly SigningKey[], now = Date.now()) {
    this.#keys = keys;
    this.#now = now;
  }

  /** The lists that have been verified so far, with the key that signed each. */
  get verified(): { list: string; signer: SigningKey }[] {
    return [...this.#lists].map(([list, { signer }]) => ({ list, signer }));
  }

  /**
   * Returns the digests that a file must have: one, or several that contradict each other. Throws exit 65.
   */
  async digestsOf(file: Located): Promise<SignedDigest[]> {
    const { list, signed } = await this.#find(file);
    if (list === undefined) throw problem(file.file, "signature.missing", { list });
    if (signed.length === 0) throw problem(file.file, "signature.unlisted", { list });
    return signed;
  }

  /** Checks that a file which is not there was not there when the list was signed. Throws exit 65. */
  async checkAbsent(file: Located): Promise<void> {
    const { list, signed } = await this.#find(file);
    if (list !== undefined && signed.length > 0)
      throw problem(list, "signature.invalid", { why: "absent", file: file.file });
  }

  /**
   * Checks that every file which the list has below a folder is in it: `names` are the paths below the
   * folder. Throws exit 65 that names the first missing one.
   */
  async checkWhole(folder: Located, names: ReadonlySet<string>): Promise<void> {
    const list = await this.#nearest(folder);
    if (!list) return;
    const start = `${list.pathOf(folder)}/`;
    for (const path of list.digests.keys()) {
      const name = path.slice(start.length);
      if (!path.startsWith(start) || names.has(name) || name.split("/").some(isSystemFolder)) continue;
      const file = `${folder.file}/${name}`;
      throw problem(list.file, "signature.invalid", { why: "absent", file });
    }
  }

  async #find(file: Located): Promise<{ list?: string; signed: SignedDigest[] }> {
    const list = await this.#nearest(file);
    if (!list) return { signed: [] };
    const sums = list.digests.get(list.pathOf(file)) ?? [];
    const { signer } = list;
    return { list: list.file, signed: sums.map((sha256) => ({ sha256, from: list.file, signer })) };
  }

  /** Verifies the nearest list beside or above a file; undefined: there is none. */
  async #nearest(
    of: Located,
  ): Promise<(SignedList & { file: string; pathOf(one: Located): string }) | undefined> {
    for (const list of besideAndAbove(of, LIST)) {
      const signed = this.#lists.get(list.file) ?? (await this.#verify(list));
      const pathOf = ({ file }: Located) => file.slice(list.file.length - LIST.length);
      if (signed) return { ...signed, file: list.file, pathOf };
    }
    return undefined;
  }

  /** Checks that the bytes of a small file are the signed ones. Throws exit 65. */
  async check(file: Located, bytes: Buffer): Promise<void> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const wrong = findMismatch(file.file, sha256, await this.digestsOf(file));
    if (wrong) throw problem(wrong.file, wrong.reason, wrong.params);
  }

  /** Reads and verifies a list; undefined: there is none. */
  async #verify(list: Located): Promise<SignedList | undefined> {
    const found = await readSmall(list, MAX_LIST);
    if (found === "missing") return undefined;
    if (found === "irregular") throw problem(list.file, "checksum.irregular", {});
    const { bytes, size } = found;
    if (size > MAX_LIST) throw problem(list.file, "checksum.long", {});
    const signer = await this.#signer(list, bytes);
    const text = decodeText(bytes);
    if (text === undefined) throw problem(list.file, "checksum.encoding", {});
    const verified = { digests: digestsIn(text), signer };
    this.#lists.set(list.file, verified);
    return verified;
  }

  async #signer(list: Located, bytes: Buffer): Promise<SigningKey> {
    const { file } = list;
    const path =
      typeof list.path === "string" ? `${list.path}.sig` : Buffer.concat([list.path, Buffer.from(".sig")]);
    const found = await readSmall({ ...list, file: `${file}.sig`, path }, MAX_SIGNATURE);
    if (typeof found === "string") throw problem(file, "signature.missing", { list: file });
    const signature = found.size > MAX_SIGNATURE ? undefined : parseSignature(found.bytes.toString("latin1"));
    if (!signature) throw problem(`${file}.sig`, "signature.invalid", { why: "form" });
    const verdict = checkSignature(signature, bytes, this.#keys, this.#now);
    if ("signer" in verdict) return verdict.signer;
    const { refused } = verdict;
    if (refused === "changed") throw problem(file, "signature.invalid", { why: refused });
    if (refused === "namespace") {
      throw problem(`${file}.sig`, "signature.invalid", { why: refused, namespace: verdict.namespace });
    }
    throw problem(file, "signature.key", { why: refused, fingerprint: verdict.fingerprint });
  }
}

/** Returns the problem of a file whose SHA-256 is not the one that is signed; undefined if it is. */
export function findMismatch(
  file: string,
  sha256: string,
  signed: readonly Expected[],
): Problem<"checksum.mismatch"> | undefined {
  const other = signed.find((one) => one.sha256 !== sha256);
  if (!other) return undefined;
  return { file, reason: "checksum.mismatch", params: { sha256, from: other.from, expected: other.sha256 } };
}
