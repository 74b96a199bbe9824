import type { Platform } from "../config/job-settings.ts";
import { JobError } from "../errors.ts";
import { type Arch, type Identity, OPERATING_SYSTEMS, type Os } from "../identity.ts";
import type { ScanContext } from "../job.ts";
import type { InstallState, StoredState } from "../messages/events.ts";
import { MISSING_WORDS, type MissingPart } from "../messages/packages.ts";
import type { Log } from "../output/log.ts";
import type { ProbeEntry } from "../output/report.ts";
import { definitionsFor, installedPath } from "../packages/definitions.ts";
import { BOOTSTRAP_KEY, installerKey, probeKey } from "../packages/layouts.ts";
import { type CollectorDefinition, sortVersions } from "../packages/package.ts";
import { isReady, type Row } from "../postgres/rows.ts";
import { newNuid } from "../store/meta.ts";
import { isWhole, type StoredObject } from "../store/object.ts";
import { PROBES } from "../volume/name.ts";
import type { Plan } from "./decide.ts";
import { findRow, platformOf, rowKeys, served } from "./match.ts";
import type { Desired } from "./state.ts";

/** The part of table and bucket that decides what can be installed. */
export interface Installable {
  rows: readonly Row[];
  listing: { objects: ReadonlyMap<string, StoredObject> };
  archColumn: boolean;
  /** The platform's collectors; if it has none, the built-in ones count. */
  definitions?: readonly CollectorDefinition[];
  /** Collectors of this run that BK-Lite could not start. */
  unstartable?: readonly Identity[];
}

/** Why a collector is only listed. */
type ListedFor = "no-object" | "unknown" | "unstartable";

/** What can be installed on one platform from BK-Lite's pages. */
interface PlatformState {
  os: Os;
  /** null if the table does not distinguish architectures. */
  arch: Arch | null;
  /** Versions. */
  controller: string[];
  /** null: none is needed. */
  installer: boolean | null;
  bootstrap: boolean | null;
  collectors: { installable: string[]; listed: string[] };
  /** Why collectors are only listed. */
  listed: Record<ListedFor, string[]>;
  missing: MissingPart[];
}

const ORDER = ["linux/x86_64", "linux/arm64", "windows/x86_64"];

/** Formats a platform as in REQUIRE: `linux/arm64`; without the column `linux`. */
export function platformName({ os, arch }: { os: string; arch: string | null }): string {
  return arch === null ? os : `${os}/${arch}`;
}

/**
 * Returns what can be installed on each platform that has anything, and on each required one. Before state C
 * the installer is the server's own, so no installer is missing (SPEC §4).
 */
export function platformsOf(state: Installable, require: readonly Platform[] = []): PlatformState[] {
  const { archColumn } = state;
  const found = new Map<string, PlatformState>();
  const at = (os: Os, arch: Arch | null): PlatformState => {
    const name = platformName({ os, arch });
    const platform = found.get(name) ?? emptyPlatform(os, arch, state);
    found.set(name, platform);
    return platform;
  };
  for (const row of state.rows) {
    const platform = platformOf(row, archColumn);
    if (platform) addRow(at(platform.os, platform.arch), row, installStateOf(row, state));
  }
  if (archColumn) {
    for (const os of OPERATING_SYSTEMS)
      for (const arch of ["x86_64", "arm64"] as const)
        if (isThere(installerKey(os, arch), state)) at(os, arch);
    if (isThere(BOOTSTRAP_KEY, state)) at("windows", "x86_64");
  }
  for (const { os, arch } of require) at(os, archColumn ? arch : null);
  const place = (platform: PlatformState) => ORDER.indexOf(platformName(platform)) >>> 0;
  return [...found.values()].map(finished).sort((a, b) => place(a) - place(b));
}

/**
 * What an installation of a row comes to: the object that the server would serve must be whole, and BK-Lite
 * must find in it what it starts. What others stored is judged by its name; a zip is not opened.
 */
export function installStateOf(row: Row, state: Installable): InstallState {
  const { archColumn, definitions = [], unstartable = [] } = state;
  const stored = storedOf(row, state);
  if (stored !== "whole") return stored;
  if (row.type === "controller") return /\.zip$/i.test(row.name) ? "installable" : "unstartable";
  if (row.type !== "collector") return "installable";
  const platform = platformOf(row, archColumn);
  const own = platform
    ? definitionsFor(platform, definitions).filter((one) => one.object === row.object)
    : [];
  if (own.length === 0) return "unknown";
  const isBroken = unstartable.some((pkg) => findRow(pkg, [row], archColumn) !== undefined);
  const starts = own.some((one) => installedPath(one, { name: row.name }) !== undefined);
  return starts && !isBroken ? "installable" : "unstartable";
}

/**
 * Returns what an installation of a row from BK-Lite's page comes to: a controller also needs its platform's
 * installer and bootstrap.
 */
export function pageStateOf(row: Row, state: Installable, platforms: readonly PlatformState[]): InstallState {
  const found = installStateOf(row, state);
  const own = platformOf(row, state.archColumn);
  if (found !== "installable" || row.type !== "controller" || !own) return found;
  const platform = platforms.find((one) => platformName(one) === platformName(own));
  return platform && platform.missing.length > 0 ? "no-installer" : found;
}

/** What is stored of a row's object. */
export function storedOf(row: Row, { listing, archColumn }: Installable): StoredState {
  if (!isReady(row)) return "not-ready";
  const object = served(rowKeys(row, archColumn), listing.objects);
  if (!object) return "missing";
  return isWhole(object) ? "whole" : "damaged";
}

function isThere(key: string, { listing }: Installable): boolean {
  const object = listing.objects.get(key);
  return object !== undefined && isWhole(object);
}

function emptyPlatform(os: Os, arch: Arch | null, state: Installable): PlatformState {
  return {
    os,
    arch,
    controller: [],
    installer: arch === null ? null : isThere(installerKey(os, arch), state),
    // BK-Lite has one for this platform alone.
    bootstrap: os === "windows" && arch === "x86_64" ? isThere(BOOTSTRAP_KEY, state) : null,
    collectors: { installable: [], listed: [] },
    listed: { "no-object": [], unknown: [], unstartable: [] },
    missing: [],
  };
}

function addRow({ controller, collectors, listed }: PlatformState, row: Row, state: InstallState): void {
  if (row.type === "controller" && state === "installable") controller.push(row.version);
  if (row.type !== "collector") return;
  if (state === "installable") collectors.installable.push(row.object);
  else listed[state === "unknown" || state === "unstartable" ? state : "no-object"].push(row.object);
}

function finished(platform: PlatformState): PlatformState {
  const { controller, collectors, listed, installer, bootstrap } = platform;
  const installable = [...new Set(collectors.installable)].sort();
  // Not a collector of which another version can be installed.
  const only = (found: readonly string[]) =>
    [...new Set(found)].filter((name) => !installable.includes(name)).sort();
  const lacks: Record<MissingPart, boolean> = {
    controller: controller.length === 0,
    installer: installer === false,
    bootstrap: bootstrap === false,
  };
  return {
    ...platform,
    controller: sortVersions(new Set(controller)),
    collectors: { installable, listed: only(Object.values(listed).flat()) },
    listed: {
      "no-object": only(listed["no-object"]),
      unknown: only(listed.unknown),
      unstartable: only(listed.unstartable),
    },
    missing: (Object.keys(lacks) as MissingPart[]).filter((part) => lacks[part]),
  };
}

/** Returns the state after a plan is carried out. */
export function afterPlan(state: Installable, { packages, rows }: Plan): Installable {
  const objects = new Map(state.listing.objects);
  for (const { key, upload, conflict, desired } of packages) {
    if (!upload || conflict) continue;
    const { bytes: size = 0, sha256 } = desired;
    const whole = { key, size, sha256, nuid: newNuid(), chunks: 0, stored: 0, headers: {}, sequence: 0 };
    objects.set(key, { ...whole, deleted: false });
  }
  const changed = new Map(rows.map(({ row, values }) => [row, values]));
  const inserted = rows.filter(({ row }) => !row).map(({ values }) => values as unknown as Row);
  const kept = state.rows.map((row) => ({ ...row, ...changed.get(row) }));
  return { ...state, rows: [...kept, ...inserted], listing: { objects } };
}

/**
 * Reports and logs what can be installed, with a warning for each missing part. Returns an error (exit 76) if
 * a part that REQUIRE names is missing, to be thrown when nothing worse has happened.
 */
export function concludePlatforms(
  { config, log, recorder }: ScanContext,
  observed: Installable,
  { packages, definitions }: Pick<Desired, "packages" | "definitions">,
): JobError | undefined {
  const state = { ...observed, definitions, unstartable: packages.filter((pkg) => pkg.unstartable) };
  const platforms = platformsOf(state, config.require);
  const entries = platforms.map(({ missing, listed, ...platform }) => ({
    ...platform,
    complete: missing.length === 0,
    missing: missing.map((part) => MISSING_WORDS[part][log.language]),
  }));
  recorder.learn({ platforms: entries });
  for (const row of state.rows) recorder.rowStored(row, () => storedOf(row, state));
  for (const one of entries) log.info("platform.summary", one);
  for (const one of platforms) warnOf(one, log);
  const probes = probesOf(state.listing.objects);
  recorder.learn({ probes: probes.map(({ language, ...probe }) => probe) });
  const lacking = probes.filter(({ stored }) => stored !== "whole").map(({ language }) => language);
  if (lacking.length < probes.length || config.requireProbes.length > 0) {
    const present = probes.map(({ language }) => language).filter((language) => !lacking.includes(language));
    log.info("probes.summary", { present, missing: lacking });
  }
  return incompleteOf(config, state);
}

/** Returns the error (exit 76) for the parts of REQUIRE that are missing; undefined: none is. */
export function incompleteOf(
  { require, requireProbes }: Pick<ScanContext["config"], "require" | "requireProbes">,
  state: Installable,
): JobError | undefined {
  if (require.length + requireProbes.length === 0) return undefined;
  const required = new Set(
    require.map(({ os, arch }) => platformName({ os, arch: state.archColumn ? arch : null })),
  );
  const probes = probesOf(state.listing.objects);
  const lacks = (language: string) =>
    probes.some((probe) => probe.language === language && probe.stored !== "whole");
  const incomplete = [
    ...platformsOf(state, require)
      .filter((one) => one.missing.length > 0 && required.has(platformName(one)))
      .map((one) => ({ platform: platformName(one), missing: one.missing })),
    ...requireProbes
      .filter(lacks)
      .map((language) => ({ platform: `apm/${language}`, missing: ["probe" as const] })),
  ];
  return incomplete.length > 0 ? new JobError("platform.incomplete", { incomplete }) : undefined;
}

/**
 * Logs a warning for each missing part of a platform, and for collectors that are listed but cannot be
 * installed.
 */
function warnOf(state: PlatformState, log: Log): void {
  const { arch, missing, listed } = state;
  const platform = platformName(state);
  const warn = (reason: ListedReason, names: readonly string[]) => {
    if (names.length > 0) log.warn("platform.warning", reason, { platform, names });
  };
  for (const part of missing) log.warn("platform.warning", `platform.${part}.missing`, { platform });
  // Before state C the guide's rows have no object, and need none.
  if (arch !== null) warn("platform.collectors.listed", listed["no-object"]);
  warn("platform.collectors.unknown", listed.unknown);
  warn("platform.collectors.unstartable", listed.unstartable);
}

type ListedReason = `platform.collectors.${"listed" | "unknown" | "unstartable"}`;

/** An APM probe that BK-Lite gives to applications, and its state in the bucket. */
interface ProbeState extends ProbeEntry {
  language: string;
}

/** Returns every APM probe that BK-Lite knows, whatever the platform (BKLITE.md, "Objects without rows"). */
function probesOf(objects: ReadonlyMap<string, StoredObject>): ProbeState[] {
  return Object.entries(PROBES).map(([name, language]) => {
    const key = probeKey(language, name);
    const object = objects.get(key);
    const stored = !object || object.deleted ? "missing" : isWhole(object) ? "whole" : "damaged";
    return { language, name, key, stored };
  });
}
