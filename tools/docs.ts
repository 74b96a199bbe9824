/** npm run docs: writes what the documentation has from the catalogs of reasons and events. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LANGUAGES } from "../src/reasons/define.ts";
import { eventsTable, reasonsPage, withTable } from "./documentation.ts";

for (const language of LANGUAGES) {
  const docs = join(import.meta.dirname, "../docs", language === "zh" ? "zh-CN" : "");
  writeFileSync(join(docs, "reasons.md"), reasonsPage(language));
  const output = join(docs, "output.md");
  writeFileSync(output, withTable(readFileSync(output, "utf8"), "events", eventsTable(language)));
}
