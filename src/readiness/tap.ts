import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** As much as any first line that is not a nats-server's INFO. */
const KEPT = 512;

/**
 * A connection as it is, whose first bytes from the peer are kept: what a server says in plain text where TLS awaits its half of the
 * handshake is lost in OpenSSL's error.
 */
export class Tap extends Duplex {
  readonly #socket: Socket;
  #heard = Buffer.alloc(0);

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    this.on("error", () => {}); // whoever reads from it hears of it
    socket
      .on("data", (piece: Buffer) => {
        if (this.#heard.length < KEPT) this.#heard = Buffer.concat([this.#heard, piece.subarray(0, KEPT)]);
        if (!this.push(piece)) socket.pause();
      })
      .on("end", () => this.push(null))
      .on("error", (error) => this.destroy(error))
      .on("close", () => this.destroy());
  }

  get heard(): string {
    return this.#heard.toString("latin1");
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(piece, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
