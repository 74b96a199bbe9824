#!/usr/bin/env -S node --expose-gc
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { type Arguments, type Command, type Page, parseArguments } from "./cli.ts";
import { type Config, publicValues, readConfig, readOutput } from "./config/config.ts";
import { Reader } from "./config/env.ts";
import { EXIT, type ExitCode } from "./errors.ts";
import { helpPage, USAGE } from "./help.ts";
import { type JobContext, stopSignal } from "./job.ts";
import { writeNow } from "./output/log.ts";
import { openOutput, refuse } from "./output/open.ts";

/** Loaded only now: the libraries behind them take longer to start than everything up to the first log line. */
const COMMAND: Record<Command, () => Promise<(job: JobContext) => Promise<void>>> = {
  init: async () => (await import("./commands/init.ts")).init,
  plan: async () => (await import("./commands/plan.ts")).showPlan,
  verify: async () => (await import("./commands/verify.ts")).verify,
  wait: async () => (await import("./commands/wait.ts")).waitOnly,
};

/** The log is synchronous and the report is written: whatever still hangs (a dead peer's socket) is not waited for. */
function leave(code: ExitCode): void {
  process.exit(code);
}

async function main(): Promise<void> {
  const reader = new Reader(process.env);
  const { language } = readOutput(process.env);
  let args: Arguments | Page;
  try {
    args = parseArguments(process.argv.slice(2));
    if ("page" in args) writeNow(1, pageText(args));
  } catch (error) {
    refuse(error, USAGE[language], process, reader, leave);
    return;
  }
  if ("page" in args) leave(EXIT.ok);
  else await run(args, reader);
}

function pageText(asked: Page): string {
  if (asked.page === "version") return `${manifest.name} ${manifest.version}\n`;
  const program = dirname(realpathSync(process.argv[1] as string));
  return helpPage(asked.topic, readOutput(process.env).language, program);
}

async function run(args: Arguments, reader: Reader): Promise<void> {
  let config: Config | undefined;
  let problem: unknown;
  try {
    config = readConfig(reader);
  } catch (error) {
    problem = error;
  }
  const shown = config ? publicValues(config) : [];
  const { log, recorder, screen, end } = await openOutput(args, process, reader, shown, leave);
  // The nats library prints there when a connection breaks; standard output is the log's, or the report's.
  console.log = () => {};
  process.on("uncaughtException", (error) => end.finish(error));
  process.on("unhandledRejection", (error) => end.finish(error));
  if (!config) {
    end.finish(problem);
    return;
  }
  const { command } = args;
  const { packagesDir, nats } = config;
  recorder.bucket = nats.bucket;
  const signal = stopSignal(process, config, log, end);
  log.info("run.started", { command, version: manifest.version, bucket: nats.bucket, packagesDir });
  try {
    await (await COMMAND[command]())({ args, config, log, signal, recorder, screen });
    // A stop that came with the last answers is still a stop: what was logged as stopping does not end as a success.
    signal.throwIfAborted();
    end.finish();
  } catch (error) {
    end.finish(signal.aborted ? signal.reason : error);
  }
}

// Whatever happens, an end that was not decided on is no success.
process.exitCode = EXIT.internal;
main().catch((error) => {
  process.stderr.write(`${(error as Error).stack}\n`);
  leave(EXIT.internal);
});
