export { type VerifyOptions, verifyEntries } from "./zip-verify.ts";
