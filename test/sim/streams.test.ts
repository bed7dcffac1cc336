// Streams in virtual time: what arrives is what was written, in order and once, or both ends learn that it is over.
import { describe, expect, test } from "vitest";
import type { StreamOutcome } from "../../src/core/machine.ts";
import type { SimMember, World } from "../../src/sim/index.ts";
import { grown, linkedWith, within } from "./graph.ts";

/** What is at an offset of a stream, so that a byte out of place shows. */
const byteAt = (offset: number): number => (offset * 31 + (offset >> 8) * 7 + (offset >> 16)) & 255;

/** Opens a stream of `total` bytes and drives both of its applications. */
class Transfer {
  readonly from: SimMember;
  readonly to: SimMember;
  readonly id: number;
  readonly outcomes: { from?: StreamOutcome; to?: StreamOutcome } = {};
  readonly messages: string[] = [];
  received = 0;
  written = 0;
  ended = false;
  /** Bytes that the reader takes in a second; what it has not taken yet waits. */
  readPerSecond = Number.POSITIVE_INFINITY;
  unreadMost = 0;
  aheadMost = 0;
  readonly #world: World;
  readonly #total: number;
  #there = 0;
  #read = 0;

  constructor(
    world: World,
    from: SimMember,
    to: SimMember,
    { total = 1_000_000, id = 1 }: { total?: number; id?: number } = {},
  ) {
    this.#world = world;
    this.#total = total;
    Object.assign(this, { from, to, id });
    this.from = from;
    this.to = to;
    this.id = id;
    world.observe({
      onEvent: (member, event) => {
        if (event.type !== "stream") return;
        if (member === from && event.id === id) {
          if (event.what === "progress") world.later(0, () => this.#write(event.writableTo));
          if (event.what === "closed") this.#closed("from", event.outcome, event.message);
        }
        if (member !== to) return;
        if (event.what === "offered" && event.name === `s${id}` && event.from === from.config.id) {
          this.#there = event.id;
          world.later(0, () => world.command(to, { type: "streamTake", id: event.id }));
        }
        if (event.id !== this.#there) return;
        if (event.what === "data") this.#take(event.bytes);
        if (event.what === "ended") {
          this.ended = true;
          world.later(0, () => world.command(to, { type: "streamEnd", id: this.#there }));
        }
        if (event.what === "closed") this.#closed("to", event.outcome, event.message);
      },
    });
    world.command(from, { type: "streamOpen", id, to: to.config.id, name: `s${id}` });
  }

  get done(): boolean {
    return this.outcomes.from === "done" && this.outcomes.to === "done";
  }

  get over(): boolean {
    return this.outcomes.from !== undefined && this.outcomes.to !== undefined;
  }

  abort(at: "from" | "to", message: string): void {
    const id = at === "from" ? this.id : this.#there;
    this.outcomes[at] = "aborted";
    this.#world.command(this[at], { type: "streamAbort", id, message });
  }

  #closed(at: "from" | "to", outcome: StreamOutcome, message: string): void {
    expect(this.outcomes[at]).toBeUndefined();
    this.outcomes[at] = outcome;
    this.messages.push(message);
  }

  #write(writableTo: number): void {
    if (!this.from.alive) return;
    while (this.written < Math.min(writableTo, this.#total)) {
      const length = Math.min(50_000, this.#total - this.written);
      const bytes = Uint8Array.from({ length }, (_, i) => byteAt(this.written + i));
      this.written += length;
      this.#world.command(this.from, { type: "streamWrite", id: this.id, bytes });
      if (this.written === this.#total) {
        this.#world.command(this.from, { type: "streamEnd", id: this.id });
      }
    }
    this.aheadMost = Math.max(this.aheadMost, this.written - this.received);
  }

  #take(bytes: Uint8Array): void {
    const wrong = bytes.findIndex((byte, i) => byte !== byteAt(this.received + i));
    expect(wrong, `at ${this.received}`).toBe(-1);
    this.received += bytes.length;
    this.unreadMost = Math.max(this.unreadMost, this.received - this.#read);
    const ms = (bytes.length * 1_000) / this.readPerSecond;
    this.#world.later(ms === 0 ? 0 : Math.max(0, this.#busyUntil() - this.#world.now) + ms, () => {
      this.#read += bytes.length;
      if (!this.to.alive) return;
      const command = { type: "streamRead", id: this.#there, count: bytes.length } as const;
      this.#world.command(this.to, command);
    });
    this.#busy += ms;
  }

  #busy = 0;
  #started = 0;
  #busyUntil(): number {
    this.#started ||= this.#world.now;
    return this.#started + this.#busy;
  }
}

const strangers = (world: World, member: SimMember): SimMember[] =>
  world.live().filter((other) => other !== member && !linkedWith(member).includes(other));

/** Two members without a link, in a mesh where traffic brings none. */
function apart(seed: number, network: object = {}, count = 24): [World, SimMember, SimMember] {
  const parameters = { demandBytes: 1_000_000_000, demandMessages: 1_000_000 };
  const world = grown(seed, count, { ...network, parameters });
  const [from] = world.live() as [SimMember];
  const [to] = strangers(world, from) as [SimMember];
  return [world, from, to];
}

describe.each([1, 2, 3])("seed %i", (seed) => {
  test("eight streams between strangers arrive whole over others, at loss and on slow links", () => {
    const network = { loss: 0.1, reliableLoss: 0.02, bytesPerSecond: 2_000_000 };
    const [world] = apart(seed, network);
    const members = world.live();
    const transfers = members.slice(0, 8).map((from, i) => {
      const others = strangers(world, from);
      const to = others[(i * 5) % others.length] as SimMember;
      return new Transfer(world, from, to, { total: 400_000 + i, id: i + 1 });
    });
    within(world, 120_000, "all done", () => transfers.every(({ done }) => done));
    for (const [i, { received, ended }] of transfers.entries()) {
      expect([received, ended]).toEqual([400_000 + i, true]);
    }
  });

  test("relays crash and links break in the middle: it arrives whole all the same", () => {
    const [world, from, to] = apart(seed, { bytesPerSecond: 1_000_000 });
    const transfer = new Transfer(world, from, to, { total: 3_000_000 });
    const relays = new Map<SimMember, number>();
    world.observe({
      onStep: (member) => {
        relays.set(member, member.core.stats().relayed);
      },
    });
    for (let i = 1; i <= 3; i++) {
      within(world, 60_000, `${i}`, () => transfer.received > i * 500_000);
      // Whoever has carried most of it since.
      const busiest = [...relays]
        .filter(([member]) => member.alive && member !== from && member !== to)
        .sort(([, one], [, other]) => other - one)[0]?.[0];
      if (busiest === undefined) throw new Error("nobody relays");
      if (i === 2) world.cutLinks(busiest);
      else world.crash(busiest);
      relays.clear();
    }
    within(world, 60_000, "done", () => transfer.done);
    expect(transfer.received).toBe(3_000_000);
    expect(from.core.stats().streams.resentBytes).toBeGreaterThan(0);
  });

  test("a slow reader slows its writer, and nothing piles up on the way", () => {
    const [world, from, to] = apart(seed, { bytesPerSecond: 5_000_000 });
    const transfer = new Transfer(world, from, to, { total: 4_000_000 });
    transfer.readPerSecond = 200_000;
    let queuedMost = 0;
    world.observe({
      onStep: (member) => {
        for (const { queuedBytes } of member.core.links()) {
          queuedMost = Math.max(queuedMost, queuedBytes);
        }
      },
    });
    world.run(12_000);
    expect(transfer.received).toBeGreaterThan(1_000_000);
    // What was read, and a window beyond it.
    expect(transfer.received).toBeLessThan(12 * 200_000 + 1_100_000);
    expect(transfer.unreadMost).toBeLessThanOrEqual(1_100_000);
    expect(queuedMost).toBeLessThanOrEqual(1_100_000);
    transfer.readPerSecond = Number.POSITIVE_INFINITY;
    within(world, 30_000, "done", () => transfer.done);
    expect(transfer.aheadMost).toBeLessThan(2_000_000);
  });

  test("a partition ends it at both ends as gone, and what was read until then is right", () => {
    const [world, from, to] = apart(seed, { bytesPerSecond: 200_000 });
    const transfer = new Transfer(world, from, to, { total: 5_000_000 });
    within(world, 20_000, "under way", () => transfer.received > 300_000);
    world.partition(new Map(world.live().map((member) => [member, member === to ? 1 : 0])));
    within(world, 45_000, "over", () => transfer.over);
    expect(transfer.outcomes).toEqual({ from: "gone", to: "gone" });
    expect(transfer.ended).toBe(false);
  });

  test("either end aborts, and the other learns why; an end that crashes is gone", () => {
    const [world, from, to] = apart(seed, { loss: 0.05 });
    for (const [i, at] of (["from", "to"] as const).entries()) {
      const transfer = new Transfer(world, from, to, { total: 9_000_000, id: i + 1 });
      within(world, 20_000, "under way", () => transfer.received > 100_000);
      transfer.abort(at, "enough");
      within(world, 10_000, "told", () => transfer.over);
      expect(transfer.outcomes).toEqual({ from: "aborted", to: "aborted" });
      expect(transfer.messages).toEqual(["enough"]);
    }
    const last = new Transfer(world, from, to, { total: 9_000_000, id: 9 });
    within(world, 20_000, "under way", () => last.received > 100_000);
    world.restart(to);
    within(world, 40_000, "gone", () => last.outcomes.from === "gone");
    expect(from.core.stats().streams.open).toBe(0);
  });
});

test.each([1, 2])(
  "seed %i: streams over relays do not hold up what is said, by more than 250 ms",
  (seed) => {
    const [world, from, to] = apart(seed, { bytesPerSecond: 2_000_000 });
    const lateness = (ms: number): number => {
      const saidAt = new Map<string, number>();
      let most = 0;
      let count = 0;
      world.observe({
        onEvent: (_, event) => {
          if (event.type !== "heard" || !saidAt.has(event.name)) return;
          count++;
          most = Math.max(most, world.now - (saidAt.get(event.name) ?? 0));
        },
      });
      for (let i = 0; i < ms / 100; i++) {
        const speaker = world.live()[(i * 7) % world.live().length] as SimMember;
        const name = `${ms} ${i}`;
        saidAt.set(name, world.now);
        world.command(speaker, { type: "say", id: i, name, value: new Uint8Array(100) });
        world.run(100);
      }
      world.run(2_000);
      expect(count).toBeGreaterThan((ms / 100) * (world.live().length - 2));
      return most;
    };
    lateness(2_000);
    const before = lateness(3_000);
    const transfers = [1, 2, 3].map(
      (id) => new Transfer(world, from, to, { total: 20_000_000, id }),
    );
    world.run(1_000);
    const meanwhile = lateness(4_000);
    for (const { received, outcomes } of transfers) {
      expect(received).toBeGreaterThan(500_000);
      expect(outcomes).toEqual({});
    }
    expect(meanwhile - before).toBeLessThan(250);
  },
);
