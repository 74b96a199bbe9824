export { copiedSize, copyZip } from "./zip-write.ts";
