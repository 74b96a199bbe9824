export { decodeText as decoded } from "./entries.ts";
