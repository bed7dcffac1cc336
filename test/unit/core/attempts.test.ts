import { beforeEach, describe, expect, test } from "vitest";
import type { Config, Identity, Parameters } from "../../../src/core/config.ts";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import { bitsOf } from "../../../src/core/lib/kinds.ts";
import { Rng } from "../../../src/core/lib/rng.ts";
import type { Effect, MemberId } from "../../../src/core/machine.ts";
import { Attempts } from "../../../src/core/overlay/attempts.ts";
import type { Inner, LinkRequest } from "../../../src/core/wire/messages.ts";
import { configOf, memberId } from "./support.ts";

/** Ends that carry to each other, in order, until the test stops them. */
class End {
  readonly attempts: Attempts;
  readonly deadlines = new Deadlines();
  readonly config: Config;
  readonly effects: Effect[] = [];
  readonly log: string[] = [];
  wanted = true;
  refuses = false;
  suiting: MemberId | undefined;

  constructor(n: number, parameters: Partial<Parameters> = {}, identity: Partial<Identity> = {}) {
    this.config = configOf(parameters, { id: memberId(n), ...identity });
    this.attempts = new Attempts(this.config, this.deadlines, Rng.fromSeed(n), {
      effect: (effect) => this.effects.push(effect),
      carry: (to, inner) => {
        if (!ends.has(to)) return false;
        queue.push({ from: this.config.id, to, inner });
        return true;
      },
      refusal: () => (this.refuses ? "full" : undefined),
      wants: () => this.wanted,
      flagsOf: (peer) => bitsOf(ends.get(peer)?.config.kinds ?? []),
      suiting: () => this.suiting,
      referred: (seed, _, instead) => this.log.push(`referred by ${seed} to ${instead}`),
      missed: () => this.log.push("missed"),
      failed: (_, reason) => this.log.push(`failed: ${reason}`),
      notFound: () => this.log.push("not found"),
    });
    ends.set(this.config.id, this);
  }

  get id(): MemberId {
    return this.config.id;
  }

  ask(other: End, links = 1): void {
    this.attempts.ask(other.id, undefined, 1, links, now);
  }

  receive(from: MemberId, inner: Inner): void {
    if (inner.type === "linkRequest") this.attempts.onRequest(from, inner, undefined, now);
    else if (inner.type === "linkAccept") {
      this.attempts.onAccept(from, inner.attempt, inner.flags, undefined, now);
    } else if (inner.type === "linkReject") {
      this.attempts.onReject(from, inner, now);
    } else if (inner.type === "signal") this.attempts.onRemoteSignal(from, inner, now);
  }

  /** The transport says `text` for its newest attempt. */
  say(text: string): void {
    const attempt = this.connects.at(-1)?.attempt ?? -1;
    this.attempts.onLocalSignal(attempt, new TextEncoder().encode(text), now);
  }

  get connects(): Extract<Effect, { type: "connect" }>[] {
    return this.effects.filter((effect) => effect.type === "connect");
  }

  /** What the transport was told of the other end's signalling. */
  get told(): string[] {
    return this.effects.flatMap((effect) =>
      effect.type === "signal" ? new TextDecoder().decode(effect.payload) : [],
    );
  }

  /** Performs deadlines up to now. */
  pass(): void {
    for (let key = this.deadlines.take(now); key; key = this.deadlines.take(now)) {
      const id = Number(key.slice(key.indexOf(":") + 1));
      if (key.startsWith("attempt")) this.attempts.onDeadline(id, now);
      else this.attempts.onResendDeadline(id, now);
    }
  }
}

let ends: Map<MemberId, End>;
let queue: { from: MemberId; to: MemberId; inner: Inner }[];
let now: number;
let a: End;
let b: End;
beforeEach(() => {
  ends = new Map();
  queue = [];
  now = 0;
  a = new End(1);
  b = new End(2);
});

/** Carries what is on its way; gives its types. */
function deliver(): string[] {
  const types: string[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    types.push(next.inner.type);
    ends.get(next.to)?.receive(next.from, next.inner);
  }
  return types;
}

function wait(ms: number): void {
  now += ms;
  for (const end of ends.values()) end.pass();
}

describe("who dials when", () => {
  test("the asker after the answer, the other when the offer comes", () => {
    a.ask(b);
    expect([a.connects, b.connects]).toEqual([[], []]);
    expect(deliver()).toEqual(["linkRequest", "linkAccept"]);
    expect([a.connects.length, b.connects.length]).toEqual([1, 0]);
    a.say("offer");
    deliver();
    expect(b.connects.length).toBe(1);
    expect([a.connects[0]?.initiator, b.connects[0]?.initiator]).toEqual([true, false]);
    b.say("answer");
    deliver();
    expect([a.told, b.told]).toEqual([["answer"], ["offer"]]);
  });

  test.each([
    [true, false, false],
    [false, true, true],
    [true, true, true],
  ])("the asker offers, unless it alone is slow at it: %s, %s", (slowA, slowB, asks) => {
    const asker = new End(3, {}, { slowOfferer: slowA });
    const other = new End(4, {}, { slowOfferer: slowB });
    asker.ask(other);
    deliver();
    expect(asker.connects[0]?.initiator).toBe(asks);
    expect(other.connects.map(({ initiator }) => initiator)).toEqual(asks ? [] : [true]);
  });

  test("of several that are asked the first are dialled, and the others make no connection", () => {
    const c = new End(3);
    a.ask(b);
    a.ask(c);
    for (const next of queue.splice(0)) ends.get(next.to)?.receive(next.from, next.inner);
    const [first, second] = queue.splice(0) as [(typeof queue)[0], (typeof queue)[0]];
    a.receive(first.from, first.inner);
    a.wanted = false;
    a.receive(second.from, second.inner);
    expect(deliver()).toEqual(["linkReject"]);
    expect([a.connects.length, c.connects.length]).toEqual([1, 0]);
    expect(c.attempts.peerCount).toBe(0);
    expect(c.log).toEqual([]);
  });

  test("when both ask at once, one link is made, and the lower id's request stands", () => {
    a.ask(b);
    b.ask(a);
    deliver();
    a.say("offer");
    deliver();
    expect([a.connects.length, b.connects.length]).toEqual([1, 1]);
    expect([a.connects[0]?.initiator, b.connects[0]?.initiator]).toEqual([true, false]);
  });

  test("when two walks cross, one link is made too", () => {
    const request = { a: a.attempts.walk(1, 2, now), b: b.attempts.walk(1, 2, now) };
    expect(b.attempts.onWalk(a.id, request.a, now)).toBe(true);
    expect(a.attempts.onWalk(b.id, request.b, now)).toBe(true);
    deliver();
    a.say("offer");
    deliver();
    expect([a.connects.length, b.connects.length]).toEqual([1, 1]);
    expect(b.told).toEqual(["offer"]);
  });
});

describe("what is lost", () => {
  test("an offer, or its answer, is said again, and each is heard once and in order", () => {
    a.ask(b);
    deliver();
    a.say("offer");
    a.say("candidate");
    queue.length = 0;
    wait(2_000);
    deliver();
    expect(b.told).toEqual(["offer", "candidate"]);
    b.say("answer");
    queue.length = 0;
    wait(2_000);
    deliver();
    expect([a.told, b.told]).toEqual([["answer"], ["offer", "candidate"]]);
    a.attempts.onLinked(a.connects[0]?.attempt ?? 0, now);
    wait(2_000);
    expect(queue).toEqual([]);
  });

  test("an answer: the asker pauses and asks again later, the other forgets it in time", () => {
    a.ask(b);
    ends.delete(a.id);
    deliver();
    expect([b.attempts.peerCount, b.log]).toEqual([0, []]);
    ends.set(a.id, a);
    wait(3_000);
    expect(a.log).toEqual(["failed: no answer"]);
    expect(a.attempts.pauses.until(b.id)).toBeGreaterThan(now);
    a.attempts.pauses.endAll();
    a.ask(b);
    deliver();
    queue.length = 0;
    wait(10_000);
    expect(b.attempts.peerCount).toBe(0);
    expect(b.log).toEqual([]);
  });

  test("a walk ends in a miss, and who takes it too late is told so", () => {
    const request = a.attempts.walk(1, 2, now);
    wait(3_000);
    expect(a.log).toEqual(["missed"]);
    b.attempts.onWalk(a.id, request, now);
    expect(deliver()).toEqual(["linkAccept", "linkReject"]);
    expect([b.attempts.peerCount, a.connects, b.connects]).toEqual([0, [], []]);
  });

  test("the way of a request: it is not waited for", () => {
    a.ask(b);
    a.attempts.onNoRoute(b.id, now);
    expect([a.attempts.count, a.log]).toEqual([0, ["not found"]]);
  });
});

describe("bounds", () => {
  test("connections begun in a minute, by asking and by being asked, except for who has no link", () => {
    const few = new End(9, { dialsPerMinuteMax: 3 });
    const others = Array.from({ length: 6 }, (_, i) => new End(20 + i));
    for (const other of others.slice(0, 4)) {
      few.ask(other);
      deliver();
    }
    expect(few.connects.length).toBe(3);
    const [, , , , needy, late] = others as [End, End, End, End, End, End];
    late.ask(few, 1);
    deliver();
    expect(late.log).toEqual(["failed: refused: full"]);
    needy.ask(few, 0);
    deliver();
    expect(needy.connects.length).toBe(1);
    wait(20_000);
    few.ask(others[3] as End);
    deliver();
    expect(few.connects.length).toBe(4);
  });

  test("answers that nobody asked for make no connection", () => {
    for (let attempt = 0; attempt < 100; attempt++) {
      a.receive(b.id, { type: "linkAccept", attempt, flags: 0 });
    }
    expect([a.connects, a.attempts.count]).toEqual([[], 0]);
    expect(new Set(deliver())).toEqual(new Set(["linkReject"]));
  });

  test("requests of invented members are granted up to a bound, and forgotten", () => {
    const request: LinkRequest = { attempt: 1, generation: 1, flags: 0, links: 0 };
    for (let n = 0; n < 1_000; n++) {
      a.attempts.onRequest(memberId(1_000 + n), request, undefined, now);
      ends.set(memberId(1_000 + n), b);
      a.attempts.onRequest(memberId(1_000 + n), request, undefined, now);
    }
    expect(a.attempts.peerCount).toBe(4 * a.config.attemptsMax);
    expect(a.connects).toEqual([]);
    wait(10_000);
    expect(a.attempts.peerCount).toBe(0);
  });

  test("a refusal begins a pause that doubles, and ends with a link", () => {
    b.refuses = true;
    const pauses: number[] = [];
    for (let i = 0; i < 4; i++) {
      a.ask(b);
      deliver();
      pauses.push(a.attempts.pauses.until(b.id) - now);
      now += 100_000;
    }
    const { retryMinMs } = a.config;
    pauses.forEach((ms, i) => {
      expect(ms / (retryMinMs * 2 ** i)).toBeGreaterThanOrEqual(0.5);
      expect(ms / (retryMinMs * 2 ** i)).toBeLessThanOrEqual(1.5);
    });
    a.attempts.onUp(b.id);
    expect(a.attempts.pauses.until(b.id)).toBe(0);
  });
});

describe("members with several transports", () => {
  const both = { kinds: ["udp", "webrtc"] };

  test("go by the best that both have, and by another when it has failed", () => {
    const [c, d] = [new End(3, {}, both), new End(4, {}, both)];
    c.ask(d);
    deliver();
    expect(c.connects.at(-1)).toMatchObject({ transport: "udp", initiator: true });
    c.say("offer");
    deliver();
    expect(d.connects.at(-1)).toMatchObject({ transport: "udp", initiator: false });
    c.attempts.onConnectFailed(c.connects.at(-1)?.attempt ?? -1, "no way", now);
    deliver();
    d.ask(c);
    deliver();
    expect(d.connects.at(-1)).toMatchObject({ transport: "webrtc", initiator: true });
  });

  test("that have none in common say so, and through a seed whom to ask in their place", () => {
    const [c, d] = [new End(3, {}, { kinds: ["udp"] }), new End(4, {}, { kinds: ["webrtc"] })];
    d.suiting = memberId(9);
    c.attempts.ask(d.id, 7, 1, 0, now);
    deliver();
    expect(c.log).toEqual([`referred by 7 to ${memberId(9)}`, "failed: refused: kind"]);
    expect([c.connects, d.connects]).toEqual([[], []]);
  });
});
