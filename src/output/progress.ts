import type { Language } from "../messages/define.ts";
import { progressWords, type Snapshot } from "../messages/events.ts";
import type { Log } from "./log.ts";
import { escapeText } from "./redact.ts";
import { cellWidth, type Draw, shorten } from "./terminal.ts";

/** Milliseconds between log lines, and between updates of a terminal's bar. */
const LINE = 10_000;
const BAR = 200;
/** Cells of the bar: the shorter one is for lines that are too short for the longer. */
const BAR_WIDTHS = [20, 10] as const;
/** The bar is left out if fewer cells would remain for the file's name. */
const NAME_WIDTH = 16;

export interface Progress {
  /** Reports the bytes so far, and the file if it has changed. */
  update(bytes: number, index?: number): void;
  end(): void;
}

/** A task and its file. */
export interface Task {
  /** Checking an archive's entries, or uploading. */
  phase: "check" | "upload";
  file: string;
  /** Bytes; undefined if unknown before the end. */
  total: number | undefined;
  /** File `index` of `count`, from 1. */
  index?: number;
  count?: number;
}

/** `seconds` since the start. */
export function snapshot({ file, total, index, count }: Task, bytes: number, seconds: number): Snapshot {
  const rate = seconds > 0 ? Math.round(bytes / seconds) : 0;
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

const CHECKING: Record<Language, string> = { en: "checking ", zh: "检查 " };

/** Returns `[#######.......] 2/5 fusion-collectors.zip 43% of …` in `cells` cells, for a terminal. */
export function progressBar(now: Snapshot, phase: Task["phase"], language: Language, cells: number): string {
  const { index, count, percent, total } = now;
  const place = index !== null && count !== null && count > 1 ? `${index}/${count} ` : "";
  const words = `${phase === "check" ? CHECKING[language] : ""}${place}`;
  const numbers = ` ${progressWords(now, language)}`;
  const space = cells - cellWidth(words) - cellWidth(numbers);
  const bars = total === null ? [] : BAR_WIDTHS.map((width) => bar(percent ?? 0, width));
  const file = escapeText(now.file);
  const least = Math.min(NAME_WIDTH, cellWidth(file));
  const shown = bars.find((one) => space - one.length >= least) ?? "";
  const name = shorten(file, Math.max(0, space - shown.length));
  return shorten(`${shown}${words}${name}${numbers}`, cells);
}

function bar(percent: number, width: number): string {
  const full = Math.round((percent / 100) * width);
  return `[${"#".repeat(full)}${".".repeat(width - full)}] `;
}

/** A running task. */
interface Running {
  phase: Task["phase"];
  /** Whether bytes are still to come. */
  goesOn: () => boolean;
}

/** Shows one bar on a terminal: that of the running upload, or else of the running check. */
const running = new WeakMap<Log, Set<Running>>();

function isForemost(task: Running, all: ReadonlySet<Running> = new Set([task])): boolean {
  const sending = [...all].find(({ phase, goesOn }) => phase === "upload" && goesOn());
  return task === (sending ?? [...all].find(({ phase }) => phase === "check") ?? task);
}

/**
 * Shows a task's progress: a log line at both ends of an upload, one every 10 s for every task, and a bar on
 * a terminal. `read` returns the bytes so far if `update` is not called.
 */
export function startProgress(log: Log, task: Task, read?: () => number): Progress {
  const started = performance.now();
  let bytes = 0;
  let { index } = task;
  const now = () => {
    const at = index === undefined ? task : { ...task, index };
    return snapshot(at, read?.() ?? bytes, (performance.now() - started) / 1000);
  };
  const line = (step: "start" | "progress" | "end") => {
    // With a bar, lines for the beginning and end of each upload would be noise.
    if (task.phase === "upload" && !log.status) log.info("upload.progress", { step, ...now() });
    else if (task.phase === "check" && step === "progress") log.info("check.progress", now());
  };
  line("start");
  // Timers, not the updates: a stalled upload has no updates, and its progress matters most.
  const draw: Draw = (cells, redact) => {
    const at = now();
    return progressBar({ ...at, file: redact(at.file) }, task.phase, log.language, cells);
  };
  const me: Running = {
    phase: task.phase,
    goesOn: () => task.total === undefined || now().bytes < task.total,
  };
  running.set(log, (running.get(log) ?? new Set()).add(me));
  const timer = log.status
    ? setInterval(() => isForemost(me, running.get(log)) && log.status?.(draw), BAR)
    : setInterval(() => line("progress"), LINE);
  return {
    update(value, place) {
      bytes = value;
      index = place ?? index;
    },
    end() {
      clearInterval(timer);
      running.get(log)?.delete(me);
      log.status?.(undefined);
      line("end");
    },
  };
}

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
  {
    file,
    sizes,
    index,
    count,
  }: { file: string; sizes: (number | undefined)[]; index: number; count: number },
): UploadsProgress {
  const known = sizes.filter((size) => size !== undefined);
  const total = known.length === sizes.length ? known.reduce((sum, size) => sum + size, 0) : undefined;
  const progress = startProgress(log, { phase: "upload", file, total, index, count });
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
