import { type Arguments, parseArguments } from "../../src/cli.ts";
import { scanOnly } from "../../src/commands/scan.ts";
import { Reader } from "../../src/config/env.ts";
import { readVolumeConfig } from "../../src/config/job-settings.ts";
import { createLog } from "../../src/output/log.ts";
import { Recorder } from "../../src/output/recorder.ts";
import { openTerminal } from "../../src/output/terminal.ts";
import { Signatures } from "../../src/volume/signatures.ts";
import { checkedReport } from "./report.ts";
import type { JobReport } from "./run.ts";

/**
 * Runs `scan` in this process, as the entry point would, and returns its report: a process costs many times a
 * scan.
 */
export async function scanInProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<JobReport> {
  const recorder = new Recorder("scan", "en");
  const log = createLog({
    level: "error",
    format: "json",
    terminal: openTerminal(2, process, {}),
    redact: (text) => text,
    language: "en",
    onWarning: (warning) => recorder.warning(warning),
  });
  const { signal } = new AbortController();
  const work = async () => {
    const parsed = parseArguments(["scan", ...args]) as Arguments;
    const config = readVolumeConfig(new Reader({ ...env }));
    const signatures = config.verifyKeys && new Signatures(config.verifyKeys);
    await scanOnly({ args: parsed, config, log, signal, recorder, signatures });
  };
  const error: unknown = await work().then(
    () => undefined,
    (thrown) => thrown,
  );
  return checkedReport(recorder.report(error));
}
