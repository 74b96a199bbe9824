import { JobError } from "../errors.ts";
import { shownPlatform } from "../packages/package.ts";
import type { Row } from "../postgres/rows.ts";
import { isWhole, type StoredObject } from "../store/object.ts";
import type { DesiredPackage } from "./content.ts";

/** Why an object stays as it is and the package is not stored: exit 65. `row`: of whoever uploaded it by hand. */
export function conflictOf(
  { package: pkg, sha256 }: DesiredPackage,
  object: StoredObject,
  { row, archColumn }: { row: Row | undefined; archColumn: boolean },
): JobError {
  const { file } = pkg.archive;
  const { os, arch } = shownPlatform(pkg, archColumn);
  const contents = {
    platform: [os, arch].filter((part) => part !== null).join("/"),
    object: pkg.object,
    version: pkg.version,
    stored: object.sha256 ?? "?",
    local: sha256 ?? "?",
  };
  if (!row) return new JobError("conflict.content", contents, { file });
  const whose = { ...contents, user: row.createdBy };
  if (isWhole(object)) return new JobError("conflict.user", whose, { file });
  const params = { ...whose, chunks: object.stored, whole: object.chunks };
  return new JobError("conflict.user.damaged", params, { file });
}

/** Why a row that is not ready keeps its package from being installed: exit 76. */
export function notReady({ id, os, arch, object, version, status, createdBy }: Row): JobError {
  const what = [[os, arch].filter(Boolean).join("/"), object, version].join(" ");
  return new JobError("row.not-ready", { id, what, status: status ?? "", user: createdBy });
}
