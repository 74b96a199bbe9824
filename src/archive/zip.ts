export { inspectZip, readEntryHead } from "./zip-read.ts";
