/** A TCP server and a UDP socket at one port: IPv6 and IPv4 together, unless one of them is asked for. */

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIP, isIPv4, type Server, type Socket } from "node:net";
import type { Endpoint } from "./address.ts";
import { plain } from "./address.ts";

/** Ports tried until one is free on both. */
const TRIES = 16;

/** Datagrams beyond that would only wait. */
const SEND_QUEUE_BYTES_MAX = 262_144;

/** Bursts of many links are to fit. What the system grants is another matter. */
const RECEIVE_BUFFER_BYTES = 1_048_576;

export interface SocketsOut {
  connection(socket: Socket): void;
  datagram(bytes: Buffer, from: Endpoint): void;
}

export interface Sockets {
  /** What it is bound to: `::` for all addresses of both families. */
  readonly host: string;
  readonly port: number;
  /** False when it was not even tried. `failed`: the system refused it, too large for the path or no way there. */
  send(bytes: readonly Uint8Array[], to: Endpoint, failed: () => void): boolean;
  close(): void;
}

/** @param host an IP address; undefined: all there are */
export async function openSockets(
  host: string | undefined,
  port: number,
  out: SocketsOut,
): Promise<Sockets> {
  if (host !== undefined && isIP(host) === 0) throw new Error(`${host} is no IP address`);
  for (let tries = 1; ; tries++) {
    try {
      return await openBoth(host ?? "::", port, out);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Here IPv6 is switched off.
      const isLackingV6 = code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL";
      if (host === undefined && isLackingV6) return await openSockets("0.0.0.0", port, out);
      if (port !== 0 || code !== "EADDRINUSE" || tries === TRIES) throw error;
    }
  }
}

async function openBoth(host: string, port: number, out: SocketsOut): Promise<Sockets> {
  const server = createServer({ noDelay: true }, (socket) => out.connection(socket));
  server.listen({ host, port, exclusive: true });
  await once(server, "listening");
  const bound = (server.address() as { port: number }).port;
  const v4 = isIPv4(host);
  const udp = createSocket({
    type: v4 ? "udp4" : "udp6",
    // They are addresses already: nobody needs to be asked.
    lookup: (address, _options, then) => then(null, address, v4 ? 4 : 6),
  });
  try {
    const listening = once(udp, "listening");
    udp.bind({ address: host, port: bound, exclusive: true });
    await listening;
  } catch (error) {
    udp.close();
    server.close();
    throw error;
  }
  return wire(server, udp, { host, port: bound, v4 }, out);
}

function wire(
  server: Server,
  udp: UdpSocket,
  { host, port, v4 }: { host: string; port: number; v4: boolean },
  out: SocketsOut,
): Sockets {
  // What comes of a single connection or datagram is told there; the sockets themselves go on.
  server.on("error", () => {});
  udp.on("error", () => {});
  udp.on("message", (bytes: Buffer, { address, port: from }: RemoteInfo) => {
    out.datagram(bytes, { host: plain(address), port: from });
  });
  try {
    udp.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch {
    // Smaller ones serve, too.
  }
  let isOpen = true;
  return {
    host,
    port,
    send(bytes, to, failed) {
      if (!isOpen || udp.getSendQueueSize() > SEND_QUEUE_BYTES_MAX) return false;
      // What the other end says of itself may be nonsense.
      if (to.port === 0 || isIP(to.host) === 0 || (v4 && !isIPv4(to.host))) return false;
      const address = !v4 && isIPv4(to.host) ? `::ffff:${to.host}` : to.host;
      udp.send(bytes, to.port, address, (error) => error && failed());
      return true;
    },
    close() {
      isOpen = false;
      server.close();
      udp.close();
    },
  };
}
