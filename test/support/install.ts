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
 * What a node has below bin/ after BK-Lite installed the collector (BK-Lite fact): the object is downloaded to bin/NAME; if the
 * name ends in .zip it is unzipped there, otherwise it is only made executable.
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
  const found = new Map<string, Unzipped>();
  const add = (path: string, file: Unzipped) => {
    if (!path.endsWith("/")) found.set(path.slice(path.indexOf("/") + 1), file);
  };
  if (archive.subarray(0, 2).toString() === "PK") {
    for (const [path, file] of await unzip(archive)) add(path, file);
    return found;
  }
  const tar = extract();
  tar.end(gunzipSync(archive));
  for await (const entry of tar) {
    add(entry.header.name, { mode: 0o100000 | (entry.header.mode ?? 0), bytes: await buffer(entry) });
  }
  return found;
}
