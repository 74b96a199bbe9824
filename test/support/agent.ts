import { access, chmod, constants, mkdir, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { tempDir } from "./guard.ts";
import { download } from "./install.ts";
import type { Site } from "./site.ts";
import { unzip } from "./unzip.ts";

/** What a node starts, as the platform defines it (`node_mgmt_collector`). */
export interface Started {
  /**
   * `/opt/fusion-collectors/bin/telegraf`, `C:\fusion-collectors\bin\filebeat\filebeat.exe`, `/usr/bin/java`.
   */
  executable_path: string;
  package_name?: string;
}

/** A node's fusion-collectors/ after BK-Lite installed one collector there. */
export interface Node {
  /** Whether what the definition starts is there, and may be run. */
  starts(definition: Started): Promise<boolean>;
  has(path: string): Promise<boolean>;
  remove(): void;
}

const FILE = 0o100000;
const FOLDER = 0o040000;

/**
 * Does to a stored object what BK-Lite's agent does (BKLITE.md): downloads it to a temporary file, renames it
 * to bin/NAME, and unzips it there if the name ends in `.zip`; any other file is made executable. Its
 * unzipper takes regular files and folders alone.
 */
export async function installCollector(site: Site, key: string): Promise<Node> {
  const folder = tempDir("node");
  const at = (path: string) => join(folder.path, path);
  const name = key.slice(key.lastIndexOf("/") + 1);
  const bytes = await download(site, key);
  await mkdir(at("bin"));
  await writeFile(at("download"), bytes);
  await rename(at("download"), at(`bin/${name}`));
  if (name.endsWith(".zip")) await unpack(bytes, at("bin"));
  else await chmod(at(`bin/${name}`), 0o755);
  const is = (path: string, mode: number) =>
    access(at(path), mode).then(
      () => true,
      () => false,
    );
  return {
    has: (path) => is(path, constants.F_OK),
    starts: async (definition) => {
      const windows = definition.executable_path.includes("\\");
      for (const path of pathsOf(definition)) {
        if (!(await is(path, windows ? constants.F_OK : constants.X_OK))) continue;
        if ((await stat(at(path))).isFile()) return true;
      }
      return false;
    },
    remove: () => folder.remove(),
  };
}

async function unpack(bytes: Buffer, bin: string): Promise<void> {
  for (const [name, { mode, bytes: content }] of await unzip(bytes)) {
    if (name.startsWith("/") || name.split("/").includes("..")) throw new Error(`${name} leads out of bin/`);
    const type = mode & 0o170000;
    if (name.endsWith("/")) {
      await mkdir(join(bin, name), { recursive: true });
      continue;
    }
    if (type !== FILE && type !== FOLDER && type !== 0) throw new Error(`${name} is no regular file`);
    await mkdir(dirname(join(bin, name)), { recursive: true });
    await writeFile(join(bin, name), content, { mode: mode & 0o777 });
  }
}

/** Below fusion-collectors/; the file of the package's name if another program is started. */
function pathsOf({ executable_path: path, package_name: name }: Started): string[] {
  const plain = path.replaceAll(/[/\\]+/g, "/");
  const below = (plain.startsWith("/") ? /fusion-collectors\/(.+)$/ : /fusion-collectors\/(.+)$/i).exec(
    plain,
  )?.[1];
  if (below !== undefined) return [below];
  return ["", ".jar", ".sh"].map((ending) => `bin/${name}${ending}`);
}
