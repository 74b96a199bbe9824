export { type ArchiveFile, TarReader } from "./tar-read.ts";
export { readVerified as zipBytes } from "./zip-verify.ts";
