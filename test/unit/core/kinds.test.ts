// Which transports members have in common, and which one an attempt goes by.
import { describe, expect, test } from "vitest";
import { bitOf, bitsOf, canLink, kindsIn } from "../../../src/core/lib/kinds.ts";
import { Rng } from "../../../src/core/lib/rng.ts";
import type { Effect } from "../../../src/core/machine.ts";
import { MemberTable } from "../../../src/core/membership/table.ts";
import { Choice } from "../../../src/core/overlay/choice.ts";
import { Redial } from "../../../src/core/overlay/redial.ts";
import { Sides } from "../../../src/core/overlay/sides.ts";
import { FLAG_NODE, FLAG_SLOW_OFFERER } from "../../../src/core/wire/messages.ts";
import { configOf, memberId, recordOf } from "./support.ts";

const BOTH = ["udp", "webrtc"];
const WEBRTC = bitOf("webrtc");
const UDP = bitOf("udp");
const peer = memberId(2);

describe("kinds as flags", () => {
  test("those of ours and of others have bits of their own, apart from the other flags", () => {
    const bits = ["webrtc", "udp", "mine"].map(bitOf);
    expect(new Set([...bits, FLAG_NODE, FLAG_SLOW_OFFERER]).size).toBe(5);
    const flags = bitsOf(["webrtc", "udp", "mine"]) | FLAG_NODE | FLAG_SLOW_OFFERER;
    expect(kindsIn(flags)).toBe(bitsOf(["webrtc", "udp", "mine"]));
    // Whatever it is called, it is one bit of 32.
    for (const kind of ["", "é", "x".repeat(300)]) expect(Math.log2(bitOf(kind)) % 1).toBe(0);
  });

  test("two can link that have one in common, or of whom one does not say", () => {
    expect(canLink(WEBRTC | UDP, UDP | FLAG_NODE)).toBe(true);
    expect(canLink(WEBRTC | FLAG_NODE, UDP | FLAG_NODE)).toBe(false);
    expect(canLink(FLAG_NODE, UDP)).toBe(true);
    expect(canLink(UDP, 0)).toBe(true);
  });
});

describe("the transport of an attempt", () => {
  test("is the best that both have", () => {
    const choice = new Choice({ kinds: BOTH });
    expect(choice.of(peer, WEBRTC | UDP, 0)).toBe("udp");
    expect(choice.of(peer, WEBRTC, 0)).toBe("webrtc");
    expect(choice.of(peer, 0, 0)).toBe(undefined);
    expect(choice.suits(bitOf("mine"))).toBe(false);
    expect(new Choice({ kinds: [] }).of(peer, UDP, 0)).toBe(undefined);
  });

  test("is another for a minute after one has failed, while there is another", () => {
    const choice = new Choice({ kinds: BOTH });
    choice.failed(peer, "udp", 0);
    expect(choice.of(peer, WEBRTC | UDP, 1)).toBe("webrtc");
    expect(choice.of(peer, UDP, 1)).toBe("udp");
    expect(choice.offer(peer, WEBRTC | UDP, 1)).toBe(WEBRTC);
    expect(choice.offer(peer, UDP, 1)).toBe(WEBRTC | UDP);
    expect(choice.offer(memberId(3), 0, 1)).toBe(WEBRTC | UDP);
    expect(choice.of(peer, WEBRTC | UDP, 60_000)).toBe("udp");
    choice.failed(peer, "udp", 70_000);
    choice.failed(peer, "webrtc", 70_001);
    expect(choice.of(peer, WEBRTC | UDP, 70_002)).toBe("udp");
    choice.failed(peer, "udp", 80_000);
    choice.forget();
    expect(choice.of(peer, WEBRTC | UDP, 80_001)).toBe("udp");
    choice.failed(peer, "udp", 90_000);
    expect([choice.forgive(peer), choice.forgive(peer)]).toEqual([true, false]);
  });
});

/** A table with members that have these kinds, from number 2 on. */
function tableOf(kinds: readonly string[], all: readonly (readonly string[])[]): MemberTable {
  const table = new MemberTable(configOf({}, { kinds }), 0);
  for (const [i, one] of all.entries()) {
    const addresses = one.includes("udp") ? [`udp://10.0.0.${i}:1`] : [];
    table.applyRecord(recordOf(memberId(2 + i), { flags: bitsOf(one), addresses }), 0);
  }
  return table;
}

describe("keeping the sides together", () => {
  const all = [["webrtc"], ["webrtc"], ["webrtc"], ["webrtc"], ["udp"], BOTH, []];

  test("who has both wants three links with each side, and keeps them", () => {
    const table = tableOf(BOTH, all);
    const sides = new Sides(configOf({}, { kinds: BOTH }), table);
    sides.look(0);
    const linked = [memberId(2), memberId(7)];
    expect(sides.lacking((id) => linked.includes(id))).toEqual([
      { others: [memberId(3), memberId(4), memberId(5)], linked: 1 },
      { others: [memberId(6)], linked: 0 },
    ]);
    const three = [memberId(2), memberId(3), memberId(4), memberId(7)];
    expect(three.map((id) => sides.needs(id, three))).toEqual([true, true, true, false]);
    expect(sides.needs(memberId(2), [...three, memberId(5)])).toBe(false);
    expect(sides.reachable).toBe(7);
  });

  test("who has one wants none in particular, and knows how many it can have", () => {
    const sides = new Sides(configOf({}, { kinds: ["webrtc"] }), tableOf(["webrtc"], all));
    sides.look(0);
    expect(sides.lacking(() => false)).toEqual([]);
    expect(sides.needs(memberId(2), [memberId(2)])).toBe(false);
    expect(sides.reachable).toBe(6);
  });

  test("where all of one side have the other's transport too, there is nothing to bridge", () => {
    const sides = new Sides(configOf({}, { kinds: BOTH }), tableOf(BOTH, [["udp"], BOTH]));
    sides.look(0);
    expect(sides.lacking(() => false)).toEqual([]);
  });
});

test("members that are down and had an address are dialled, seldom, and nobody else", () => {
  const config = configOf({}, { kinds: BOTH, dials: true });
  const table = tableOf(BOTH, [["udp"], ["udp"], ["udp"], ["webrtc"]]);
  for (const n of [2, 3, 5]) {
    table.applyClaim({ id: memberId(n), generation: 1, incarnation: 0, state: "down" }, 0);
  }
  const effects: Effect[] = [];
  const out = {
    effect: (effect: Effect) => effects.push(effect),
    linked: (id: string) => id === memberId(3),
    cut: () => new Set<string>(),
  };
  const redial = new Redial(config, Rng.fromSeed(1), table, out);
  for (let now = 0; now < 60_000; now += 500) redial.look(false, now);
  expect(effects.length).toBeGreaterThan(15);
  expect(effects.length).toBeLessThan(45);
  const dial = { type: "dial", peer: memberId(2), addresses: ["udp://10.0.0.0:1"] };
  for (const effect of effects) expect(effect).toEqual(dial);
  // Without any link everyone with an address may be the way back.
  effects.length = 0;
  for (let now = 60_000; now < 120_000; now += 500) redial.look(true, now);
  const dialled = effects.flatMap((effect) => (effect.type === "dial" ? effect.peer : []));
  expect(new Set(dialled)).toEqual(new Set([memberId(2), memberId(4)]));
  // Who cannot dial does not.
  effects.length = 0;
  new Redial(configOf(), Rng.fromSeed(1), table, out).look(true, 0);
  expect(effects).toEqual([]);
});
