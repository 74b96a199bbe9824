import { runs } from "./machine.ts";
import type { Measured } from "./measure.ts";
import type { Stage } from "./stage.ts";

/** The chunk size and window of our own uploads. */
const CHUNK = "1000000";
const WINDOW = "8";

/** Programs of others that do a part of what we do, and how each says that it is there. */
const PROGRAMS = {
  nats: ["--version"],
  unzip: ["-v"],
  gzip: ["--version"],
  pigz: ["--version"],
  sha256sum: ["--version"],
} as const;

export type Peer = keyof typeof PROGRAMS;

/** Those that this machine has. */
export async function findPeers(): Promise<ReadonlySet<Peer>> {
  const found = new Set<Peer>();
  for (const name of Object.keys(PROGRAMS) as Peer[])
    if (await runs(name, ...PROGRAMS[name])) found.add(name);
  return found;
}

/** Publishes a file as rivals/publish.ts does, into a bucket of its own, with our chunk size and window. */
export function rawPublish(stage: Stage, file: string): Promise<Measured> {
  return intoBucket(stage, (bucket) => stage.rival("publish", `$O.${bucket}.C.bench`, file, CHUNK, WINDOW));
}

/** `nats object put` of natscli, into a bucket of its own. */
export function natscliPut(stage: Stage, file: string): Promise<Measured> {
  return intoBucket(stage, (bucket) =>
    stage.program("nats", [
      ...["--server", stage.nats.url, "--timeout", "60s", "object", "put", bucket, file],
      ...["--name", "object", "--force", "--no-progress"],
    ]),
  );
}

async function intoBucket(stage: Stage, put: (bucket: string) => Promise<Measured>): Promise<Measured> {
  const bucket = stage.newBucket();
  await stage.makeBucket(bucket);
  try {
    return await put(bucket);
  } finally {
    await stage.dropBucket(bucket);
  }
}
