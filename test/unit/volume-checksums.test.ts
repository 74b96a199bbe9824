import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { EXIT } from "../../src/exit.ts";
import { readFiles } from "../../src/packages/read.ts";
import type { VolumeFile } from "../../src/volume/files.ts";
import { findFile, listVolume } from "../../src/volume/list.ts";
import { rawZip } from "../support/raw-zip.ts";
import { knownSha256, problemOf, problemsOf, scan, scanOne, volume } from "../support/volume.ts";

const NAME = "fusion-collectors-linux-amd64.zip";
const FILE = `controller/${NAME}`;
const ZIP = rawZip([{ name: "fusion-collectors/collector-sidecar", data: "#!" }]);
const SHA256 = createHash("sha256").update(ZIP).digest("hex");
const OTHER = "0".repeat(64);

const UPPER = SHA256.toUpperCase();
const signed = (line: string) =>
  `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${line}\n-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\n`;

/** What each tool writes, with a digest in it; read as a list and as the archive's own. */
const FORMS: [what: string, text: (digest: string) => string | Buffer][] = [
  ["sha256sum", (digest) => `${digest}  ${NAME}\n`],
  ["sha256sum -b", (digest) => `${digest} *${NAME}\n`],
  ["sha256sum --tag", (digest) => `SHA256 (${NAME}) = ${digest}\n`],
  ["sha256sum on Windows", (digest) => `\\${digest} *C:\\\\pkgs\\\\controller\\\\${NAME}\r\n`],
  ["sha256 of BSD", (digest) => `SHA256 (./${NAME}) = ${digest}\n`],
  ["sha256 -r of BSD", (digest) => `${digest} ${NAME}\n`],
  ["openssl 1", (digest) => `SHA256(${NAME})= ${digest}\n`],
  ["openssl 3", (digest) => `SHA2-256(controller/${NAME})= ${digest}\n`],
  ["a name in capitals", (digest) => `${digest}  ${NAME.toUpperCase()}\n`],
  ["a signed list", (digest) => signed(`${digest}  ${NAME}`)],
  [
    "PowerShell 5's >, UTF-16 with a mark",
    (digest) => Buffer.from(`\ufeff${digest}  ${NAME}\r\n`, "utf16le"),
  ],
];

const RIGHT: [what: string, files: Record<string, string | Buffer>][] = [
  ["sha256sum < file", { [`${NAME}.sha256`]: `${SHA256}  -\n` }],
  ["openssl dgst < file", { [`${NAME}.sha256`]: `SHA2-256(stdin)= ${SHA256}\n` }],
  ["comments in GBK", { SHA256SUMS: Buffer.from(`\xd0\xa3\xd1\xe9\n${SHA256}  ${NAME}\n`, "latin1") }],
  ["a text line", { SHA256SUMS: `${SHA256}  ${NAME}\n` }],
  ["a binary line", { SHA256SUMS: `${SHA256} *${NAME}\n` }],
  ["./ before the name, upper case, CRLF", { SHA256SUMS: `${SHA256.toUpperCase()}  ./${NAME}\r\n` }],
  ["other lines beside it", { SHA256SUMS: `# ${NAME}\n\n${OTHER}  other.zip\nnonsense\n${SHA256}  ${NAME}` }],
  ["BSD's form", { SHA256SUMS: `SHA256 (${NAME}) = ${SHA256}\n` }],
  ["a bare digest", { [`${NAME}.sha256`]: SHA256 }],
  ["a digest and a name", { [`${NAME}.sha256`]: `${SHA256}  build/${NAME}\n` }],
  ["both files", { SHA256SUMS: `${SHA256}  ${NAME}\n`, [`${NAME}.sha256`]: `${SHA256}\n` }],
];

const WRONG: [what: string, files: Record<string, string | Buffer>, file: string, reason: RegExp][] = [
  [
    "another digest in SHA256SUMS",
    { SHA256SUMS: `${OTHER}  ${NAME}\n` },
    FILE,
    new RegExp(`^has the SHA-256 ${SHA256}, but controller/SHA256SUMS says ${OTHER}$`),
  ],
  [
    "another digest beside it",
    { [`${NAME}.sha256`]: OTHER },
    FILE,
    /but controller\/.*\.zip\.sha256 says 0+$/,
  ],
  [
    "one right and one wrong",
    { SHA256SUMS: `${SHA256}  ${NAME}\n${OTHER}  ${NAME}\n` },
    FILE,
    /but controller\/SHA256SUMS says 0+$/,
  ],
  [
    "a digest that is too short",
    { SHA256SUMS: `${SHA256.slice(1)}  ${NAME}\n` },
    "controller/SHA256SUMS",
    /not a SHA-256 and a file name/,
  ],
  ["an empty file of its own", { [`${NAME}.sha256`]: "\n" }, `${FILE}.sha256`, /contains no SHA-256$/],
  [
    "words in its own",
    { [`${NAME}.sha256`]: "see below" },
    `${FILE}.sha256`,
    /not a SHA-256 and a file name.*: line 1$/,
  ],
  [
    "another's name in its own",
    { [`${NAME}.sha256`]: `${SHA256}  x.zip` },
    `${FILE}.sha256`,
    /names a file other than/,
  ],
  [
    "a name with other words",
    { SHA256SUMS: `name: ${NAME}, digest: ${SHA256}\n` },
    "controller/SHA256SUMS",
    /not a SHA-256 and a file name/,
  ],
  [
    "nothing that can be read in the list",
    { SHA256SUMS: "# a comment\n\nsee the page\n" },
    "controller/SHA256SUMS",
    /: line 3$/,
  ],
  [
    "a line of more than 4096 bytes",
    { SHA256SUMS: `${SHA256}${" ".repeat(5000)}${NAME}\n` },
    "controller/SHA256SUMS",
    /not a SHA-256 and a file name/,
  ],
  [
    "SHA-512 digests",
    { SHA256SUMS: `${SHA256}${SHA256}  ${NAME}\n` },
    "controller/SHA256SUMS",
    /not a SHA-256 and a file name/,
  ],
  [
    "commas between them",
    { SHA256SUMS: `${NAME},${SHA256}\n` },
    "controller/SHA256SUMS",
    /not a SHA-256 and a file name/,
  ],
  ["no end of lines", { SHA256SUMS: "x\n".repeat(600_000) }, "controller/SHA256SUMS", /too long/],
];

async function withFiles(files: Record<string, string | Buffer>) {
  const below = Object.entries(files).map(([file, text]) => [`controller/${file}`, text]);
  return volume({ [FILE]: ZIP, ...Object.fromEntries(below) });
}

describe("a checksum file as tools and people write it", () => {
  for (const [what, text] of FORMS) {
    for (const file of ["SHA256SUMS", `${NAME}.sha256`]) {
      test(`${what}, in ${file}`, async () => {
        await using right = await withFiles({ [file]: text(UPPER) });
        assert.equal(knownSha256(await scanOne(right.dir)), SHA256);
        await using wrong = await withFiles({ [file]: text(OTHER) });
        const problem = await problemOf(scan(wrong.dir));
        assert.deepEqual([problem.file, problem.id], [FILE, "checksum.mismatch"]);
      });
    }
  }
});

describe("a checksum file that is right", () => {
  for (const [what, files] of RIGHT) {
    test(`with ${what}`, async () => {
      await using on = await withFiles(files);
      assert.equal(knownSha256(await scanOne(on.dir)), SHA256);
    });
  }

  for (const listed of [FILE, `./${FILE}`, `pkgs/${FILE}`, FILE.replaceAll("/", "\\")]) {
    test(`in a folder above, where the list says ${listed}`, async () => {
      await using on = await volume({ [FILE]: ZIP, SHA256SUMS: `${SHA256}  ${listed}\n` });
      assert.equal(knownSha256(await scanOne(on.dir)), SHA256);
      await writeFile(on.path("SHA256SUMS"), `${OTHER}  ${listed}\n`);
      const problem = await problemOf(scan(on.dir));
      assert.deepEqual([problem.file, problem.id], [FILE, "checksum.mismatch"]);
    });
  }

  test("in a folder above, of another folder's file of that name: nothing is hashed", async () => {
    await using on = await volume({ [FILE]: ZIP, SHA256SUMS: `${OTHER}  old/${NAME}\n${OTHER}  ${NAME}\n` });
    assert.equal(knownSha256(await scanOne(on.dir)), undefined);
  });

  test("a list above that names no path is warned of; of a file that was named by its own path nobody's list above is asked", async () => {
    const list = `${SHA256}  ${NAME}\n`;
    await using on = await volume({ [FILE]: ZIP, SHA256SUMS: list });
    const warned = async (files: readonly VolumeFile[]) =>
      (await readFiles(files)).warnings.map(({ file, reason }) => `${file} ${reason}`);
    assert.deepEqual(await warned((await listVolume(on.dir)).files), ["SHA256SUMS checksum.unused"]);
    await writeFile(on.path("controller/SHA256SUMS"), list);
    assert.deepEqual(await warned([await findFile(on.path(FILE), on.dir, {})]), []);
  });

  test("for other archives only: nothing is hashed", async () => {
    await using on = await withFiles({ SHA256SUMS: `${OTHER}  old-${NAME}\n` });
    assert.equal(knownSha256(await scanOne(on.dir)), undefined);
  });

  test("of an archive whose name is GBK", async () => {
    await using on = await volume({});
    const name = Buffer.concat([Buffer.from("fusion-collectors-\xb8\xb1\xb1\xbe.zip", "latin1")]);
    const at = (file: Buffer) => Buffer.concat([Buffer.from(`${on.dir}/`), file]);
    await writeFile(at(name), ZIP);
    await writeFile(at(Buffer.concat([name, Buffer.from(".sha256")])), `${OTHER}\n`);
    const problem = await problemOf(scan(on.dir));
    assert.deepEqual([problem.file, problem.id], ["fusion-collectors-副本.zip", "checksum.mismatch"]);
  });

  test("as a link, as Kubernetes mounts it", async () => {
    await using on = await withFiles({ "..data/sums": `${OTHER}  ${NAME}\n` });
    await symlink("..data/sums", on.path("controller/SHA256SUMS"));
    assert.match((await problemOf(scan(on.dir))).reason, /controller\/SHA256SUMS says 0+$/);
  });
});

describe("a checksum file that is wrong", () => {
  for (const [what, files, file, reason] of WRONG) {
    test(`with ${what}`, async () => {
      await using on = await withFiles(files);
      const problem = await problemOf(scan(on.dir));
      assert.equal(problem.file, file);
      assert.equal(problem.code, EXIT.invalidPackage);
      assert.match(problem.reason, reason);
    });
  }

  test("is one problem, however many archives it is for, and a FIFO does not block", async () => {
    await using on = await withFiles({});
    await writeFile(on.path("controller/fusion-collectors-2.0.0.zip"), ZIP);
    execFileSync("mkfifo", [on.path("controller/SHA256SUMS")]);
    assert.match((await problemOf(scan(on.dir))).reason, /^is not a regular file$/);
  });

  test("does not hide what is wrong with other archives", async () => {
    await using on = await withFiles({ SHA256SUMS: `${OTHER}  ${NAME}\n` });
    await mkdir(on.path("a"));
    await writeFile(on.path("a/fusion-collectors-linux-windows.zip"), ZIP);
    await writeFile(on.path("fusion-collectors-9.9.9.tar.gz"), ZIP);
    await writeFile(on.path("fusion-collectors-good-3.0.0.zip"), ZIP);
    const problems = await problemsOf(scan(on.dir));
    assert.deepEqual(
      problems.map(({ file }) => file),
      ["a/fusion-collectors-linux-windows.zip", FILE, "fusion-collectors-9.9.9.tar.gz"],
    );
  });
});
