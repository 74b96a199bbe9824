export type { ZipItem } from "./zip-write.ts";
