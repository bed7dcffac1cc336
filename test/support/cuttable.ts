/** A transport whose links can be cut one by one, by the member at their other end. */

import { frameCodec } from "../../src/core/wire/codec.ts";
import type {
  ConnectOptions,
  Link,
  LinkHandlers,
  Transport,
} from "../../src/transport/transport.ts";

export class Cuttable implements Transport {
  readonly #inner: Transport;
  readonly #codec: ReturnType<typeof frameCodec>;
  /** The newest link with each member, known by its greeting. */
  readonly #links = new Map<string, Link>();

  /** @param clusterHash of the cluster that the links are of */
  constructor(inner: Transport, clusterHash: number) {
    this.#inner = inner;
    this.#codec = frameCodec(clusterHash);
  }

  get kind(): string {
    return this.#inner.kind;
  }

  get slowOfferer(): boolean {
    return this.#inner.slowOfferer;
  }

  get encrypted(): boolean {
    return this.#inner.encrypted;
  }

  connect(options: ConnectOptions, handlers: LinkHandlers): Link {
    let greeted = false;
    const link: Link = this.#inner.connect(options, {
      signal: (payload) => handlers.signal(payload),
      open: () => handlers.open(),
      frame: (lane, bytes) => {
        if (!greeted && lane === "reliable") {
          const decoded = this.#codec.decode(bytes);
          greeted = decoded.ok && decoded.message.type === "hello";
          if (decoded.ok && decoded.message.type === "hello") {
            this.#links.set(decoded.message.record.id, link);
          }
        }
        handlers.frame(lane, bytes);
      },
      drain: (bytes) => handlers.drain(bytes),
      close: (reason) => handlers.close(reason),
    });
    return link;
  }

  /** False when there is no link with `peer`. */
  cut(peer: string): boolean {
    const link = this.#links.get(peer);
    if (link?.state !== "open") return false;
    link.close();
    return true;
  }

  close(): void {
    this.#inner.close();
  }
}
