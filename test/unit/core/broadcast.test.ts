import { beforeEach, describe, expect, test } from "vitest";
import { Broadcast } from "../../../src/core/broadcast/broadcast.ts";
import type { Payload } from "../../../src/core/broadcast/cache.ts";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { configOf, memberId } from "./support.ts";

const OWN = memberId(1);
const [A, B, C, O] = [2, 3, 4, 9].map(memberId) as [MemberId, MemberId, MemberId, MemberId];
const config = configOf({}, { id: OWN });
const n = (id: MemberId): number => Number.parseInt(id, 16);

let broadcast: Broadcast;
let deadlines: Deadlines;
let log: string[];
let neighbours: MemberId[];
let full: MemberId[];
let reached: MemberId[];
let busy: MemberId | undefined;
let pushed: (payload: Payload) => unknown;

beforeEach(() => {
  busy = undefined;
  pushed = () => undefined;
  deadlines = new Deadlines();
  log = [];
  neighbours = [A, B, C];
  full = [];
  reached = [];
  broadcast = new Broadcast(config, deadlines, {
    neighbours: () => neighbours,
    reaches: (_origin, neighbour) => reached.includes(neighbour),
    push: (to, payload) => {
      const { id, hop } = payload;
      pushed(payload);
      const taken = to.filter((peer) => !full.includes(peer));
      for (const peer of taken)
        log.push(`push ${n(id.origin)}/${id.sequence} to ${n(peer)}, hop ${hop}`);
      return to.filter((peer) => full.includes(peer));
    },
    tell: (to, message) => {
      const what =
        message.type === "prune"
          ? n(message.origin)
          : message.ids.map(({ origin, sequence }) => `${n(origin)}/${sequence}`).join(" ");
      const type = message.type === "graft" && message.once ? "ask" : message.type;
      log.push(`${type} ${what} to ${n(to)}`);
    },
    deliver: ({ id }) => log.push(`deliver ${id.sequence}`),
    gap: (_origin, { from, to }) => log.push(`gap ${from}-${to}`),
    bulkProgressAt: () => Number.NEGATIVE_INFINITY,
    bringsBulk: (from) => from === busy,
  });
});

function payload(sequence: number, change: Partial<Payload["id"]> = {}): Payload {
  const id = { origin: O, generation: 1, sequence, ...change };
  return { type: "payload", id, hop: 2, flood: false, name: "n", value: new Uint8Array(1) };
}

const say = (now = 0): readonly MemberId[] =>
  broadcast.say(broadcast.next("n", new Uint8Array(1), 1), undefined, now);

function taken(): string[] {
  return log.splice(0);
}

/** Performs what is due up to `until`. */
function pass(until: number): void {
  for (let now = deadlines.next; now <= until; now = deadlines.next) {
    const [scope, subject = ""] = (deadlines.take(now) ?? "").split(":");
    if (scope === "announce") broadcast.onAnnounceDeadline(now);
    if (scope === "silence") broadcast.onSilenceDeadline(now);
    if (scope === "keep") broadcast.onKeepDeadline(now);
    if (scope === "missing") broadcast.onMissingDeadline(subject, now);
  }
}

describe("saying", () => {
  test("goes to every neighbour, numbered one by one", () => {
    expect([say(), say()]).toEqual([neighbours, neighbours]);
    expect(taken()).toEqual(
      [1, 2].flatMap((sequence) => [2, 3, 4].map((to) => `push 1/${sequence} to ${to}, hop 0`)),
    );
  });

  test("alone goes to nobody", () => {
    neighbours = [];
    expect(say()).toEqual([]);
  });

  test("a neighbour that pruned us is only told that there is something, all at once after 50 ms", () => {
    broadcast.onPrune(A, OWN);
    say();
    say(10);
    expect(taken().filter((one) => one.includes("to 2"))).toEqual([]);
    pass(config.iHaveDelayMs - 1);
    expect(taken()).toEqual([]);
    pass(config.iHaveDelayMs);
    expect(taken()).toEqual(["iHave 1/1 1/2 to 2"]);
  });

  test("a neighbour whose queue is full is told instead, and is not waited for", () => {
    full = [B];
    expect(say()).toEqual([A, C]);
    pass(1_000);
    expect(taken()).toContain("iHave 1/1 to 3");
  });

  test("announcements never grow beyond one message", () => {
    broadcast.onPrune(A, OWN);
    for (let i = 0; i < 1_500; i++) say();
    const iHaves = taken().filter((one) => one.startsWith("iHave"));
    expect(iHaves.length).toBe(1);
    expect(iHaves[0]?.split(" ").length).toBe(1 + 1_024 + 2);
    pass(50);
    expect(taken()[0]?.split(" ").length).toBe(1 + 476 + 2);
  });
});

describe("hearing", () => {
  test("passes on to all but where it came from and its origin, then delivers", () => {
    neighbours = [A, B, O];
    broadcast.onPayload(A, payload(1), 0);
    expect(taken()).toEqual(["push 9/1 to 3, hop 3", "deliver 1"]);
  });

  test("neighbours that the origin reaches itself are only told", () => {
    reached = [B];
    broadcast.onPayload(A, payload(1), 0);
    expect(taken()).toEqual(["push 9/1 to 4, hop 3", "deliver 1"]);
    pass(50);
    expect(taken()).toEqual(["iHave 9/1 to 3"]);
  });

  test("a duplicate prunes its link, and goes nowhere", () => {
    broadcast.onPayload(A, payload(1), 0);
    taken();
    broadcast.onPayload(B, payload(1), 0);
    expect(taken()).toEqual(["prune 9 to 3"]);
    broadcast.onPayload(A, payload(2), 0);
    expect(taken()).toEqual(["push 9/2 to 4, hop 3", "deliver 2"]);
  });

  test("duplicates that were on their way when their link was pruned need no answer", () => {
    for (const sequence of [1, 2, 3]) broadcast.onPayload(A, payload(sequence), 1_000);
    taken();
    broadcast.onPayload(B, payload(1), 1_000);
    broadcast.onPayload(B, payload(2), 1_499);
    expect(taken()).toEqual(["prune 9 to 3"]);
    broadcast.onPayload(B, payload(3), 1_500);
    expect(taken()).toEqual(["prune 9 to 3"]);
  });

  test("a neighbour that pruned is lazy for that origin alone", () => {
    broadcast.onPayload(A, payload(1), 0);
    broadcast.onPrune(B, O);
    taken();
    broadcast.onPayload(A, payload(2), 0);
    broadcast.onPayload(A, payload(1, { origin: memberId(8) }), 0);
    expect(taken().filter((one) => one.includes("to 3"))).toEqual(["push 8/1 to 3, hop 3"]);
  });

  test("our own words coming back are nothing", () => {
    say();
    pass(2_000);
    taken();
    broadcast.onPayload(A, payload(1, { origin: OWN }), 0);
    broadcast.onIHave(A, [{ origin: OWN, generation: 1, sequence: 5 }], 0);
    pass(10_000);
    expect(taken()).toEqual([]);
  });

  test("a former life is not heard any more, a new one begins at its start", () => {
    broadcast.onPayload(A, payload(5, { generation: 2 }), 0);
    broadcast.onPayload(A, payload(6), 0);
    expect(taken().filter((one) => one.startsWith("deliver"))).toEqual([]);
    for (let sequence = 1; sequence <= 4; sequence++) {
      broadcast.onPayload(A, payload(sequence, { generation: 2 }), 0);
    }
    broadcast.onPayload(A, payload(1, { generation: 3 }), 0);
    expect(taken().filter((one) => one.startsWith("deliver"))).toEqual(
      [1, 2, 3, 4, 5, 1].map((sequence) => `deliver ${sequence}`),
    );
  });

  test("who joins late hears from where it joined, not the past", () => {
    broadcast.onBaselines(A, [{ origin: O, generation: 1, sequence: 10 }], 0);
    broadcast.onPayload(A, payload(11), 0);
    expect(taken()).toContain("deliver 11");
    broadcast.onPayload(A, payload(500, { origin: memberId(8) }), 0);
    expect(taken()).toContain("deliver 500");
    pass(10_000);
    expect(taken().filter((one) => one.startsWith("gap"))).toEqual([]);
  });

  test("of two first neighbours only the one that was first says where the past ends", () => {
    broadcast.onBaselines(A, [{ origin: O, generation: 1, sequence: 10 }], 0);
    broadcast.onBaselines(B, [{ origin: O, generation: 1, sequence: 12 }], 0);
    pass(config.graftDelayMs);
    expect(taken()).toEqual(["graft 9/11 9/12 to 3"]);
  });

  test("what a new neighbour has heard and we have not is asked for", () => {
    broadcast.onPayload(A, payload(1), 0);
    taken();
    broadcast.onBaselines(B, [{ origin: O, generation: 1, sequence: 3 }], 0);
    pass(config.graftDelayMs);
    expect(taken()).toContain("ask 9/2 9/3 to 3");
  });

  test("what an origin began to say while a link was made is not the past", () => {
    broadcast.onBaselines(A, [], 0);
    broadcast.onBaselines(B, [{ origin: O, generation: 1, sequence: 2 }], 0);
    pass(config.graftDelayMs);
    expect(taken()).toEqual(["graft 9/1 9/2 to 3"]);
    broadcast.onBaselines(B, [{ origin: memberId(8), generation: 1, sequence: 0 }], 0);
    expect(broadcast.baselines(1).map(({ origin }) => origin)).toEqual([OWN, O]);
  });

  test("baselines tell of ourselves and of every origin", () => {
    say();
    broadcast.onPayload(A, payload(1), 0);
    expect(broadcast.baselines(7)).toEqual([
      { origin: OWN, generation: 7, sequence: 1 },
      { origin: O, generation: 1, sequence: 1 },
    ]);
  });
});

describe("what is missing", () => {
  test("is asked for 100 ms after its announcement, and no more when it has come by then", () => {
    const ids = [{ origin: O, generation: 1, sequence: 1 }];
    broadcast.onIHave(B, ids, 0);
    pass(config.graftDelayMs - 1);
    expect(taken()).toEqual([]);
    pass(config.graftDelayMs);
    expect(taken()).toEqual(["graft 9/1 to 3"]);
    broadcast.onPayload(B, payload(1), 150);
    taken();
    broadcast.onIHave(C, ids, 200);
    pass(10_000);
    expect(taken().filter((one) => one.startsWith("graft"))).toEqual([]);
  });

  test("is not asked for while its origin is in the middle of something large, which it may be", () => {
    neighbours = [A, B, O];
    busy = O;
    broadcast.onIHave(A, [payload(1).id], 0);
    pass(999);
    expect(taken()).toEqual([]);
    busy = B;
    pass(1_200);
    expect(taken()).toEqual(["graft 9/1 to 2"]);
  });

  test("is not given up before it could be asked for", () => {
    neighbours = [A, B, O];
    busy = O;
    broadcast.onIHave(A, [payload(1).id], 0);
    pass(5_000);
    busy = undefined;
    pass(6_900);
    expect(taken()).not.toContain("gap 1-1");
    for (const from of [A, O]) broadcast.onPayload(from, payload(1), 6_950);
    expect(taken().filter((one) => one.startsWith("prune"))).toEqual(["prune 9 to 2"]);
  });

  test("is asked for at the next announcer when the first brings nothing, and given up after 2 s", () => {
    const ids = [{ origin: O, generation: 1, sequence: 1 }];
    broadcast.onIHave(B, ids, 0);
    broadcast.onIHave(C, ids, 10);
    pass(config.graftDelayMs + config.graftRetryMs);
    expect(taken()).toEqual(["graft 9/1 to 3", "graft 9/1 to 4", "graft 9/1 to 3"]);
    pass(10_000);
    expect(taken().at(-1)).toBe("gap 1-1");
    expect(deadlines.has(`missing:${O}`)).toBe(false);
  });

  test("shows by what comes behind it", () => {
    broadcast.onPayload(A, payload(3), 0);
    pass(config.graftDelayMs);
    expect(taken()).toContain("ask 9/1 9/2 to 2");
    pass(3_000);
    expect(taken().filter((one) => /gap|deliver/.test(one))).toEqual(["gap 1-2", "deliver 3"]);
  });

  describe("on a tree that stands", () => {
    beforeEach(() => {
      broadcast.onPayload(A, payload(1), 0);
      pass(1_000);
      taken();
    });
    const late = (sequence: number, now: number): void => {
      broadcast.onIHave(B, [payload(sequence).id], now);
      pass(now + config.graftDelayMs);
    };

    test("is asked for by itself: the tree stays, and what comes late along it is no duplicate to be pruned", () => {
      late(2, 1_000);
      expect(taken()).toContain("ask 9/2 to 3");
      broadcast.onPayload(B, payload(2), 1_200);
      broadcast.onPayload(A, payload(2), 1_300);
      expect(taken()).toEqual(["push 9/2 to 4, hop 3", "deliver 2"]);
      broadcast.onPayload(A, payload(3), 2_000);
      broadcast.onPayload(B, payload(3), 2_100);
      expect(taken().filter((one) => /prune|graft/.test(one))).toEqual(["prune 9 to 3"]);
    });

    test("is grafted when the parent has brought nothing twice", () => {
      for (const sequence of [2, 3]) {
        late(sequence, 1_000 * sequence);
        expect(taken()).toContain(`ask 9/${sequence} to 3`);
        broadcast.onPayload(B, payload(sequence), 1_000 * sequence + 200);
        taken();
      }
      late(4, 4_000);
      expect(taken()).toContain("graft 9/4 to 3");
    });

    test("is grafted when the parent is gone", () => {
      neighbours = [B, C];
      broadcast.removeNeighbour(A);
      late(2, 1_000);
      expect(taken()).toContain("graft 9/2 to 3");
    });

    test("is not followed by more when it was asked for by itself", () => {
      broadcast.onGraft(C, [payload(1).id], true);
      expect(taken()).toEqual(["push 9/1 to 4, hop 3"]);
      broadcast.onPrune(C, O);
      broadcast.onGraft(C, [payload(1).id], true);
      broadcast.onPayload(A, payload(2), 1_000);
      expect(taken()).toEqual(["push 9/1 to 4, hop 3", "push 9/2 to 3, hop 3", "deliver 2"]);
    });
  });

  test("is not asked of a neighbour whose link has ended", () => {
    broadcast.onIHave(B, [{ origin: O, generation: 1, sequence: 1 }], 0);
    broadcast.removeNeighbour(B);
    pass(config.graftDelayMs);
    expect(taken()).toEqual([]);
  });

  test("is forgotten with its origin", () => {
    broadcast.onIHave(B, [{ origin: O, generation: 1, sequence: 1 }], 0);
    broadcast.forget(O);
    pass(10_000);
    expect(taken()).toEqual([]);
  });
});

describe("a tree", () => {
  const flood = (sequence: number): Payload => ({ ...payload(sequence), flood: true });

  test("is found anew by what is said after 10 s of silence, or once in 30 s", () => {
    const floods: number[] = [];
    pushed = ({ id, flood: isFlood }) => isFlood && floods.push(id.sequence);
    say();
    broadcast.onPrune(A, OWN);
    say(9_999);
    expect(taken()).not.toContain("push 1/2 to 2, hop 0");
    say(19_999);
    expect(taken()).toContain("push 1/3 to 2, hop 0");
    for (let now = 20_000; now <= 60_000; now += 5_000) say(now);
    expect(floods).toEqual([3, 10]);
    broadcast.say(broadcast.next("n", new Uint8Array(1_025), 1), undefined, 600_000);
    expect(floods).toEqual([3, 10]);
  });

  test("stays as it is when a flood comes by it about as soon", () => {
    broadcast.onPayload(A, payload(1), 0);
    broadcast.onPayload(B, payload(1), 0);
    taken();
    broadcast.onPayload(B, flood(2), 100);
    expect(taken()).toEqual(["push 9/2 to 2, hop 3", "push 9/2 to 4, hop 3", "deliver 2"]);
    broadcast.onPayload(A, flood(2), 130);
    broadcast.onPayload(C, flood(2), 140);
    broadcast.onPayload(C, flood(2), 140);
    expect(taken()).toEqual(["prune 9 to 4"]);
  });

  test("changes over to who brings a flood much sooner", () => {
    broadcast.onPayload(A, payload(1), 0);
    broadcast.onPayload(B, payload(1), 0);
    taken();
    broadcast.onPayload(B, flood(2), 100);
    taken();
    broadcast.onPayload(A, flood(2), 131);
    expect(taken()).toEqual(["graft 9/0 to 3", "prune 9 to 2"]);
    broadcast.onPayload(B, payload(3), 200);
    expect(taken()).toEqual(["push 9/3 to 4, hop 3", "deliver 3"]);
  });

  test("that stands takes no new link in before it is asked to", () => {
    broadcast.onPayload(A, payload(1), 0);
    const D = memberId(5);
    neighbours = [A, B, D];
    broadcast.addNeighbour(D);
    taken();
    broadcast.onPayload(A, payload(2), 0);
    expect(taken()).toEqual(["push 9/2 to 3, hop 3", "deliver 2"]);
    expect(say()).toContain(D);
    broadcast.onGraft(D, [payload(2).id], false);
    taken();
    broadcast.onPayload(A, payload(3), 0);
    expect(taken()).toEqual(["push 9/3 to 3, hop 3", "push 9/3 to 5, hop 3", "deliver 3"]);
  });

  test("gets its hole mended by a flood", () => {
    broadcast.onPayload(A, payload(1), 0);
    broadcast.onPayload(B, payload(1), 0);
    broadcast.removeNeighbour(A);
    neighbours = [B, C];
    taken();
    broadcast.onPayload(B, flood(2), 100);
    expect(taken()).toEqual(["graft 9/0 to 3", "push 9/2 to 4, hop 3", "deliver 2"]);
  });

  test("takes in who asks for it without asking for a payload", () => {
    broadcast.onPrune(A, OWN);
    broadcast.onGraft(A, [{ origin: OWN, generation: 1, sequence: 0 }], false);
    expect(taken()).toEqual([]);
    expect(say()).toContain(A);
  });

  test("brings something large only to those that are on it for certain", () => {
    const large = (n: number): Payload => ({ ...payload(n), value: new Uint8Array(16_385) });
    broadcast.onPayload(A, large(1), 0);
    expect(taken()).toEqual(["deliver 1"]);
    pass(50);
    expect(taken()).toEqual(["iHave 9/1 to 3", "iHave 9/1 to 4"]);
    broadcast.onGraft(B, [large(1).id], false);
    taken();
    broadcast.onPayload(A, large(2), 100);
    expect(taken()).toEqual(["push 9/2 to 3, hop 3", "deliver 2"]);
  });

  test("hears of its last payload again once there is silence, in case that one was missed", () => {
    broadcast.onPayload(A, payload(1), 0);
    broadcast.onPrune(B, O);
    taken();
    pass(1_999);
    expect(taken()).toEqual(["iHave 9/1 to 4"]);
    pass(10_000);
    expect(taken()).toEqual([]);
  });
});

describe("strangers", () => {
  test("are heard once they are known", () => {
    broadcast.onStranger(B, payload(2).id);
    broadcast.onStranger(A, payload(1).id);
    broadcast.onKnown(O, 0);
    broadcast.onKnown(O, 0);
    pass(config.graftDelayMs);
    expect(taken()).toEqual(["graft 9/1 9/2 to 3"]);
  });
});

test("how long an announced payload is waited for follows how late the tree is", () => {
  const late = (sequence: number, at: number, ms: number): void => {
    broadcast.onIHave(B, [payload(sequence).id], at);
    pass(at + ms);
    broadcast.onPayload(A, payload(sequence), at + ms);
  };
  late(1, 0, 90);
  late(2, 1_000, 130);
  late(3, 2_000, 190);
  const asked = (): string[] => taken().filter((one) => one.startsWith("ask"));
  expect(asked()).toEqual([]);
  broadcast.onIHave(B, [payload(4).id], 3_000);
  pass(3_284);
  expect(asked()).toEqual([]);
  pass(3_285);
  expect(asked()).toEqual(["ask 9/4 to 3"]);
});

describe("a graft", () => {
  test("is answered with what was asked for, and puts the link back on the tree", () => {
    broadcast.onPrune(A, OWN);
    say();
    taken();
    broadcast.onGraft(A, [{ origin: OWN, generation: 1, sequence: 1 }], false);
    expect(taken()).toEqual(["push 1/1 to 2, hop 0"]);
    say();
    expect(taken()).toContain("push 1/2 to 2, hop 0");
  });

  test("for what is not kept any more brings nothing", () => {
    say();
    pass(config.payloadKeepMs + 10);
    taken();
    for (const origin of [OWN, memberId(77)])
      broadcast.onGraft(A, [{ origin, generation: 1, sequence: 1 }], false);
    expect(taken()).toEqual([]);
    expect(deadlines.next).toBe(Number.POSITIVE_INFINITY);
  });
});
