import { createHash } from "node:crypto";
import { type Problem, type ProblemError, problem } from "../errors.ts";
import { checkSignature, parseSignature, type SigningKey } from "../sshsig.ts";
import { type Expected, LIST, parseList, readList } from "./checksums.ts";
import { besideAndAbove, type Located, readSmall, withEnding } from "./files.ts";
import { isSystemFolder } from "./list.ts";

/** Bytes: a collector's folder may have 100,000 files, with lines of some 130. */
const MAX_LIST = 16 * 1024 * 1024;
/** Bytes; ssh-keygen writes about 300. */
const MAX_SIGNATURE = 4096;

interface SignedList {
  file: string;
  /** SHA-256 in hex by exact path below the list's folder; several if the list has a path more than once. */
  digests: ReadonlyMap<string, readonly string[]>;
  /** undefined: the list has no signature. */
  signer: SigningKey | undefined;
}

/**
 * The signed lists of checksums on the volume (VERIFY_KEY_FILE). A file counts only if the nearest SHA256SUMS
 * beside or above it lists it by its exact path, and SHA256SUMS.sig beside that list was made by one of the
 * keys.
 */
export class Signatures {
  readonly #keys: readonly SigningKey[];
  readonly #now: number;
  readonly #lists = new Map<string, SignedList & { signer: SigningKey }>();

  /** `now`: milliseconds since 1970, for keys that are valid for a time. */
  constructor(keys: readonly SigningKey[], now = Date.now()) {
    this.#keys = keys;
    this.#now = now;
  }

  /** The lists that have been verified so far, with the key that signed each. */
  get verified(): { list: string; signer: SigningKey }[] {
    return [...this.#lists].map(([list, { signer }]) => ({ list, signer }));
  }

  /** Returns the digests that a file must have; several contradict each other. Throws exit 65. */
  async digestsOf(file: Located): Promise<(Expected & { signer: SigningKey })[]> {
    const list = await this.#nearest(file);
    const { signer, file: from } = list ?? {};
    if (!list || !signer) throw problem(from ?? file.file, "signature.missing", { list: from });
    const signed = list.digests.get(pathBeside(list, file)) ?? [];
    if (signed.length === 0) throw problem(file.file, "signature.unlisted", { list: list.file });
    return signed.map((sha256) => ({ sha256, from: list.file, signer }));
  }

  /** Checks that a file which is not there was not there when the list was signed. Throws exit 65. */
  async checkAbsent(file: Located): Promise<void> {
    const list = await this.#nearest(file);
    if (list?.signer && list.digests.has(pathBeside(list, file))) throw absent(list, file.file);
  }

  /** Checks that `names` are all that the list has below a folder. Throws exit 65 for a missing one. */
  async checkWhole(folder: Located, names: ReadonlySet<string>): Promise<void> {
    const list = await this.#nearest(folder);
    if (!list?.signer) return;
    const start = `${pathBeside(list, folder)}/`;
    for (const path of list.digests.keys()) {
      const name = path.slice(start.length);
      if (!path.startsWith(start) || names.has(name) || name.split("/").some(isSystemFolder)) continue;
      throw absent(list, `${folder.file}/${name}`);
    }
  }

  /** Verifies the nearest list beside or above a file; undefined: there is none. */
  async #nearest(of: Located): Promise<SignedList | undefined> {
    for (const list of besideAndAbove(of, LIST)) {
      const found = this.#lists.get(list.file) ?? (await this.#verify(list));
      if (found) return found;
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
    const { file } = list;
    const bytes = await readList(list, MAX_LIST);
    if (!bytes) return undefined;
    const signer = await this.#signer(list, bytes);
    if (!signer) return { file, digests: new Map(), signer };
    const digests = new Map<string, string[]>();
    for (const { says } of parseList(list, bytes)) {
      // `./`, as find and sha256sum write it
      const path = says?.name?.replace(/^\.\//, "");
      if (says && path !== undefined) digests.set(path, [...(digests.get(path) ?? []), says.sha256]);
    }
    const verified = { file, digests, signer };
    this.#lists.set(file, verified);
    return verified;
  }

  /** Returns the key that signed a list; undefined: it has no signature. Throws exit 65 for a wrong one. */
  async #signer(list: Located, bytes: Buffer): Promise<SigningKey | undefined> {
    const { file } = list;
    const found = await readSmall(withEnding(list, ".sig"), MAX_SIGNATURE);
    if (typeof found === "string") return undefined;
    const signature = found.size > MAX_SIGNATURE ? undefined : parseSignature(found.bytes.toString("latin1"));
    if (!signature) throw problem(`${file}.sig`, "signature.invalid", { why: "form" });
    const verdict = checkSignature(signature, bytes, this.#keys, this.#now);
    if ("signer" in verdict) return verdict.signer;
    const { refused } = verdict;
    if (refused === "changed") throw problem(file, "signature.invalid", { why: refused });
    if (refused === "namespace")
      throw problem(`${file}.sig`, "signature.invalid", { why: refused, namespace: verdict.namespace });
    throw problem(file, "signature.key", { why: refused, fingerprint: verdict.fingerprint });
  }
}

/** Returns a path as a list has it, of a file or folder beside or below the list. */
function pathBeside(list: SignedList, { file }: Located): string {
  return file.slice(list.file.length - LIST.length);
}

function absent(list: SignedList, file: string): ProblemError {
  return problem(list.file, "signature.invalid", { why: "absent", file });
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
