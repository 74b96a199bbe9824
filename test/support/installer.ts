import assert from "node:assert/strict";
import { type Unzipped, unzip } from "./unzip.ts";

const MAX_PACKED = 4 * 1024 ** 3;
const MAX_UNPACKED = 8 * 1024 ** 3;
const MAX_FILES = 100_000;
const TYPE = 0o170000;
/** Unix file types that are neither; any other value is a regular file to Go. */
const SPECIAL = [0o120000, 0o010000, 0o140000, 0o020000, 0o060000];

/**
 * What a node has below /opt after BK-Lite installed a controller from these bytes (BK-Lite facts):
 * sidecar-installer unpacks a zip, strips the one top folder that all entries share, takes regular files and
 * folders, and looks for `install.sh` (`install.ps1`) in what is left; the way of 2025 needs the folder to be
 * called `fusion-collectors`. Throws where it would not go well.
 */
export async function installController(zip: Buffer): Promise<Map<string, Unzipped>> {
  assert.ok(zip.length <= MAX_PACKED, "at most 4 GiB packed");
  const entries = await unzip(zip);
  const tops = new Set([...entries.keys()].map((name) => name.split("/")[0]));
  assert.deepEqual([...tops], ["fusion-collectors"], "one top folder");
  const installed = new Map<string, Unzipped>();
  let size = 0;
  for (const [name, file] of entries) {
    assert.ok(!name.startsWith("/") && !/[\\\0]/.test(name), name);
    assert.ok(
      !name
        .split("/")
        .slice(0, -1)
        .some((part) => ["", ".", ".."].includes(part)),
      name,
    );
    const folder = name.endsWith("/");
    const type = file.mode & TYPE;
    assert.ok(
      !SPECIAL.includes(type) && (folder || type !== 0o040000),
      `${name} is a regular file or a folder`,
    );
    if (folder) continue;
    size += file.bytes.length;
    installed.set(name.slice(name.indexOf("/") + 1), file);
  }
  assert.ok(installed.size <= MAX_FILES, "at most 100,000 files");
  assert.ok(size <= MAX_UNPACKED, "at most 8 GiB unpacked");
  assert.ok(installed.has("install.sh") || installed.has("install.ps1"), "the script that it runs");
  return installed;
}
