import type { Language } from "../messages/define.ts";
import { progressWords, type Snapshot } from "../messages/events.ts";
import type { Log } from "./log.ts";
import { escapeText } from "./redact.ts";
import { cellWidth, type Draw, shorten } from "./terminal.ts";

/** Milliseconds between log lines, and between looks at a terminal's bar. */
const LINE = 10_000;
const BAR = 200;
/** Cells of the bar: where the longer one has no room, the shorter. */
const BAR_WIDTHS = [20, 10] as const;
/** Cells of a file's name that are worth more than the bar. */
const NAME_WIDTH = 16;

export interface Progress {
  /** Bytes so far, and which file it is now, if that changes. */
  update(bytes: number, index?: number): void;
  end(): void;
}

/** What is being done to which file. */
export interface Task {
  /** Reading an archive's entries, sending, or reading the stored objects back. */
  phase: "check" | "upload" | "deep";
  file: string;
  /** Bytes; undefined: not known before the end. */
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

/** What the bar begins with. */
const DOING: Record<Task["phase"], Record<Language, string>> = {
  check: { en: "checking ", zh: "检查 " },
  deep: { en: "reading back ", zh: "回读 " },
  upload: { en: "", zh: "" },
};

/** `[#######.......] 2/5 fusion-collectors.zip 43% of …` in `cells` cells, for a terminal. */
export function progressBar(now: Snapshot, phase: Task["phase"], language: Language, cells: number): string {
  const { index, count, percent, total } = now;
  const place = index !== null && count !== null && count > 1 ? `${index}/${count} ` : "";
  const words = `${DOING[phase][language]}${place}`;
  const numbers = ` ${progressWords(now, language)}`;
  const room = cells - cellWidth(words) - cellWidth(numbers);
  const bars = total === null ? [] : BAR_WIDTHS.map((width) => bar(percent ?? 0, width));
  const file = escapeText(now.file);
  const least = Math.min(NAME_WIDTH, cellWidth(file));
  const shown = bars.find((one) => room - one.length >= least) ?? "";
  const name = shorten(file, Math.max(0, room - shown.length));
  return shorten(`${shown}${words}${name}${numbers}`, cells);
}

function bar(percent: number, width: number): string {
  const full = Math.round((percent / 100) * width);
  return `[${"#".repeat(full)}${".".repeat(width - full)}] `;
}

/** A task that has not ended. */
interface Running {
  phase: Task["phase"];
  /** Whether there are bytes to come. */
  goesOn: () => boolean;
}

/** On a terminal there is room for one bar: that of what is being sent, else of the check that is waited for. */
const running = new WeakMap<Log, Set<Running>>();

function isForemost(task: Running, all: ReadonlySet<Running> = new Set([task])): boolean {
  const sending = [...all].find(({ phase, goesOn }) => phase === "upload" && goesOn());
  return task === (sending ?? [...all].find(({ phase }) => phase === "check") ?? task);
}

/**
 * Shows how far a task is: of an upload one log line at each end, and of every task one each 10 s; on a terminal a bar in between.
 * `read` says how far, where nobody calls `update`.
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
    // Where a bar shows them, begin and end of each upload would be noise.
    if (task.phase === "upload" && !log.status) log.info("upload.progress", { step, ...now() });
    else if (task.phase !== "upload" && step === "progress") log.info(`${task.phase}.progress`, now());
  };
  line("start");
  // Timers, not the updates: a stalled upload has none, and that is when somebody looks.
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

/** The progress of uploads that run at the same time: of all their bytes. */
export interface UploadsProgress {
  /** Bytes so far of one of them. */
  sent(upload: object, bytes: number): void;
  /** One of them is stored. */
  stored(): void;
  end(): void;
}

/** Shows uploads of one file's as one task; `sizes` in bytes, `index` is the first one's place among all `count` of the run. */
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
