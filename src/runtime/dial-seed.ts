/**
 * A seed that is a member itself, or several, known by address: nobody introduces them, they are dialled.
 *
 * Names are looked up anew each time. Once somebody there was reached, the mesh goes on without the seed; who is there
 * and no live member that we know of may be another island, and is dialled again now and then.
 */

import type { MemberId } from "../core/machine.ts";
import { type Backoff, defaultBackoff, retryDelay } from "../signaling/backoff.ts";
import type { Seed } from "./seeds.ts";

/** How links by address are made. */
export interface Dialler {
  /** The addresses that a URL stands for at this moment: a list for each member that may be there. */
  resolve(url: string): Promise<readonly (readonly string[])[]>;
  /** Begins a link. Ends in one of both. */
  dial(
    addresses: readonly string[],
    then: { opened(peer: MemberId): void; failed(reason: string, isSelf: boolean): void },
  ): void;
}

export interface DialSeedOptions {
  readonly url: string;
  readonly dialler: Dialler;
  readonly backoff?: Partial<Backoff> | undefined;
  /** Whether a member is alive, as far as we know. */
  isLive(peer: MemberId): boolean;
  changed(seed: Seed): void;
}

/** Members of one name that are dialled at once while none of them was reached. */
const DIALS = 3;

/** How often a seed that was reached is looked at again, ms: and half as much more or less. */
const LOOK_MS = 10_000;

export class DialSeed implements Seed {
  readonly url: string;
  state: Seed["state"] = "connecting";
  reason: string | undefined;
  readonly #options: DialSeedOptions;
  readonly #backoff: Backoff;
  /** Who was found at an address, `undefined` for ourselves. */
  readonly #found = new Map<string, MemberId | undefined>();
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts the looks: what an older one finds does not matter any more. */
  #look = 0;

  constructor(options: DialSeedOptions) {
    this.url = options.url;
    this.#options = options;
    this.#backoff = { ...defaultBackoff, ...options.backoff };
    this.#lookSoon();
  }

  pause(): void {
    this.#stop("paused");
    this.#options.changed(this);
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.#become("connecting", this.reason);
    this.#lookSoon();
  }

  /** What waits is tried now. */
  retry(): void {
    if (this.state === "waiting" || this.state === "up") this.#lookSoon();
  }

  close(): void {
    this.#stop("closed");
  }

  #stop(state: "paused" | "closed"): void {
    this.state = state;
    this.#look++;
    clearTimeout(this.#timer);
  }

  #lookSoon(): void {
    clearTimeout(this.#timer);
    const look = ++this.#look;
    const { dialler } = this.#options;
    dialler.resolve(this.url).then(
      (all) => this.#look === look && this.#dialSome(all, look),
      (error: Error) => this.#look === look && this.#failed(error.message),
    );
  }

  #dialSome(all: readonly (readonly string[])[], look: number): void {
    const known = new Set(all.map(keyOf));
    for (const key of this.#found.keys()) if (!known.has(key)) this.#found.delete(key);
    const others = all.filter((one) => !this.#isSelf(one));
    if (all.length > 0 && others.length === 0) return this.#settle("self");
    const away = others.filter((one) => !this.#isHere(one));
    if (others.length === 0) return this.#failed("the name has no address");
    if (away.length === 0) return this.#settle("up");
    // Somebody is there: of the others one at a time is looked for.
    const chosen = shuffled(away).slice(0, away.length < others.length ? 1 : DIALS);
    let open = chosen.length;
    let reached = false;
    let problem = "nobody answers";
    for (const addresses of chosen) {
      let done = false;
      const ended = (note: () => void): void => {
        // A link that opened may end.
        if (done) return;
        done = true;
        note();
        if (--open === 0 && this.#look === look) this.#dialled(all, reached, problem);
      };
      this.#options.dialler.dial(addresses, {
        opened: (peer) =>
          ended(() => {
            reached = true;
            this.#found.set(keyOf(addresses), peer);
          }),
        failed: (reason, isSelf) =>
          ended(() => {
            if (isSelf) this.#found.set(keyOf(addresses), undefined);
            else problem = reason;
          }),
      });
    }
  }

  #dialled(all: readonly (readonly string[])[], reached: boolean, problem: string): void {
    if (reached || all.some((one) => this.#isHere(one))) return this.#settle("up");
    if (all.every((one) => this.#isSelf(one))) return this.#settle("self");
    this.#failed(problem);
  }

  #isSelf(addresses: readonly string[]): boolean {
    const key = keyOf(addresses);
    return this.#found.has(key) && this.#found.get(key) === undefined;
  }

  /** Who was found there is alive, as far as we know. */
  #isHere(addresses: readonly string[]): boolean {
    const peer = this.#found.get(keyOf(addresses));
    return peer !== undefined && this.#options.isLive(peer);
  }

  #settle(state: "up" | "self"): void {
    this.#failures = 0;
    this.#become(state, undefined);
    this.#timer = setTimeout(() => this.#lookSoon(), LOOK_MS * (0.5 + Math.random()));
  }

  #failed(reason: string): void {
    const ms = retryDelay(0, ++this.#failures, this.#backoff, Math.random());
    this.#become("waiting", reason);
    this.#timer = setTimeout(() => this.#lookSoon(), ms);
  }

  #become(state: Seed["state"], reason: string | undefined): void {
    const isNews = state !== this.state || reason !== this.reason;
    this.state = state;
    this.reason = reason;
    if (isNews || state === "waiting") this.#options.changed(this);
  }
}

function keyOf(addresses: readonly string[]): string {
  return addresses.join(" ");
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
