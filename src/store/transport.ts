import type { Socket } from "node:net";
import type { ConnectionOptions, NatsConnection } from "nats";
import { NatsConnectionImpl, setTransportFactory } from "nats/lib/nats-base-client/internal_mod.js";
import { NodeTransport } from "nats/lib/src/node_transport.js";

/** A connection to a nats-server that has said INFO, and, where TLS is wanted, is encrypted. */
export interface OpenConnection {
  socket: Socket;
  /** What the server has said so far: INFO, and whatever came with it. */
  heard: Buffer;
}

interface Handed extends ConnectionOptions {
  open: OpenConnection;
}

/**
 * The library's transport, on a connection that is open already: readiness goes through dns, tcp, INFO and TLS one by one, and the
 * library would connect a second time. It has this seam for its WebSocket and Deno clients.
 */
class HandedTransport extends NodeTransport {
  override async connect(
    _server: { hostname: string; port: number; tlsName: string },
    options: ConnectionOptions,
  ): Promise<void> {
    const { socket, heard } = (options as Handed).open;
    this.options = options;
    this.socket = socket;
    this.yields = [heard];
    this.connected = true;
    this.setupHandlers();
    this.signal.resolve();
    socket.resume();
  }
}

/** The library's connect, on an open connection. Throws what nats throws. */
export function connectOn(open: OpenConnection, options: ConnectionOptions): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new HandedTransport() });
  const handed: Handed = { ...options, open };
  return NatsConnectionImpl.connect(handed);
}
