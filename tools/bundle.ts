/**
 * npm run bundle -- --packages DIR --image TAG --out FILE.tar.gz
 * Packs what a host without network needs: the image, the archives, compose.init.yml, k8s/ and load.sh, with checksums.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parseArgs, promisify } from "node:util";
import { createGzip } from "node:zlib";
import { type Pack, pack } from "tar-stream";

const USAGE = "usage: npm run bundle -- --packages DIR --image TAG --out FILE.tar.gz";
/** The folder that everything unpacks into. */
const TOP = "bklite-package-init";
const ARCHIVE = /^fusion-collectors.*\.(zip|tar\.gz|tgz)$/;
const root = dirname(import.meta.dirname);
const run = promisify(execFile);

/** Something that whoever runs this can put right; anything else is a bug and shows its stack. */
class BundleError extends Error {}

interface Options {
  packages: string;
  image: string;
  out: string;
}

/** A file on its way into the bundle: `name` is below its folder, with `/`. */
interface Item {
  name: string;
  from: { path: string } | { text: string };
  mode?: number;
}

function readOptions(args: string[]): Options {
  const text = { type: "string" } as const;
  try {
    const { packages, image, out } = parseArgs({
      args,
      options: { packages: text, image: text, out: text },
    }).values;
    if (packages && image && out) return { packages: resolve(packages), image, out: resolve(out) };
  } catch (error) {
    throw new BundleError(`${(error as Error).message}\n${USAGE}`);
  }
  throw new BundleError(`--packages, --image and --out are all needed\n${USAGE}`);
}

/** Regular files below a folder, in a fixed order. Hidden and half-copied ones stay out: the job ignores them too. */
async function listFiles(folder: string, prefix: string): Promise<Item[]> {
  const entries = await readdir(folder, { recursive: true }).catch((error: Error) => {
    throw new BundleError(`${folder} cannot be read: ${error.message}`);
  });
  const items: Item[] = [];
  for (const entry of entries.sort()) {
    const parts = entry.split(sep);
    if (parts.some((part) => part.startsWith(".")) || /\.(part|tmp)$/.test(entry)) continue;
    const path = join(folder, entry);
    if (!(await stat(path)).isFile()) continue;
    if (/[\n\r\\]/.test(entry)) throw new BundleError(`${path}: backslash or line break in its name`);
    items.push({ name: [prefix, ...parts].join("/"), from: { path } });
  }
  return items;
}

async function collect({ packages, image }: Options, imageTar: string): Promise<Item[]> {
  const archives = await listFiles(packages, "packages");
  if (!archives.some(({ name }) => ARCHIVE.test(basename(name)))) {
    throw new BundleError(`${packages} holds no fusion-collectors archive (.zip, .tar.gz, .tgz)`);
  }
  return [
    { name: "load.sh", from: { path: join(import.meta.dirname, "load.sh") }, mode: 0o755 },
    { name: "compose.init.yml", from: { path: join(root, "compose.init.yml") } },
    ...(await listFiles(join(root, "k8s"), "k8s")),
    { name: "image.txt", from: { text: `${image}\n` } },
    { name: "image.tar", from: { path: imageTar } },
    ...archives,
  ];
}

async function saveImage(image: string, path: string): Promise<void> {
  const fail = (hint: string) => (error: Error & { stderr?: string }) => {
    throw new BundleError(`${(error.stderr || error.message).trim()}\n${hint}`);
  };
  await run("docker", ["image", "inspect", image]).catch(
    fail(`is Docker running? build the image with: docker build -t ${image} .`),
  );
  await run("docker", ["save", "-o", path, image]).catch(fail("docker save failed"));
}

/** Streams the items into the tar, and last their checksums, which are known only then. */
async function fill(tar: Pack, items: readonly Item[]): Promise<void> {
  const sums: string[] = [];
  for (const { name, from, mode = 0o644 } of items) {
    const hash = createHash("sha256");
    const { size, mtime } =
      "path" in from ? await stat(from.path) : { size: Buffer.byteLength(from.text), mtime: new Date() };
    const source = "path" in from ? createReadStream(from.path) : Readable.from([Buffer.from(from.text)]);
    const hashed = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(source, hashed, tar.entry({ name: `${TOP}/${name}`, size, mtime, mode }));
    sums.push(`${hash.digest("hex")}  ${name}\n`);
  }
  tar.entry({ name: `${TOP}/SHA256SUMS`, mode: 0o644 }, sums.join(""));
  tar.finalize();
}

async function bundle(options: Options): Promise<void> {
  // Beside the result: the same disk has to hold all of it anyway, and the finished file is renamed into place.
  const work = await mkdtemp(join(dirname(options.out), ".bundle-")).catch((error: Error) => {
    throw new BundleError(`--out: ${error.message}`);
  });
  try {
    const imageTar = join(work, "image.tar");
    const items = await collect(options, imageTar);
    await saveImage(options.image, imageTar);
    const tar = pack();
    const result = join(work, "bundle.tar.gz");
    await Promise.all([fill(tar, items), pipeline(tar, createGzip(), createWriteStream(result))]);
    await rename(result, options.out);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const { size } = await stat(options.out);
  const [megabytes, name] = [(size / 1e6).toFixed(1), basename(options.out)];
  console.log(`${options.out}: ${megabytes} MB. On the other host: tar xzf ${name} && sh ${TOP}/load.sh`);
}

// 1 until the proven end: a promise that never settles must not look like success.
process.exitCode = 1;
try {
  await bundle(readOptions(process.argv.slice(2)));
  process.exitCode = 0;
} catch (error) {
  console.error(error instanceof BundleError ? `bundle: ${error.message}` : error);
}
