/** Ends of links over UDP and TCP, without a mesh around them. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { LinkEnd } from "../../src/testing/link-end.ts";
import type { Lane, Link, LinkHandlers, Transport } from "../../src/transport/transport.ts";
import { type UdpOptions, udpTransport } from "../../src/transport/udp/udp.ts";

export type Udp = ReturnType<typeof udpTransport>;

/** Ends with the test. At 127.0.0.1 unless it is told otherwise. */
export function udp(options: UdpOptions = {}): Udp {
  const transport = udpTransport({ host: "127.0.0.1", ...options });
  onTestFinished(() => transport.close());
  return transport;
}

export class Listener {
  readonly at: Udp;
  /** Our ends of the links that others have dialled. */
  readonly taken: LinkEnd[] = [];
  readonly #watchers = new Set<() => void>();

  private constructor(at: Udp) {
    this.at = at;
  }

  static async start(options: UdpOptions = {}): Promise<Listener> {
    const listener = new Listener(udp(options));
    await listener.at.listen((link) => listener.#take(link));
    return listener;
  }

  get address(): string {
    return this.at.addresses[0] ?? "";
  }

  get port(): number {
    return Number(/:(\d+)$/.exec(this.address)?.[1]);
  }

  /** The end of the link that comes next. */
  next(): Promise<LinkEnd> {
    const seen = this.taken.length;
    return new Promise((resolve) => {
      const look = (): void => {
        const end = this.taken[seen];
        if (end === undefined) return;
        this.#watchers.delete(look);
        resolve(end);
      };
      this.#watchers.add(look);
    });
  }

  #take(link: Link): LinkHandlers {
    let handlers: LinkHandlers | undefined;
    const taking = (_: unknown, given: LinkHandlers): Link => {
      handlers = given;
      return link;
    };
    this.taken.push(new LinkEnd({ connect: taking } as Partial<Transport> as Transport, ANSWERING));
    for (const look of this.#watchers) queueMicrotask(look);
    return handlers as LinkHandlers;
  }
}

const ANSWERING = { initiator: false };

export function dial(from: Udp, ...addresses: string[]): LinkEnd {
  const dialling = (_: unknown, handlers: LinkHandlers): Link => from.dial(addresses, handlers);
  return new LinkEnd({ connect: dialling } as Partial<Transport> as Transport, { initiator: true });
}

/** Both ends of a link from `from` to `to`. */
export async function linked(
  from: Udp,
  to: Listener,
  address = to.address,
): Promise<[near: LinkEnd, far: LinkEnd]> {
  const next = to.next();
  const near = dial(from, address);
  await near.opened();
  const far = await next;
  await far.opened();
  return [near, far];
}

/** Sends frames until one has arrived. */
export async function arrives(
  from: LinkEnd,
  to: LinkEnd,
  lane: Lane,
  size: number = 10,
): Promise<void> {
  const seen = to.frames.length;
  const send = (): void => from.send(lane, new Uint8Array(size));
  const again = setInterval(send, 20);
  send();
  try {
    await to.until(`a ${lane} frame`, () => to.frames.slice(seen).some((it) => it.lane === lane));
  } finally {
    clearInterval(again);
  }
}

export async function arriveBothWays(near: LinkEnd, far: LinkEnd): Promise<void> {
  for (const lane of ["reliable", "unordered", "datagram"] as const) {
    await arrives(near, far, lane);
    await arrives(far, near, lane);
  }
}

/** A stranger's connection. */
export async function strangerAt({ port }: Listener): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}
