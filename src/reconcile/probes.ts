import type { ProbeEntry } from "../output/report.ts";
import { probeKey } from "../packages/fixed.ts";
import { isWhole, type StoredObject } from "../store/object.ts";
import { PROBES } from "../volume/name.ts";

/** An APM probe that BK-Lite hands to applications, and what the bucket has of it. */
export interface ProbeState extends ProbeEntry {
  language: string;
}

/** Returns every APM probe that BK-Lite knows, whatever the platform (BKLITE.md, "Objects without rows"). */
export function probesOf(objects: ReadonlyMap<string, StoredObject>): ProbeState[] {
  return Object.entries(PROBES).map(([name, language]) => {
    const key = probeKey(language, name);
    const object = objects.get(key);
    const stored = !object || object.deleted ? "missing" : isWhole(object) ? "whole" : "damaged";
    return { language, name, key, stored };
  });
}
