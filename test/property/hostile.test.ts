// 100,000 spoilt frames of each message type against a member: each is counted or is a message, nobody falls, nothing
// grows without bound, and what the member says about itself stays.
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { Core } from "../../src/core/core.ts";
import { Writer } from "../../src/core/lib/bytes.ts";
import { Rng } from "../../src/core/lib/rng.ts";
import type { Input } from "../../src/core/machine.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import { messages } from "../support/any-messages.ts";
import { configOf, memberId, recordOf } from "../unit/core/support.ts";

const SPOILT = 100_000;
const SAMPLES = 200;

/** The slowest takes 8 s on an idle machine. */
const TEST_MS = 180_000;
const HEADER_BYTES = 5;
const OWN = memberId(1);
const config = configOf({}, { id: OWN, name: "victim", generation: 7 });
const codec = frameCodec(config.clusterHash);

/** A member with one neighbour. Whenever that is thrown out another one comes: what is said of it may be forged. */
class Victim {
  core = new Core(config, 0);
  /** How often it has stopped, since somebody took its identity. Whoever claims it is believed until it is proven. */
  takenCount = 0;
  /** Frames that were refused in former lives. */
  #refused = 0;
  #now = 0;
  #link = 0;
  #open = false;

  get refused(): number {
    const { malformed, cluster, version } = this.core.stats().rejected;
    return this.#refused + malformed + cluster + version;
  }

  take(bytes: Uint8Array, lane: "reliable" | "datagram"): void {
    if (this.core.layers.stopped) {
      this.takenCount++;
      this.#refused = this.refused;
      this.core = new Core(config, this.#now);
      this.#open = false;
    }
    // A good-bye that came about by chance ends the link as an honest one would.
    if (this.#open && this.core.layers.links.count === 0) this.#close();
    if (!this.#open) this.#greet();
    this.#now += 1;
    this.#step({ type: "packet", link: this.#link, lane, bytes });
    if (this.core.deadline <= this.#now) this.#step({ type: "deadline" });
  }

  #greet(): void {
    this.#link++;
    this.#open = true;
    const peer = memberId(1_000 + this.#link);
    this.#step({ type: "linkUp", link: this.#link, attempt: undefined, transport: "test", peer });
    const record = recordOf(peer, { neighbours: [OWN] });
    const bytes = codec.encode({ type: "hello", record, features: 0 });
    this.#step({ type: "packet", link: this.#link, lane: "reliable", bytes });
  }

  #close(): void {
    this.#open = false;
    this.core.step({ type: "linkDown", link: this.#link, reason: "closed" }, this.#now);
  }

  #step(input: Input): void {
    for (const effect of this.core.step(input, this.#now)) {
      if (effect.type === "disconnect" && effect.link === this.#link) this.#close();
      // All bulk leaves at once.
      if (effect.type === "send" && effect.lane !== "datagram") {
        const { link, bytes } = effect;
        this.core.step({ type: "writable", link, bytes: bytes.length }, this.#now);
      }
    }
  }
}

/** Changes, cuts, lengthens, or puts numbers of any size in. */
function spoil(frame: Uint8Array, rng: Rng): Uint8Array {
  const body = Math.max(1, frame.length - HEADER_BYTES);
  const how = rng.below(8);
  if (how === 0) return frame.slice(0, rng.below(frame.length));
  if (how === 1) {
    const longer = new Uint8Array(frame.length + 1 + rng.below(30));
    longer.set(frame);
    return longer;
  }
  if (how === 2) {
    const at = HEADER_BYTES + rng.below(body);
    const w = new Writer();
    w.varint(2 ** rng.below(53));
    return Uint8Array.of(...frame.subarray(0, at), ...w.take(), ...frame.subarray(at + 1));
  }
  const copy = frame.slice();
  for (let i = 0; i <= rng.below(4); i++) {
    const at = rng.below(20) === 0 ? rng.below(copy.length) : HEADER_BYTES + rng.below(body);
    if (at < copy.length) copy[at] = rng.below(256);
  }
  return copy;
}

describe(`row 45: ${SPOILT.toLocaleString("en")} spoilt frames of each type`, () => {
  const victim = new Victim();

  test.each(Object.keys(messages) as Message["type"][])(
    "%s",
    (type) => {
      const any = messages[type] as fc.Arbitrary<Message>;
      const frames = fc.sample(any, { numRuns: SAMPLES, seed: 1 }).map(codec.encode);
      const rng = Rng.fromSeed(type.length);
      const refusedBefore = victim.refused;
      let spelled = 0;
      for (let i = 0; i < SPOILT; i++) {
        const bytes = spoil(frames[i % SAMPLES] as Uint8Array, rng);
        if (!codec.decode(bytes).ok) spelled++;
        victim.take(bytes, bytes.length <= 1_100 && i % 2 === 0 ? "datagram" : "reliable");
      }
      // Each that is no message is counted.
      expect(victim.refused - refusedBefore).toBeGreaterThanOrEqual(spelled);
      expect(spelled).toBeGreaterThan(SPOILT / 20);
      expect(victim.core.members().length).toBeLessThanOrEqual(config.membersMax);
      const { deadlines, common } = victim.core.layers;
      expect(deadlines.size).toBeLessThan(4 * config.membersMax);
      expect(common.sharing.registers.bytes).toBeLessThanOrEqual(2 * config.sharedBytesMax);
    },
    TEST_MS,
  );

  afterAll(() => {
    const own = victim.core.members()[0];
    expect(own).toMatchObject({ id: OWN, name: "victim", state: "alive" });
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
