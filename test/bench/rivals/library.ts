import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { connect } from "nats";

/**
 * The nats library's own ObjectStore.put, as its documentation has it. Arguments: server, bucket, file, chunk
 * bytes (its default without).
 */
const [server = "", bucket = "", file = "", chunk] = process.argv.slice(2);
const nc = await connect({ servers: server });
// It keeps all of a file's publishes pending: with its own limit of 5 s a large file fails.
const store = await nc.jetstream({ timeout: 600_000 }).views.os(bucket);
const data = Readable.toWeb(createReadStream(file, { highWaterMark: 1024 * 1024 }));
const options = chunk === undefined ? {} : { options: { max_chunk_size: Number(chunk) } };
await store.put({ name: "object", ...options }, data as ReadableStream<Uint8Array>);
await nc.close();
