import { Ajv } from "ajv";
import schema from "../../src/output/report.schema.json" with { type: "json" };
import type { JobReport } from "./run.ts";

const ajv = new Ajv({ allErrors: true, formats: { "date-time": (text) => !Number.isNaN(Date.parse(text)) } });
const valid = ajv.compile(schema);

/**
 * The report, if it is what the published schema says; throws otherwise. Every report of every test passes
 * here.
 */
export function checkedReport(report: unknown): JobReport {
  if (valid(report)) return report as unknown as JobReport;
  const wrong = ajv.errorsText(valid.errors, { dataVar: "report", separator: "\n" });
  throw new Error(`the report is not as its schema says:\n${wrong}\n${JSON.stringify(report, null, 2)}`);
}
