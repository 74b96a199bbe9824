export {
  contentFormat as contentKind,
  examineExecutable as programKind,
  FORMAT_LENGTH as SNIFFED,
  fileFormat as wrongKind,
} from "./file-kind.ts";
