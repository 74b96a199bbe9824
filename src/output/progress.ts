import { formatBytes, type Language } from "../messages/define.ts";
import type { Snapshot } from "../messages/events.ts";
import { amountOf, duration, wordsIn } from "../messages/words.ts";
import type { Log, RunningTask } from "./log.ts";
import { escapeText } from "./redact.ts";
import { cellWidth, type Draw, shorten } from "./terminal.ts";

/** Milliseconds between log lines, and between updates of a terminal's bar. */
const LINE = 10_000;
const BAR = 200;
/** Milliseconds of a task before a terminal has a bar for it. */
const SOON = 1000;
/** Cells of the bar. */
const BAR_WIDTH = 12;
/** The bar is left out if fewer cells would remain for the file's name. */
const NAME_WIDTH = 16;

export interface Progress {
  /** Reports the bytes so far, and the file if it has changed. */
  update(bytes: number, index?: number): void;
  end(): void;
}

/** A task and its file. */
interface Task {
  /** Reading a file, checking an archive's entries, uploading, or reading the stored objects back. */
  phase: RunningTask["phase"];
  file: string;
  /** Bytes; undefined if unknown before the end. */
  total: number | undefined;
  /** File `index` of `count`, from 1. */
  index?: number;
  count?: number;
  /** Of an upload: bytes of the run's uploads before this one, and of all of them; undefined: not known. */
  run?: { before: number; total: number | undefined } | undefined;
}

/** Returns how far a task is after so many seconds. */
export function snapshot(task: Task, bytes: number, seconds: number): Snapshot {
  return atRate(task, bytes, seconds > 0 ? Math.round(bytes / seconds) : 0);
}

function atRate({ file, total, index, count }: Task, bytes: number, rate: number): Snapshot {
  return {
    file,
    index: index ?? null,
    count: count ?? null,
    bytes,
    total: total ?? null,
    percent: total ? Math.floor((bytes / total) * 100) : null,
    bytesPerSecond: rate,
    secondsLeft: total && rate > 0 ? Math.ceil((total - bytes) / rate) : null,
  };
}

/** Signs of a running task, one after the other. */
const SPINNER = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"];
/** Milliseconds of each sign. */
const TURN = 100;

/**
 * Returns a terminal's bar in `cells` cells; for a single file with its name:
 * `⠸ 11/18 [########....] 64 %  39 of 61 MiB  92 MiB/s  1 s left`.
 * If it does not fit, first the rate is left out, then the amount, then the bar.
 */
export function progressBar(now: Snapshot, phase: Task["phase"], language: Language, cells: number): string {
  const { index, count, percent, total } = now;
  const isOneOfMany = index !== null && count !== null && count > 1;
  const verb = wordsIn(language)(`phase.${phase}`);
  const place = [verb, isOneOfMany ? `${index}/${count}` : ""].filter((part) => part !== "").join(" ");
  const file = phase === "upload" && isOneOfMany ? "" : escapeText(now.file);
  const spinner = SPINNER[Math.floor(performance.now() / TURN) % SPINNER.length] as string;
  const done = total === null ? [] : [bar(percent ?? 100), `${percent ?? 100} %`];
  const [amount = "", rate = "", ...left] = uploadParts(now, language);
  const line = (name: string, head: readonly string[], tail: readonly string[]) =>
    [[spinner, place, name, ...head].filter((part) => part !== "").join(" "), ...tail].join("  ");
  const shapes: [head: readonly string[], tail: readonly string[]][] = [
    [done, [amount, rate, ...left]],
    [done, [amount, ...left]],
    [done, left],
    [done.slice(1), left],
  ];
  const least = Math.min(NAME_WIDTH, cellWidth(file));
  const [head, tail] =
    shapes.find(([one, other]) => cellWidth(line("", one, other)) + (file === "" ? 0 : least + 1) <= cells) ??
    (shapes.at(-1) as (typeof shapes)[number]);
  const space = cells - cellWidth(line("", head, tail)) - 1;
  return shorten(line(shorten(file, Math.max(0, space)), head, tail), cells);
}

/** How far something is, in parts: amount, rate, and the time that is left. */
function uploadParts({ bytes, total, bytesPerSecond, secondsLeft }: Snapshot, language: Language): string[] {
  const amount = total === null ? formatBytes(bytes) : amountOf(bytes, total, language);
  const isOver = secondsLeft === null || (total !== null && bytes >= total);
  const left = isOver ? [] : [wordsIn(language)("left", { time: duration(secondsLeft, language) })];
  return [amount, `${formatBytes(bytesPerSecond)}/s`, ...left];
}

function bar(percent: number): string {
  const full = Math.round((Math.min(100, percent) / 100) * BAR_WIDTH);
  return `[${"#".repeat(full)}${".".repeat(BAR_WIDTH - full)}]`;
}

/** Whether a task is the one to show: an upload first, then a check, then the reading of a file. */
function isForemost(task: RunningTask, all: ReadonlySet<RunningTask> = new Set([task])): boolean {
  const of = (phase: Task["phase"]) => [...all].find((one) => one.phase === phase && one.goesOn());
  return task === (of("upload") ?? of("check") ?? of("read") ?? task);
}

/**
 * Shows a task's progress: a log line at both ends of an upload, one every 10 s for every task, and a bar on
 * a terminal. `read` returns the bytes so far if `update` is not called.
 */
export function startProgress(log: Log, task: Task, read?: () => number): Progress {
  const started = performance.now();
  let bytes = 0;
  let { index } = task;
  const current = (): Task => (index === undefined ? task : { ...task, index });
  const now = () => snapshot(current(), read?.() ?? bytes, (performance.now() - started) / 1000);
  const line = (step: "start" | "progress" | "end") => {
    // With a bar, lines for the beginning and end of each upload would be noise.
    if (task.phase === "upload" && !log.status) log.info("upload.progress", { step, ...now() });
    else if ((task.phase === "check" || task.phase === "deep") && step === "progress")
      log.info(`${task.phase}.progress`, now());
    // A check or an upload also reads its file.
    else if (task.phase === "read" && step === "progress" && isForemost(me, log.tasks))
      log.info("read.progress", now());
  };
  const draw: Draw = (cells, redact) => {
    const { run, phase } = task;
    const own = now();
    // all uploads of the run, at the rate of this one
    const shown = run
      ? atRate({ ...current(), total: run.total }, run.before + own.bytes, own.bytesPerSecond)
      : own;
    return progressBar({ ...shown, file: redact(task.file) }, phase, log.language, cells);
  };
  const me: RunningTask = {
    phase: task.phase,
    goesOn: () => task.total === undefined || now().bytes < task.total,
  };
  log.tasks?.add(me);
  line("start");
  const isDue = () => performance.now() - started > SOON && isForemost(me, log.tasks);
  // Timers, not the updates: a stalled upload has no updates, and its progress matters most.
  const timer = log.status
    ? setInterval(() => isDue() && log.status?.(draw), BAR)
    : setInterval(() => line("progress"), LINE);
  return {
    update(value, place) {
      bytes = value;
      index = place ?? index;
    },
    end() {
      clearInterval(timer);
      log.tasks?.delete(me);
      log.status?.(undefined);
      line("end");
    },
  };
}

/** Shows the progress of reading a file of `total` bytes, whatever it is read for. */
export function startReading(log: Log, file: string, total: number) {
  let read = 0;
  // Parts of an archive are read twice.
  const { end } = startProgress(log, { phase: "read", file, total }, () => Math.min(read, total));
  const add = (bytes: number): void => {
    read += bytes;
  };
  return { add, end };
}

/** Counts the bytes that are read from a file. */
export type Reading = ReturnType<typeof startReading>;

/** The progress of parallel uploads: of all their bytes together. */
export interface UploadsProgress {
  /** Reports the bytes so far of one upload. */
  sent(upload: object, bytes: number): void;
  /** Reports that one upload is stored. */
  stored(): void;
  end(): void;
}

/**
 * Shows the uploads of one file as one task; `sizes` in bytes, `index` is the first upload's number among all
 * `count` of the run.
 */
export function startUploads(
  log: Log,
  uploads: { file: string; sizes: (number | undefined)[]; index: number; count: number; run?: Task["run"] },
): UploadsProgress {
  const { sizes, index, ...task } = uploads;
  const known = sizes.filter((size) => size !== undefined);
  const total = known.length === sizes.length ? known.reduce((sum, size) => sum + size, 0) : undefined;
  const progress = startProgress(log, { phase: "upload", ...task, total, index });
  const last = index + sizes.length - 1;
  const parts = new Map<object, number>();
  let sum = 0;
  let at = index;
  return {
    sent(upload, bytes) {
      sum += bytes - (parts.get(upload) ?? 0);
      parts.set(upload, bytes);
      progress.update(sum, at);
    },
    stored() {
      at = Math.min(at + 1, last);
      progress.update(sum, at);
    },
    end: progress.end,
  };
}
