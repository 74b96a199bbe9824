import { join } from "node:path";
import { parseArguments } from "../../src/cli.ts";
import { parseDatabaseUrl } from "../../src/config/db-settings.ts";
import { JobError, type Problem, ProblemError } from "../../src/errors.ts";
import { isKeyPart, isRowName } from "../../src/identity.ts";
import { CATALOG, type ReasonId } from "../../src/messages/catalog.ts";
import { fill, LANGUAGES, type Text, type Words } from "../../src/messages/define.ts";
import { EVENTS, type EventName } from "../../src/messages/events.ts";
import { nearest } from "../../src/nearest.ts";
import { createLog, type Log } from "../../src/output/log.ts";
import { progressBar, snapshot } from "../../src/output/progress.ts";
import { Recorder } from "../../src/output/recorder.ts";
import { createRedact, redactDeep } from "../../src/output/redact.ts";
import { describeError, terminationMessage } from "../../src/output/report.ts";
import { createRender, RunEnd, type RunEndOptions } from "../../src/output/run-output.ts";
import { loadCells, statusLine, type Terminal, writeNow } from "../../src/output/terminal.ts";
import type { Archive, Package } from "../../src/packages/package.ts";
import type { Row } from "../../src/postgres/rows.ts";
import { type Plan, plan } from "../../src/reconcile/decide.ts";
import { platformsOf } from "../../src/reconcile/platforms.ts";
import { jsonFault } from "../../src/volume/manifest.ts";
import { type Random, random } from "../support/rounds.ts";
import { hostileName, SECRET } from "./names.ts";

/**
 * `text-child.ts rounds COUNT FOLDER` brings hostile names to every output: standard output gets what each
 * would have said, for the parent to look at. `text-child.ts linear` says on standard output what grows
 * faster than its text.
 */
const [mode, count = "0", folder = ""] = process.argv.slice(2);

/** A parameter of whatever type, to see which ones a text asks for. */
function anything(): unknown {
  return new Proxy(() => {}, {
    get(_, key) {
      if (key === Symbol.toPrimitive) return () => "1";
      if (key === Symbol.iterator) return function* () {};
      if (key === "length") return 1;
      return key === "then" ? undefined : () => anything();
    },
  });
}

/** The parameters' names that texts ask for. */
function parameters(texts: readonly Text<never>[]): string[] {
  const asked = new Set<string>();
  const params = new Proxy(
    {},
    {
      get(_, key) {
        asked.add(String(key));
        return anything();
      },
    },
  );
  for (const text of texts) {
    try {
      fill(text as Text<unknown>, params);
    } catch {
      // what it has asked for so far is what there is to try
    }
  }
  return [...asked];
}

type Make = (dice: Random) => Record<string, unknown>;

/**
 * Makes hostile parameters for texts: of strings, lists or numbers, whichever they can be said with;
 * undefined where none will do.
 */
function maker(texts: readonly Text<never>[]): Make | undefined {
  const names = parameters(texts);
  const kinds = [
    (dice: Random) => hostileName(dice),
    (dice: Random) => [hostileName(dice), hostileName(dice)],
    (dice: Random) => dice.int(1000),
  ];
  for (let combination = 0; combination < kinds.length ** Math.min(names.length, 7); combination++) {
    const make: Make = (dice) => {
      let rest = combination;
      return Object.fromEntries(
        names.map((name) => {
          const kind = kinds[rest % kinds.length];
          rest = Math.floor(rest / kinds.length);
          return [name, kind?.(dice)];
        }),
      );
    };
    try {
      const sentences = texts.map((text) => fill(text as Text<unknown>, make(random("maker"))));
      // A text that chooses by a word has no sentence for any other.
      if (sentences.every((sentence) => typeof sentence === "string")) return make;
    } catch {
      // another combination
    }
  }
  return undefined;
}

const wordsOf = ({ en, zh }: Record<string, Words<never>>) => [en, zh].flatMap((w) => [...(w ?? [])]);
const REASONS = Object.entries(CATALOG).flatMap(([id, entry]) => {
  const make = maker(wordsOf(entry as never) as Text<never>[]);
  return make ? [{ id: id as ReasonId, make }] : [];
});
const EVENT_MAKERS = Object.entries(EVENTS).flatMap(([name, { en, zh }]) => {
  const make = en === "" ? undefined : maker([en, zh] as Text<never>[]);
  return make ? [{ name: name as EventName, make }] : [];
});

function rowOf(dice: Random, id: number): Row {
  const part = (ordinary: string) => (dice.int(3) === 0 ? hostileName(dice, 100) : ordinary);
  return {
    id,
    type: part(dice.pick(["controller", "collector"])),
    os: part("linux"),
    arch: part(dice.pick(["x86_64", "", "arm64"])),
    object: part("Controller"),
    version: part("1.0.0"),
    name: part("fusion-collectors.zip"),
    description: hostileName(dice),
    createdBy: dice.pick(["system", hostileName(dice, 32)]),
    sha256: part("b".repeat(64)),
    status: part("ready"),
  };
}

function planOf(dice: Random, rows: readonly Row[]): Plan {
  const file = hostileName(dice);
  const archive = { file, name: file, size: 100 } as Archive;
  const identity = { type: "controller", os: "linux", arch: "x86_64", object: "Controller" } as const;
  const pkg: Package = {
    ...identity,
    version: "1.0.0",
    archive,
    name: "fusion-collectors.zip",
    description: "",
  };
  const desired = [{ package: pkg, sha256: "a".repeat(64), bytes: 100 }];
  const collectors = [{ ...identity, object: "Telegraf", version: "1.0.0", controller: pkg }];
  const onConflict = dice.pick(["replace", "keep", "fail"] as const);
  const table = { archColumn: true, hasDigest: true, hasStatus: true };
  return plan({ desired, collectors, rows, objects: new Map(), ...table, onConflict });
}

/** What a plan writes must be made of parts that are known to be good. */
function checkKeys({ packages, rows }: Plan): void {
  const keys = packages.filter(({ conflict }) => !conflict).map(({ key }) => key.split("/"));
  const written = rows.filter(({ action }) => action !== "unchanged").map(({ values }) => values);
  const bad = [
    ...keys.filter(
      (parts) => parts.length !== 5 || !parts.slice(0, 4).every(isKeyPart) || !isRowName(parts[4] ?? ""),
    ),
    ...written.filter(({ object, version, name }) => ![object, version].every(isKeyPart) || !isRowName(name)),
  ];
  if (bad.length > 0) throw new Error(`made of what others wrote: ${JSON.stringify(bad)}`);
}

function say(log: Log, dice: Random): void {
  for (let lines = dice.int(6); lines >= 0; lines--) {
    const reason = dice.pick(REASONS);
    const fields = dice.int(2) ? { file: hostileName(dice), names: [hostileName(dice)] } : {};
    log[dice.pick(["warn", "error"] as const)](
      dice.pick(["scan.suspect", "verify.failed"] as const),
      reason.id,
      reason.make(dice) as never,
      fields,
    );
    const event = dice.pick(EVENT_MAKERS);
    log[dice.pick(["info", "debug"] as const)](event.name, event.make(dice) as never);
  }
}

function errorOf(dice: Random): unknown {
  const reason = dice.pick(REASONS);
  const params = reason.make(dice) as never;
  const problem = { file: hostileName(dice), reason: reason.id, params } as Problem;
  const bug = new Error(`bug\n    at ${hostileName(dice)}`);
  const place = { file: hostileName(dice), server: hostileName(dice) };
  const error = new JobError(reason.id, params, dice.int(2) ? place : { server: place.server });
  const errors = [undefined, new ProblemError([problem, problem]), bug, error, hostileName(dice)];
  return errors[dice.int(errors.length)];
}

async function round(number: number): Promise<void> {
  const dice = random(`text ${number}`);
  const language = dice.pick(LANGUAGES);
  const pretty = dice.int(2) === 1;
  const width = dice.pick([20, 40, 80, 200]);
  const terminal: Terminal = {
    fd: 1,
    isTerminal: pretty,
    interactive: false,
    colour: false,
    plain: dice.int(2) === 1,
    width: () => width,
  };
  const redact = createRedact([SECRET, hostileName(dice)].filter((secret) => secret.length > 8));
  const recorder = new Recorder(dice.pick(["init", "plan", "verify", "scan"]), language);
  const format = pretty ? "pretty" : "json";
  const onWarning = recorder.warning.bind(recorder);
  const log = createLog({ level: "debug", format, terminal, redact, language, onWarning });
  say(log, dice);
  const rows = Array.from({ length: dice.int(6) }, (_, index) => rowOf(dice, index + 1));
  const decided = planOf(dice, rows);
  checkKeys(decided);
  recorder.learn({
    platforms: platformsOf({ rows, listing: { objects: new Map() }, archColumn: true }).map((one) => ({
      ...one,
      complete: false,
    })),
  });
  for (const { id, ...values } of rows) recorder.row(values, id, "unchanged");
  for (const { desired, name, key, action } of decided.packages)
    recorder.package(desired.package, {
      action,
      source: { file: desired.package.archive.file, sha256: null, bytes: 1 },
      stored: { key, name, sha256: null, bytes: 1 },
      bytesUploaded: 0,
    });
  const error = errorOf(dice);
  if (pretty) {
    const file = hostileName(dice);
    statusLine(terminal, redact).set((cells, hide) =>
      progressBar(snapshot({ phase: "upload", file: hide(file), total: 9 }, 3, 1), "upload", language, cells),
    );
    writeNow(1, "\n");
  }
  const reportPaths = [join(folder, "report.json")];
  const end: RunEndOptions = {
    report: number % 2 === 0 ? "json" : "html",
    log,
    redact,
    recorder,
    render: await createRender(["html"], redact, language),
    reportPaths,
    leave: () => {},
  };
  new RunEnd(end).finish(error);
  writeNow(1, `${terminationMessage(redactDeep(recorder.report(error), redact))}\n`);
  try {
    parseArguments([dice.pick(["init", "--os", "--type", "help", ""]), hostileName(dice), hostileName(dice)]);
  } catch (usage) {
    writeNow(
      1,
      `${JSON.stringify(redactDeep(describeError(usage, language), redact)).replaceAll(/\P{ASCII}/gu, "?")}\n`,
    );
  }
}

/** Milliseconds of this process alone, however busy the machine is. */
function cost(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const SHAPES: readonly string[] = [
  "a",
  "a.",
  " ",
  "\n",
  "\u001b[",
  "@",
  "a://",
  "://@",
  "x://a@",
  "://",
  "1,",
  "[",
  '"',
  "\\",
  "探",
  "\u202e",
  "e\u0301",
  "try running Node.js with ",
  "; if the root CA is installed locally, ",
  "/fusion-collectors/",
  SECRET.slice(0, -1),
];

function linear(): string[] {
  const width = 80;
  const terminal: Terminal = {
    fd: 2,
    isTerminal: false,
    interactive: false,
    colour: false,
    plain: false,
    width: () => width,
  };
  const redact = createRedact([SECRET, "a".repeat(50)]);
  const logs = (["pretty", "json"] as const).map((format) =>
    createLog({ level: "info", format, terminal, redact, language: "en" }),
  );
  const row = { id: 1, type: "collector", os: "linux", arch: null, object: "x", version: "1", name: "" };
  const works: Record<string, (text: string) => unknown> = {
    redact,
    log: (said) =>
      logs.map((log) =>
        log.warn("scan.suspect", "postgres.tcp.failed", { where: said, said }, { file: said }),
      ),
    table: (name) => {
      const recorder = new Recorder("init", "en");
      recorder.row({ ...row, name }, 1, "inserted");
      recorder.learn({
        platforms: [
          {
            ...{ os: "linux", arch: null, controller: [name], installer: null, bootstrap: null },
            ...{ collectors: { installable: [name, name], listed: [] }, complete: true, missing: [] },
          },
        ],
      });
      const end = { report: undefined, log: logs[0] as Log, redact, recorder };
      new RunEnd({ ...end, render: () => "", reportPaths: [], leave: () => {} }).finish(new Error(name));
    },
    nearest: (word) => nearest(word, ["packages", "version"]),
    usage: (word) => {
      try {
        parseArguments([word]);
      } catch (error) {
        return describeError(error, "en");
      }
    },
    url: (text) => parseDatabaseUrl(`postgres://${text}`),
    json: (text) => jsonFault(`["${text}]`),
    keyPart: (text) => isKeyPart(text) || isRowName(text),
  };
  const slow: string[] = [];
  for (const [name, work] of Object.entries(works)) {
    for (const shape of SHAPES) {
      const text = (length: number) => shape.repeat(Math.ceil(length / shape.length));
      for (const end of ["", "!", "\n"]) {
        const short = cost(() => work(text(20_000) + end));
        const long = cost(() => work(text(200_000) + end));
        // what a garbage collection or a compilation takes is no growth
        if (long > 20 * short + 500)
          slow.push(`${name} of ${JSON.stringify(shape)}: ${short} ms, then ${long} ms`);
      }
    }
  }
  return slow;
}

await loadCells();
if (mode === "linear") writeNow(1, JSON.stringify(linear()));
else {
  const said = { reasons: REASONS.length, of: Object.keys(CATALOG).length, events: EVENT_MAKERS.length };
  writeNow(1, `${JSON.stringify(said)}\n`);
  for (let number = 0; number < Number(count); number++) {
    writeNow(1, `round ${number}\n`);
    try {
      await round(number);
    } catch (error) {
      writeNow(2, `round ${number}: ${(error as Error).stack}\n`);
      process.exitCode = 1;
    }
  }
}
