import type { PackageType } from "../identity.ts";
import type { VolumeFile } from "../volume/files.ts";
import { typeByName } from "../volume/name.ts";

/** What a file is taken for: what somebody said of it, else what its place or its name says, else a controller's archive. */
export function typeOf({ claim, place, name }: Pick<VolumeFile, "claim" | "place" | "name">): PackageType {
  return claim?.type ?? (place ? "collector" : (typeByName(name) ?? "controller"));
}
