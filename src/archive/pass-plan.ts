export type { RepackSource as PassSource, RepackTarget as PassTarget } from "./repack-stream.ts";
