import type { Language } from "../../src/messages/define.ts";
import { reportPage } from "../../src/output/page.ts";
import { Recorder } from "../../src/output/recorder.ts";
import { mapStrings } from "../../src/output/redact.ts";
import type { PackageEntry, Report } from "../../src/output/report.ts";
import { toJson } from "../../src/output/report.ts";

const DIGEST = "0123456789abcdef".repeat(4);

/** A report of `init` in which every list has something, and `count` packages. */
export function fullReport(count: number): Report {
  const packages = Array.from({ length: count }, (_, index) => packageOf(index));
  return {
    ...new Recorder("init", "en").report(),
    program: { version: "1.2.3", revision: "0123abc" },
    host: "package-init",
    servers: {
      postgres: {
        host: "postgres",
        port: 5432,
        database: "bklite",
        schema: "public",
        version: "15.8",
        tableState: "C",
      },
      nats: { server: "nats:4222", version: "2.12.1", bucket: "bklite" },
    },
    bucket: "bklite",
    packages,
    rows: packages.map(({ stored }, index) => ({
      id: index + 1,
      type: "controller",
      os: "linux",
      arch: "x86_64",
      object: "Controller",
      version: `1.0.${index}`,
      name: stored.name,
      action: "inserted",
      stored: index === 1 ? "damaged" : "whole",
    })),
    probes: [
      {
        name: "opentelemetry-javaagent.jar",
        key: "apm/probe/java/opentelemetry-javaagent.jar",
        stored: "whole",
      },
    ],
    platforms: [
      {
        os: "linux",
        arch: "x86_64",
        controller: ["1.0.0"],
        installer: true,
        bootstrap: null,
        collectors: { installable: ["Telegraf"], listed: ["Vector"] },
        complete: true,
        missing: [],
      },
      {
        os: "windows",
        arch: "x86_64",
        controller: [],
        installer: false,
        bootstrap: false,
        collectors: { installable: [], listed: [] },
        complete: false,
        missing: ["controller", "installer", "bootstrap"],
      },
    ],
    regions: [
      {
        id: 2,
        name: "East",
        reachable: true,
        lag: 3,
        missing: ["key/a"],
        damaged: ["key/b"],
        deadBytes: 4096,
      },
      { id: 3, name: "West", reachable: false, lag: null, missing: [], damaged: [], deadBytes: null },
    ],
    removed: [{ row: 7, key: "linux/x86_64/Controller/0.9.0/old.zip", bytes: 2048, done: true }],
    warnings: [
      { reason: "content.kept", message: "the message\nin two lines", hint: "the remedy", file: "file.zip" },
    ],
    orphans: { objects: 2, bytes: 4096 },
  };
}

function packageOf(index: number): PackageEntry {
  const name = `fusion-collectors-linux-amd64-1.0.${index}.zip`;
  return {
    source: { file: `controller/${name}`, bytes: 1_000_000, sha256: DIGEST, signedBy: "SHA256:key vendor" },
    stored: { name, key: `linux/x86_64/Controller/1.0.${index}/${name}`, bytes: 1_000_000, sha256: DIGEST },
    type: "controller",
    os: "linux",
    arch: "x86_64",
    object: "Controller",
    version: `1.0.${index}`,
    action: "uploaded",
    bytesUploaded: 1_000_000,
    repacked: ["form.links"],
  };
}

/** The same report with `text` in every place where others may have written something. */
export function withText(report: Report, text: string): Report {
  const { command, outcome, startedAt, ...others } = report;
  const changed = mapStrings(others, (own) => (own === DIGEST ? own : text)) as typeof others;
  return { ...changed, command, outcome, startedAt };
}

/** The page of a report, and the JSON that it holds. */
export function pageOf(report: Report, language: Language): { page: string; json: string } {
  const json = toJson(report, (text) => text);
  return { page: reportPage(report, json, language), json };
}
