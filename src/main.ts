#!/usr/bin/env -S node --expose-gc --max-semi-space-size=2
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { type Arguments, type Command, type Page, parseArguments } from "./cli.ts";
import { Reader } from "./config/env.ts";
import {
  type Config,
  publicValues,
  readConfig,
  readOutput,
  readVolumeConfig,
  type VolumeConfig,
} from "./config/job-settings.ts";
import { EXIT, type ExitCode } from "./exit.ts";
import { type JobContext, type Mode, stopSignal } from "./job.ts";
import { createRedact, escapeLines } from "./output/redact.ts";
import { openOutput, printUsageError } from "./output/run-output.ts";
import { loadCells, openTerminal, writeNow } from "./output/terminal.ts";

/** The commit that the program was built from. The image's build defines it (tools/build.ts). */
declare const REVISION: string | undefined;

const program = {
  version: manifest.version,
  revision: typeof REVISION === "string" && REVISION !== "unknown" ? REVISION : null,
};

/** Loaded on demand: their libraries take longer to load than everything up to the first log line. */
const COMMAND: Record<Command, () => Promise<(job: JobContext) => Promise<void>>> = {
  init: async () => (await import("./commands/init.ts")).init,
  plan: async () => (await import("./commands/plan.ts")).showPlan,
  status: async () => (await import("./commands/status.ts")).showStatus,
  verify: async () => (await import("./commands/verify.ts")).verify,
  prune: async () => (await import("./commands/prune.ts")).prune,
  wait: async () => (await import("./commands/wait.ts")).waitOnly,
  gate: async () => (await import("./commands/gate.ts")).gate,
  scan: async () => (await import("./commands/scan.ts")).scanOnly,
};

/** Ends the process: log and report are written, and an open socket of a dead peer is not waited for. */
function exit(code: ExitCode): void {
  process.exit(code);
}

async function main(): Promise<void> {
  // libpq's and pg's own variables: pg reads settings from them that the job does not pass
  for (const name of Object.keys(process.env)) {
    if (/^(PG|NODE_PG_)/.test(name)) delete process.env[name];
  }
  const reader = new Reader(process.env);
  const { language } = readOutput(process.env);
  let args: Arguments | Page;
  try {
    args = parseArguments(process.argv.slice(2));
    if ("page" in args) {
      exit(writeNow(1, await pageText(args)) ? EXIT.fileRead : EXIT.ok);
      return;
    }
  } catch (error) {
    const { USAGE } = await import("./help.ts");
    await printUsageError(error, USAGE[language], { program, process, reader, leave: exit });
    return;
  }
  await run(args, reader);
}

async function pageText(asked: Page): Promise<string> {
  if (asked.page === "version") return `${manifest.name} ${manifest.version}\n`;
  const { helpPage } = await import("./help.ts");
  await loadCells();
  const { width } = openTerminal(1, process, process.env);
  const { language } = readOutput(process.env);
  return helpPage(
    asked.topic,
    { language, width: width() },
    dirname(realpathSync(process.argv[1] as string)),
  );
}

function modeOf({ command, prune }: Arguments): Mode {
  if (command === "init" || prune?.yes) return "apply";
  return command === "plan" || prune ? "plan" : "verify";
}

async function run(args: Arguments, reader: Reader): Promise<void> {
  let config: VolumeConfig | undefined;
  let problem: unknown;
  try {
    if (args.require !== undefined) reader.set("REQUIRE", args.require);
    config = args.command === "scan" ? readVolumeConfig(reader) : readConfig(reader);
  } catch (error) {
    problem = error;
  }
  const shown = config ? publicValues(config) : [];
  const { log, recorder, end } = await openOutput(args, shown, { program, process, reader, leave: exit });
  // the nats library prints there when a connection breaks; standard output is for the log or the report
  console.log = () => {};
  process.on("uncaughtException", (error) => end.finish(error));
  process.on("unhandledRejection", (error) => end.finish(error));
  if (!config) {
    end.finish(problem);
    return;
  }
  const { command } = args;
  const { packagesDir, verifyKeys } = config;
  const bucket = "nats" in config ? (config as Config).nats.bucket : null;
  recorder.learn({ bucket });
  const signal = stopSignal(process, config, log, end);
  log.info("run.started", { command, version: manifest.version, bucket, packagesDir });
  try {
    const signatures = verifyKeys && new (await import("./volume/signatures.ts")).Signatures(verifyKeys);
    const context = { args, mode: modeOf(args), log, signal, recorder, signatures };
    // scan alone needs no server settings
    await (await COMMAND[command]())({ ...context, config: config as Config });
    // a stop that came with the last answers is still a stop
    signal.throwIfAborted();
    end.finish();
  } catch (error) {
    end.finish(signal.aborted ? signal.reason : error);
  }
}

// Default to failure: only an explicit end sets exit code 0.
process.exitCode = EXIT.internal;
main().catch((error) => {
  const redact = createRedact(new Reader(process.env).secrets);
  writeNow(2, `${escapeLines(redact(String((error as Error)?.stack ?? error)))}\n`);
  exit(EXIT.internal);
});
