import { connect as dial } from "node:net";
import { type Listener, startListener } from "./listeners.ts";

/** One message of Postgres' protocol: type, length, body. */
export function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** ErrorResponse, as Postgres and its poolers send it. */
export function errorResponse(code: string, text: string): Buffer {
  return message("E", Buffer.from(`SFATAL\0C${code}\0M${text}\0\0`));
}

/** Waits for a StartupMessage and answers it with `answer`; a request for TLS is declined. */
export function startLoginOnly(answer: Buffer): Promise<Listener> {
  return startListener((socket) => {
    socket.on("data", (data) => {
      if (isTlsRequest(data)) socket.write("N");
      else socket.write(answer);
    });
  });
}

/**
 * A MySQL server's first word (Protocol::Handshake, version 10), said before the client has said anything.
 */
export function startMysqlLike(version: string): Promise<Listener> {
  const rest = Buffer.concat([int32(1), Buffer.from("saltsalt\0"), Buffer.alloc(30)]);
  const body = Buffer.concat([Buffer.from([10]), Buffer.from(`${version}\0`), rest]);
  const head = Buffer.from([body.length, 0, 0, 0]);
  return startListener((socket) => {
    socket.write(Buffer.concat([head, body]));
  });
}

/**
 * A pooler that knows four start-up parameters and refuses every other, as pgbouncer does; behind it,
 * whatever listens on `target`.
 */
export function startPicky(target: number, known: readonly string[]): Promise<Listener> {
  return startListener((client) => {
    client.once("data", (first) => {
      const names = first
        .subarray(8)
        .toString("utf8")
        .split("\0")
        .filter((_, i) => i % 2 === 0);
      const refused = names.find((name) => name !== "" && !known.includes(name));
      if (refused) {
        client.end(errorResponse("08P01", `unsupported startup parameter: ${refused}`));
        return;
      }
      const server = dial(target, "127.0.0.1");
      server.on("error", () => client.destroy());
      client.on("close", () => server.destroy());
      server.write(first);
      client.pipe(server).pipe(client);
    });
  });
}

function isTlsRequest(data: Buffer): boolean {
  return data.length === 8 && data.readInt32BE(4) === 80_877_103;
}
