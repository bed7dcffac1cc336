/**
 * A transport in memory that leaves frames as they are, as WebRTC does for who sits at its end: what a member puts on
 * its links can be read, and other frames put in the place of it.
 */

import { MemoryNetwork, memoryTransport } from "../../src/index.node.ts";
import type { Link, Transport } from "../../src/transport/transport.ts";

export class TappedNetwork {
  readonly #kind: string;
  readonly #network = new MemoryNetwork();

  constructor(kind: string) {
    this.#kind = kind;
  }

  /** @param tap what goes on the link instead of a frame */
  transport(tap: (frame: Uint8Array) => readonly Uint8Array[] = (frame) => [frame]): Transport {
    const inner = memoryTransport(this.#network);
    return {
      kind: this.#kind,
      slowOfferer: false,
      encrypted: true,
      connect(options, handlers) {
        const link = inner.connect(options, handlers);
        const send: Link["send"] = (lane, frame) => {
          for (const one of tap(frame)) link.send(lane, one);
        };
        return new Proxy(link, {
          get: (target, name) => {
            if (name === "send") return send;
            const value: unknown = Reflect.get(target, name, target);
            return typeof value === "function" ? value.bind(target) : value;
          },
        });
      },
      close: () => inner.close(),
    };
  }
}
