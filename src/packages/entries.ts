import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { withArchive } from "./open.ts";
import type { Archive, OpenFile, ZipLocation } from "./package.ts";
import { damaged, printable } from "./problem.ts";
import { FileReader } from "./reader.ts";
import { dataStart } from "./zip.ts";
import { ZipDirectory } from "./zip-directory.ts";
