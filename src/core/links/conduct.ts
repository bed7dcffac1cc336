/**
 * How a member behaves. What an honest one does in its worst hour stays below these rates: who is above them floods, or
 * means harm, and is cut off by each of its neighbours for itself.
 *
 * Large frames do not count: the window of the link holds them back. For what it says and writes for all to handle each
 * member answers by itself (`Quarantine`), whoever passes it on.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { MemberId } from "../machine.ts";

/** What is not borne. */
export type Offence =
  /** More small frames, or more to be passed on, than anybody can handle beside all else. */
  | "flood"
  /** Frames that mean nothing. A later minor version may have some that we do not know. */
  | "malformed"
  /** What is not made by whom it names. Honest members pass none of it on. */
  | "forged";

interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** For each link. Guess, unmeasured: several times what the simulator's worst storms bring over one. */
const RATES: Readonly<Record<Offence | "carried", Rate>> = {
  flood: { perSecond: 1_000, burst: 5_000 },
  // What is carried for many is not who carries it to be blamed for: each origin is held to less, and who sends to us
  // (`routing/pace.ts`).
  carried: { perSecond: 50_000, burst: 200_000 },
  malformed: { perSecond: 1, burst: 100 },
  forged: { perSecond: 0.1, burst: 16 },
};

/** What one member makes for all to handle, by whatever ways it comes. Guess, unmeasured. */
const ORIGIN: Rate = { perSecond: 5_000, burst: 20_000 };
const ORIGINS_MAX = 4_096;

/** Of that we make so much ourselves: what a stall has held up comes to others all at once. Guess, unmeasured. */
const OWN_SHARE = 0.8;

/** Frames that are larger are held back by the window. Bytes. */
export const SMALL_BYTES = 4_096;

/** One end of a link. */
export class Conduct {
  /** All named from the start: each link is looked at with every frame. */
  readonly #buckets: { -readonly [W in keyof typeof RATES]: TokenBucket | undefined } = {
    flood: undefined,
    carried: undefined,
    malformed: undefined,
    forged: undefined,
  };

  /** Whether it is too much by now. */
  tooMuch(what: keyof typeof RATES, now: number): boolean {
    const { perSecond, burst } = RATES[what];
    this.#buckets[what] ??= new TokenBucket(perSecond, burst, now);
    return !this.#buckets[what].take(now);
  }
}

/** Who has misbehaved is not linked with for a while, and is not heard over others. */
export class Quarantine {
  readonly #forMs: number;
  readonly #until = new BoundedMap<MemberId, number>(ORIGINS_MAX);
  readonly #own: TokenBucket;
  readonly #origins = new BoundedMap<MemberId, TokenBucket>(ORIGINS_MAX);

  constructor(forMs: number, now: number) {
    this.#forMs = forMs;
    this.#own = new TokenBucket(OWN_SHARE * ORIGIN.perSecond, OWN_SHARE * ORIGIN.burst, now);
  }

  /** Whether others bear one more thing that we make. If so it is to be made. */
  mayMake(now: number): boolean {
    return this.#own.take(now);
  }

  add(id: MemberId, now: number): void {
    this.#until.set(id, now + this.#forMs);
  }

  has(id: MemberId, now: number): boolean {
    return this.#until.size > 0 && now < (this.#until.get(id) ?? 0);
  }

  /** Whether a member makes more than can be borne. */
  makesTooMuch(origin: MemberId, now: number): boolean {
    let bucket = this.#origins.get(origin);
    if (bucket === undefined) {
      bucket = new TokenBucket(ORIGIN.perSecond, ORIGIN.burst, now);
      this.#origins.set(origin, bucket);
    }
    return !bucket.take(now);
  }
}
