import { JobError } from "../errors.ts";
import type { Row } from "../registry/rows.ts";
import { isWhole, type StoredObject } from "../store/object.ts";
import type { DesiredPackage } from "./content.ts";

/** Why an object stays as it is and the package is not stored: exit 65. `user`: the row of whoever uploaded it by hand. */
export function conflictOf(
  { package: pkg, sha256 }: DesiredPackage,
  object: StoredObject,
  user?: Row,
): JobError {
  const { file } = pkg.archive;
  const contents = {
    os: pkg.os,
    object: pkg.object,
    version: pkg.version,
    stored: object.sha256 ?? "?",
    local: sha256 ?? "?",
  };
  if (!user) return new JobError("conflict.content", contents, { file });
  const whose = { ...contents, user: user.createdBy };
  if (isWhole(object)) return new JobError("conflict.user", whose, { file });
  const params = { ...whose, chunks: object.stored, whole: object.chunks };
  return new JobError("conflict.user.damaged", params, { file });
}
