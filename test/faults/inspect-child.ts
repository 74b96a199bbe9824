import { judge } from "./inspector.ts";

/**
 * `inspect-child.ts DIR [UID]`: prints what the job makes of a volume, and the most memory that it took, in
 * bytes.
 */
const [dir = "", uid] = process.argv.slice(2);
if (uid !== undefined) process.setuid?.(Number(uid));
const verdict = await judge(dir);
console.log(JSON.stringify({ verdict, maxRss: process.resourceUsage().maxRSS * 1024 }));
