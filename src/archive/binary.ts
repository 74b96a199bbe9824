export { executableType as kindOf, HEAD_LENGTH } from "./file-kind.ts";
