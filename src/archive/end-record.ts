export { hasEndRecord } from "./zip-directory.ts";
