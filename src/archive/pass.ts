export { RepackStream as Pass } from "./repack-stream.ts";
