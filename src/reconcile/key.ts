/** What a key is made of; a Row and a Package both have it. */
interface KeyParts {
  os: string;
  arch: string | null;
  object: string;
  version: string;
}

/**
 * The keys under which the server looks for a row's object, in its order (BKLITE.md, "The object"): without the architecture
 * column one; with it the one with the architecture, then the old one.
 */
export function keysOf(parts: KeyParts, name: string, archColumn: boolean): readonly [string, ...string[]] {
  const { os, arch, object, version } = parts;
  const old = `${os}/${object}/${version}/${name}`;
  return archColumn ? [`${os}/${arch}/${object}/${version}/${name}`, old] : [old];
}
