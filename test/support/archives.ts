import { createCipheriv, createHash } from "node:crypto";
import { createWriteStream, utimesSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import { ZipFile } from "yazl";
import type { Arch, Os } from "../../src/identity.ts";
import { binaryHeader } from "./binaries.ts";

/**
 * Dates a file back by an hour: one that is cut short and younger than a minute is taken for one that is
 * still being written.
 */
export function age(path: string): void {
  const then = Date.now() / 1000 - 3600;
  utimesSync(path, then, then);
}

export interface ArchiveEntry {
  /** Below the top folder, with `/`; one that ends in `/` is a folder. */
  name: string;
  content: string | Buffer;
  mode?: number;
}

export interface ArchiveOptions {
  format?: "zip" | "tar.gz";
  os?: Os;
  arch?: Arch;
  /** Executables below bin/; `filebeat/filebeat` makes a folder. A name with a dot is no native program. */
  collectors?: readonly string[];
  /** false: no collector-sidecar. */
  sidecar?: boolean;
  /** Files that are left out: `install.sh`. */
  without?: readonly string[];
  /** Text of the VERSION file; none without it. */
  version?: string;
  /** The folder around everything; "" for none. */
  top?: string;
  /** Bytes of all executables together, incompressible, and stored rather than deflated. */
  payloadBytes?: number;
  seed?: string;
  /** Zip only: zip64's records and fields, whatever the size. */
  zip64?: boolean;
  /** More files, or other contents for those that are there anyway. */
  entries?: readonly ArchiveEntry[];
}

interface Content {
  name: string;
  mode: number;
  head: Buffer;
  /** Bytes in all; what `head` does not fill is noise. */
  size: number;
}

interface How {
  seed: string;
  stored: boolean;
}

interface ZipHow extends How {
  zip64: boolean;
}

/**
 * A zip's clock is local and a tar's is UTC: each in its own terms, so that the time zone changes no byte.
 */
const ZIP_TIME = new Date(2025, 9, 21, 12, 0, 0);
const TAR_TIME = new Date(Date.UTC(2025, 9, 21, 12, 0, 0));
const BLOCK = 1024 * 1024;

/**
 * Writes an archive with the layout of the guide's section 6.2. The same options give the same bytes.
 * Streams, so that `payloadBytes` may be gigabytes.
 */
export async function buildArchive(path: string, options: ArchiveOptions = {}): Promise<void> {
  const format = options.format ?? (path.endsWith(".zip") ? "zip" : "tar.gz");
  const seed = options.seed ?? "fusion-collectors";
  const stored = (options.payloadBytes ?? 0) > 0;
  await mkdir(dirname(path), { recursive: true });
  if (format === "zip")
    await writeZip(path, layout(options), { seed, stored, zip64: options.zip64 ?? false });
  else await writeTarGz(path, layout(options), { seed, stored });
}

function layout(options: ArchiveOptions): Content[] {
  const os = options.os ?? "linux";
  const script = os === "windows" ? "ps1" : "sh";
  const files = new Map<string, Content>();
  const add = (name: string, content: string | Buffer, mode = 0o644) => {
    const head = Buffer.from(content as string);
    files.set(name, { name, mode, head, size: head.length });
  };
  add(`install.${script}`, "echo install\n", 0o755);
  add(`uninstall.${script}`, "echo uninstall\n", 0o755);
  add("sidecar.yml", "server_url: http://127.0.0.1:8080/\nupdate_interval: 10\n");
  if (os === "linux") add("sidecar.service", "[Unit]\nDescription=collector sidecar\n");
  if (options.version !== undefined) add("VERSION", options.version);
  add("certs/ca.crt", "-----BEGIN CERTIFICATE-----\nbWFkZSB1cA==\n-----END CERTIFICATE-----\n");
  for (const folder of ["bin/", "cache/", "generated/", "log/"]) add(folder, "", 0o755);
  for (const program of programs(options, os)) files.set(program.name, program);
  for (const entry of options.entries ?? []) add(entry.name, entry.content, entry.mode);
  for (const name of options.without ?? []) files.delete(name);
  const top = options.top ?? "fusion-collectors";
  return [...files.values()].map((file) => ({ ...file, name: top ? `${top}/${file.name}` : file.name }));
}

function programs(options: ArchiveOptions, os: Os): Content[] {
  const collectors = options.collectors ?? ["telegraf", "vector", "nats-executor"];
  const names = collectors.map((name) => `bin/${name}`);
  if (options.sidecar ?? true) names.unshift("collector-sidecar");
  const payload = options.payloadBytes ?? 0;
  return names.map((name, index) => {
    const native = !name.includes(".");
    const head = native ? binaryHeader(os, options.arch ?? "x86_64") : Buffer.from(`${name}\n`);
    const share = Math.floor(payload / names.length) + (index < payload % names.length ? 1 : 0);
    const size = Math.max(share, payload > 0 ? head.length : 4096);
    return { name: native && os === "windows" ? `${name}.exe` : name, mode: 0o755, head, size };
  });
}

/** The content's bytes: its head, then AES's key stream, which no compressor can shorten. */
function* bytes(content: Content, seed: string): Generator<Buffer> {
  const key = createHash("sha256").update(`${seed}\0${content.name}`).digest().subarray(0, 16);
  const noise = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(BLOCK);
  if (content.head.length > 0) yield content.head;
  for (let left = content.size - content.head.length; left > 0; left -= BLOCK) {
    yield noise.update(zeros.subarray(0, Math.min(left, BLOCK)));
  }
}

async function writeZip(path: string, contents: Content[], { seed, stored, zip64 }: ZipHow): Promise<void> {
  const zip = new ZipFile();
  const written = pipeline(zip.outputStream, createWriteStream(path));
  for (const content of contents) {
    const options = { mtime: ZIP_TIME, mode: content.mode, forceDosTimestamp: true };
    if (content.name.endsWith("/")) {
      zip.addEmptyDirectory(content.name, { ...options, mode: 0o40000 | content.mode });
      continue;
    }
    const fileOptions = {
      ...options,
      mode: 0o100000 | content.mode,
      compress: !stored,
      forceZip64Format: zip64,
    };
    if (stored && content.size > content.head.length) {
      zip.addReadStreamLazy(content.name, { ...fileOptions, size: content.size }, (open) =>
        open(null, Readable.from(bytes(content, seed), { objectMode: false, highWaterMark: BLOCK })),
      );
    } else {
      zip.addBuffer(Buffer.concat([...bytes(content, seed)]), content.name, fileOptions);
    }
  }
  zip.end({ forceZip64Format: zip64, comment: "" });
  await written;
}

async function writeTarGz(path: string, contents: Content[], { seed, stored }: How): Promise<void> {
  const tar = pack();
  const written = pipeline(
    tar,
    createGzip({ level: stored ? 0 : 6, chunkSize: stored ? BLOCK : 64 * 1024 }),
    createWriteStream(path),
  );
  for (const content of contents) {
    const header = { name: content.name, mode: content.mode, mtime: TAR_TIME };
    if (content.name.endsWith("/")) {
      tar.entry({ ...header, type: "directory" });
      continue;
    }
    const sink = tar.entry({ ...header, type: "file", size: content.size });
    await pipeline(Readable.from(bytes(content, seed)), sink);
  }
  tar.finalize();
  await written;
}
