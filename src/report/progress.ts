import type { Log } from "../log.ts";
import { formatBytes } from "./summary.ts";

const INTERVAL_SECONDS = 10;

export interface Progress {
  /** Bytes so far. */
  update(bytes: number): void;
  end(bytes: number): void;
}

/** Logs an upload's progress: one line at each end and one every 10 s. `total` in bytes, undefined where it is not known. */
export function startProgress(log: Log, file: string, total: number | undefined): Progress {
  const started = performance.now();
  let done = 0;
  const line = (bytes: number, message: string) => {
    const seconds = (performance.now() - started) / 1000;
    const rate = seconds > 0 ? Math.round(bytes / seconds) : 0;
    const percent = total ? Math.floor((bytes / total) * 100) : null;
    const left = total && rate > 0 ? Math.round((total - bytes) / rate) : null;
    log.info("upload.progress", `${file}: ${message}`, {
      file,
      bytes,
      total: total ?? null,
      percent,
      bytesPerSecond: rate,
      secondsLeft: left,
    });
  };
  const words = (bytes: number) => {
    const seconds = (performance.now() - started) / 1000;
    const rate = `${formatBytes(Math.round(bytes / Math.max(seconds, 0.001)))}/s`;
    if (!total) return `${formatBytes(bytes)} uploaded, ${rate}`;
    const left = bytes > 0 ? `, ${Math.round(((total - bytes) * seconds) / bytes)} s left` : "";
    return `${Math.floor((bytes / total) * 100)}% of ${formatBytes(total)} uploaded, ${rate}${bytes < total ? left : ""}`;
  };
  line(0, `uploading ${total === undefined ? "" : formatBytes(total)}`.trim());
  // A timer, not the updates: a stalled upload has none, and that is when somebody looks.
  const timer = setInterval(() => {
    line(done, words(done));
  }, INTERVAL_SECONDS * 1000);
  return {
    update(bytes) {
      done = bytes;
    },
    end(bytes) {
      clearInterval(timer);
      line(bytes, words(bytes));
    },
  };
}
