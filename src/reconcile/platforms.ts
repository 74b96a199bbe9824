import type { Platform } from "../config/config.ts";
import { JobError } from "../errors.ts";
import { type Arch, archOf, OPERATING_SYSTEMS, type Os } from "../identity.ts";
import type { ScanContext } from "../job.ts";
import { BOOTSTRAP_KEY, installerKey } from "../packages/fixed.ts";
import { MISSING_WORDS, type MissingPart } from "../reasons/platform.ts";
import { isReady, type Row } from "../registry/rows.ts";
import { newNuid } from "../store/meta.ts";
import { isWhole, type StoredObject } from "../store/object.ts";
import { rowKeys, served } from "./key.ts";
import type { Plan } from "./plan.ts";

/** What table and bucket hold, as far as it decides what can be installed. */
export interface Installable {
  rows: readonly Row[];
  listing: { objects: ReadonlyMap<string, StoredObject> };
  archColumn: boolean;
}

/** What can be installed on one platform from BK-Lite's pages. */
export interface PlatformState {
  os: Os;
  /** null where the table does not tell architectures apart. */
  arch: Arch | null;
  /** Versions. */
  controller: string[];
  /** null: none is needed. */
  installer: boolean | null;
  bootstrap: boolean | null;
  collectors: { installable: string[]; listed: string[] };
  missing: MissingPart[];
}

const ORDER = ["linux/x86_64", "linux/arm64", "windows/x86_64"];

/** A platform as REQUIRE writes it: `linux/arm64`; without the column `linux`. */
export function platformName({ os, arch }: { os: string; arch: string | null }): string {
  return arch === null ? os : `${os}/${arch}`;
}

/**
 * What can be installed on each platform that has anything, and on those that are asked for. Before state C the installer is the
 * server's own, so none is missed (SPEC §4).
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
    const os = OPERATING_SYSTEMS.find((known) => known === row.os);
    const arch = archColumn ? archOf(row.arch || "x86_64") : null;
    if (os && arch !== undefined) addRow(at(os, arch), row, isInstallable(row, state));
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

/** Whether BK-Lite offers a row, and the object that it would serve for it is there, with all its chunks. */
function isInstallable(row: Row, { listing, archColumn }: Installable): boolean {
  const object = served(rowKeys(row, archColumn), listing.objects);
  return isReady(row) && object !== undefined && isWhole(object);
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
    // BK-Lite has one for this platform alone
    bootstrap: os === "windows" && arch === "x86_64" ? isThere(BOOTSTRAP_KEY, state) : null,
    collectors: { installable: [], listed: [] },
    missing: [],
  };
}

function addRow({ controller, collectors }: PlatformState, row: Row, installable: boolean): void {
  if (row.type === "controller" && installable) controller.push(row.version);
  if (row.type === "collector") (installable ? collectors.installable : collectors.listed).push(row.object);
}

function finished(platform: PlatformState): PlatformState {
  const { controller, collectors, installer, bootstrap } = platform;
  const names = (found: readonly string[]) => [...new Set(found)].sort();
  const installable = names(collectors.installable);
  const lacks: Record<MissingPart, boolean> = {
    controller: controller.length === 0,
    installer: installer === false,
    bootstrap: bootstrap === false,
  };
  return {
    ...platform,
    controller: names(controller),
    collectors: {
      installable,
      listed: names(collectors.listed).filter((name) => !installable.includes(name)),
    },
    missing: (Object.keys(lacks) as MissingPart[]).filter((part) => lacks[part]),
  };
}

/** What there will be once a plan has been carried out. */
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
  return { rows: [...kept, ...inserted], listing: { objects }, archColumn: state.archColumn };
}

/**
 * Puts what can be installed in report and log, with a warning for each thing that is missing. Returns the error that REQUIRE makes of
 * it (exit 76), for the caller to throw when nothing worse has happened.
 */
export function concludePlatforms(
  { config, log, recorder, screen }: ScanContext,
  state: Installable,
): JobError | undefined {
  const platforms = platformsOf(state, config.require);
  recorder.platforms = platforms.map(({ missing, ...platform }) => ({
    ...platform,
    complete: missing.length === 0,
    missing: missing.map((part) => MISSING_WORDS[part][log.language]),
  }));
  for (const one of recorder.platforms) if (!screen) log.info("platform.summary", one);
  for (const { os, arch, missing, collectors } of platforms) {
    const platform = platformName({ os, arch });
    for (const part of missing) log.warn("platform.warning", `platform.${part}.missing`, { platform });
    if (arch !== null && collectors.listed.length > 0)
      log.warn("platform.warning", "platform.collectors.listed", { platform, names: collectors.listed });
  }
  const required = new Set(
    config.require.map(({ os, arch }) => platformName({ os, arch: state.archColumn ? arch : null })),
  );
  const incomplete = platforms
    .filter((one) => one.missing.length > 0 && required.has(platformName(one)))
    .map((one) => ({ platform: platformName(one), missing: one.missing }));
  return incomplete.length > 0 ? new JobError("platform.incomplete", { incomplete }) : undefined;
}
