import type { Language } from "../reasons/define.ts";
import { progressWords } from "./events/progress.ts";
import type { Log } from "./log.ts";

/** Milliseconds between log lines, and between looks at a terminal's bar. */
const LINE = 10_000;
const BAR = 200;
const BAR_WIDTH = 24;

export interface Progress {
  /** Bytes so far. */
  update(bytes: number): void;
  end(): void;
}

/** How far an upload is. */
export interface Snapshot {
  file: string;
  bytes: number;
  /** null: not known before the end. */
  total: number | null;
  percent: number | null;
  bytesPerSecond: number;
  secondsLeft: number | null;
}

/** `seconds` since the start. */
export function snapshot(file: string, bytes: number, total: number | undefined, seconds: number): Snapshot {
  const rate = seconds > 0 ? Math.round(bytes / seconds) : 0;
  return {
    file,
    bytes,
    total: total ?? null,
    percent: total ? Math.floor((bytes / total) * 100) : null,
    bytesPerSecond: rate,
    secondsLeft: total && rate > 0 ? Math.ceil((total - bytes) / rate) : null,
  };
}

/** `[#######.......] fusion-collectors.zip 43% of …`, for a terminal. */
export function progressBar(now: Snapshot, language: Language): string {
  const full = Math.round(((now.percent ?? 0) / 100) * BAR_WIDTH);
  const bar = now.total === null ? "" : `[${"#".repeat(full)}${".".repeat(BAR_WIDTH - full)}] `;
  return `${bar}${now.file} ${progressWords(now, language)}`;
}

/** Shows an upload's progress: one log line at each end and one every 10 s; on a terminal a bar in between. */
export function startProgress(log: Log, file: string, total: number | undefined): Progress {
  const started = performance.now();
  let bytes = 0;
  const now = () => snapshot(file, bytes, total, (performance.now() - started) / 1000);
  const line = (step: "start" | "progress" | "end") => log.info("upload.progress", { step, ...now() });
  line("start");
  // Timers, not the updates: a stalled upload has none, and that is when somebody looks.
  const timer = log.status
    ? setInterval(() => log.status?.(progressBar(now(), log.language)), BAR)
    : setInterval(() => line("progress"), LINE);
  return {
    update(value) {
      bytes = value;
    },
    end() {
      clearInterval(timer);
      log.status?.(undefined);
      line("end");
    },
  };
}
