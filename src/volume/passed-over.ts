/** Folders that systems keep for themselves, by name in small letters: recycle bins, snapshots, indexes. */
const SYSTEM_FOLDERS: ReadonlySet<string> = new Set([
  "$recycle.bin",
  "recycler",
  "recycled",
  "system volume information",
  "@eadir",
  "#recycle",
  "#snapshot",
  "~snapshot",
  "@recycle",
  "@recently-snapshot",
  "@sharesnap",
  "@tmp",
  "lost+found",
  "_gsdata_",
]);
/** The same, by how their names begin. */
const SYSTEM_PREFIXES = ["@gmt-", "found."];
/** How names end that downloads and editors use until a file is complete. */
const UNFINISHED = [
  ".part",
  ".partial",
  ".filepart",
  ".tmp",
  ".temp",
  ".swp",
  ".crdownload",
  ".opdownload",
  ".download",
  ".fdmdownload",
  ".downloading",
  ".downloading.cfg",
  ".incomplete",
  ".aria2",
  ".td",
  ".td.cfg",
  ".xltd",
  ".xltd.cfg",
  ".!qb",
  ".!ut",
  ".!bt",
  ".bc!",
  ".jc!",
  "~",
  // what Windows writes beside a file that was downloaded
  ":zone.identifier",
];

/** Whether a folder is the system's own: its content says nothing about packages, and may be closed. */
export function isSystemFolder(name: string): boolean {
  const lower = name.toLowerCase();
  return SYSTEM_FOLDERS.has(lower) || SYSTEM_PREFIXES.some((start) => lower.startsWith(start));
}

/** Whether a file is a download or a copy that is not complete, or belongs to one. */
export function isUnfinished(name: string): boolean {
  const lower = name.toLowerCase();
  return UNFINISHED.some((end) => lower.endsWith(end) && lower.length > end.length);
}

/** Whether a name is hidden. */
export function isHidden(name: string): boolean {
  return name.startsWith(".");
}
