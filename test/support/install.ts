import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { extract } from "tar-stream";
import type { Site } from "./site.ts";
import { type Unzipped, unzip } from "./unzip.ts";

/** An object's bytes, as the `nats` library's own object store reads them. */
export async function download(site: Site, key: string): Promise<Buffer> {
  const store = await site.objects.connection.jetstream().views.os(site.bucket);
  const blob = await store.getBlob(key);
  if (!blob) throw new Error(`${site.bucket} has no object ${key}`);
  return Buffer.from(blob);
}

/**
 * What a node has below bin/ after BK-Lite installed the collector (BK-Lite fact): the object is downloaded
 * to bin/NAME; if the name ends in .zip it is unzipped there, otherwise it is only made executable.
 */
export async function install(site: Site, key: string): Promise<Map<string, Unzipped>> {
  const bytes = await download(site, key);
  const name = key.slice(key.lastIndexOf("/") + 1);
  if (!name.endsWith(".zip")) return new Map([[`bin/${name}`, { mode: 0o100755, bytes }]]);
  const files = [...(await unzip(bytes))].map(([path, file]): [string, Unzipped] => {
    const type = file.mode & 0o170000;
    // its unzipper takes nothing else
    if (type !== 0o100000 && type !== 0o040000) throw new Error(`${path} is neither file nor folder`);
    return [`bin/${path}`, file];
  });
  return new Map(files.filter(([path]) => !path.endsWith("/")));
}

/** Files of a zip or tar.gz archive by path below its top folder, read by an independent reader. */
export async function filesOf(archive: Buffer): Promise<Map<string, Unzipped>> {
  const files = [...(await filesIn(archive))].filter(([path]) => !path.endsWith("/"));
  return new Map(files.map(([path, file]) => [path.slice(path.indexOf("/") + 1), file]));
}

/**
 * Files and folders (with a `/` at the end) of a zip or tar.gz archive by path, read by an independent
 * reader.
 */
export async function filesIn(archive: Buffer): Promise<Map<string, Unzipped>> {
  if (archive.subarray(0, 2).toString() === "PK") return unzip(archive);
  const found = new Map<string, Unzipped>();
  const tar = extract();
  tar.end(gunzipSync(archive));
  for await (const entry of tar) {
    const { name, type, mode = 0 } = entry.header;
    const path = type === "directory" ? `${name.replace(/\/$/, "")}/` : name;
    found.set(path, { mode: 0o100000 | mode, bytes: await buffer(entry) });
  }
  return found;
}
