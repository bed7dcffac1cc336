/** Counts what goes over links, by the type of the message. */

import { frameCodec } from "../../core/wire/codec.ts";
import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";

/** Where the type stands in a frame: behind the version and the hash of the cluster. */
const TYPE_AT = 5;

export class Traffic implements Observer {
  readonly #codec = frameCodec(1);
  readonly #names: (string | undefined)[] = [];
  /** Links that the farthest payload has crossed. */
  hopsMax = 0;
  #frames: number[] = [];
  #bytes: number[] = [];

  constructor(world: World) {
    world.observe(this);
  }

  reset(): void {
    this.#frames = [];
    this.#bytes = [];
    this.hopsMax = 0;
  }

  get totalBytes(): number {
    return this.#bytes.reduce((sum, bytes) => sum + (bytes ?? 0), 0);
  }

  frames(type: string): number {
    return this.#frames[this.#names.indexOf(type)] ?? 0;
  }

  /** Bytes by type, the most first. */
  byType(): readonly (readonly [type: string, bytes: number, frames: number])[] {
    return this.#names
      .flatMap((name, code) =>
        name === undefined
          ? []
          : [[name, this.#bytes[code] ?? 0, this.#frames[code] ?? 0] as const],
      )
      .sort((a, b) => b[1] - a[1]);
  }

  onSent(_member: SimMember, _lane: string, bytes: Uint8Array): void {
    const code = bytes[TYPE_AT] as number;
    this.#names[code] ??= this.#nameOf(bytes);
    this.#frames[code] = (this.#frames[code] ?? 0) + 1;
    this.#bytes[code] = (this.#bytes[code] ?? 0) + bytes.length;
    if (this.#names[code] === "payload") this.#countHops(bytes);
  }

  #countHops(bytes: Uint8Array): void {
    const decoded = this.#codec.decode(bytes);
    if (!decoded.ok || decoded.message.type !== "payload") return;
    this.hopsMax = Math.max(this.hopsMax, decoded.message.hop + 1);
  }

  #nameOf(bytes: Uint8Array): string {
    const decoded = this.#codec.decode(bytes);
    return decoded.ok ? decoded.message.type : `type ${bytes[TYPE_AT]}`;
  }
}
