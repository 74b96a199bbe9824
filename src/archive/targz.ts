export { inspectTarGz } from "./tar-read.ts";
