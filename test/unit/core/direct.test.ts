import { beforeEach, describe, expect, test } from "vitest";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { DirectMessages } from "../../../src/core/routing/direct.ts";
import { configOf, memberId } from "./support.ts";

const A = memberId(2);
const B = memberId(3);
const VIA = memberId(4);
const config = configOf({ directMax: 3, directRetryMs: 1_000 });

let direct: DirectMessages;
let deadlines: Deadlines;
let carried: { to: MemberId; sequence: number }[];
let log: string[];
let open: boolean;
/** Whether the last copy still waits here. */
let waits: boolean;

beforeEach(() => {
  deadlines = new Deadlines();
  carried = [];
  log = [];
  open = true;
  waits = false;
  direct = make(config);
});

function make(config: ReturnType<typeof configOf>): DirectMessages {
  return new DirectMessages(config, deadlines, {
    carry: (to, { sequence }, again) => {
      if (!open) return undefined;
      carried.push({ to, sequence });
      if (again) log.push(`again ${sequence}`);
      return { via: VIA, waits: () => waits };
    },
    sent: (id) => log.push(`sent ${id}`),
    failed: (id, reason) => log.push(`failed ${id}: ${reason}`),
  });
}

function send(id: number, to = A, { bytes = 1, timeoutMs = 10_000, now = 0 } = {}): void {
  direct.send({ id, to, name: "n", value: new Uint8Array(bytes), timeoutMs }, 1, now);
}

/** Performs all deadlines up to `until`; gives when something was carried. */
function pass(until: number): number[] {
  const times: number[] = [];
  for (let now = deadlines.next; now <= until; now = deadlines.next) {
    const before = carried.length;
    const key = deadlines.take(now) ?? "";
    direct.onDeadline(Number(key.slice("direct:".length)), now);
    if (carried.length > before) times.push(now);
  }
  return times;
}

describe("the sender", () => {
  test("is told once when it has arrived", () => {
    send(7);
    expect(carried).toEqual([{ to: A, sequence: 1 }]);
    direct.onAck(A, 1);
    direct.onAck(A, 1);
    expect(log).toEqual(["sent 7"]);
    expect(pass(60_000)).toEqual([]);
  });

  test("believes nobody else's acknowledgement", () => {
    send(7);
    direct.onAck(B, 1);
    direct.onAck(A, 2);
    expect(log).toEqual([]);
  });

  test("repeats with doubled pauses, and gives up at its time, once", () => {
    send(7, A, { bytes: 0, timeoutMs: 8_500 });
    expect(pass(60_000)).toEqual([1_000, 3_000, 7_000]);
    expect(log).toEqual(["again 1", "again 1", "again 1", "failed 7: unreachable"]);
    direct.onAck(A, 1);
    expect(log.length).toBe(4);
  });

  test("gives a large message time to arrive before it is repeated", () => {
    send(7, A, { bytes: 2_000_000, timeoutMs: 60_000 });
    expect(pass(10_000)).toEqual([3_000, 9_000]);
  });

  test("without a way tries every second, and at once when there is one", () => {
    open = false;
    send(7);
    pass(2_500);
    open = true;
    direct.wayChanged(B, 2_600);
    expect(carried).toEqual([]);
    direct.wayChanged(A, 2_600);
    expect(carried).toEqual([{ to: A, sequence: 1 }]);
    expect(log, "no way is no lost message").toEqual([]);
  });

  test("repeats soon what it gave to a neighbour whose link came or went", () => {
    send(7, A, { bytes: 0 });
    direct.wayChanged(B, 50);
    direct.wayChanged(VIA, 50);
    expect(pass(500)).toEqual([100]);
  });

  test("does not repeat what still waits here for its link, and does once that has gone", () => {
    send(7, A, { bytes: 0, timeoutMs: 20_000 });
    waits = true;
    direct.retrySoon(A);
    direct.wayChanged(VIA, 0);
    expect(pass(5_000)).toEqual([]);
    waits = false;
    expect(pass(6_500)).toEqual([5_100]);
  });

  test("5 MB whose way breaks all the time go out no faster than 1 MB/s", () => {
    send(7, A, { bytes: 5_000_000, timeoutMs: 60_000 });
    for (let now = 100; now <= 20_000; now += 100) {
      direct.retrySoon(A);
      pass(now);
    }
    expect(carried.length).toBe(5);
  });

  test("learns at once that the member is gone, and of no other's end", () => {
    send(1, A);
    send(2, B);
    send(3, A);
    direct.gone(A);
    expect(log).toEqual(["failed 1: gone", "failed 3: gone"]);
    direct.onAck(B, 2);
    expect(log[2]).toBe("sent 2");
    expect(deadlines.next).toBe(Number.POSITIVE_INFINITY);
  });

  test("is refused above the bound, until there is room", () => {
    for (let id = 1; id <= 4; id++) send(id);
    expect(log).toEqual(["failed 4: overloaded"]);
    direct.onAck(A, 1);
    send(5);
    expect(log).toEqual(["failed 4: overloaded", "sent 1"]);
  });

  test("with no time at all still tries once", () => {
    send(7, A, { timeoutMs: 0 });
    expect(carried.length).toBe(1);
    pass(0);
    expect(log).toEqual(["failed 7: unreachable"]);
  });
});

describe("the receiver", () => {
  test("takes each message once, also after others have come", () => {
    expect([2, 1, 2, 3, 1].map((n) => direct.isNew(A, 1, n))).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  test("knows senders and their lives apart", () => {
    expect([direct.isNew(A, 1, 1), direct.isNew(B, 1, 1), direct.isNew(A, 2, 1)]).toEqual([
      true,
      true,
      true,
    ]);
  });
});

describe("a message that is repeated late", () => {
  /** One to A gets lost, then `others` go to `to` and arrive, then one more goes to A. Is the lost one new there? */
  function isNewAfter(others: number, to: MemberId): boolean {
    send(0, A);
    for (let id = 1; id <= others; id++) {
      send(id, to);
      arrive();
    }
    send(-1, A);
    arrive();
    return direct.isNew(A, 1, 1);
  }

  function arrive(): void {
    const { to = A, sequence = 0 } = carried.pop() ?? {};
    if (sequence <= 1) return;
    if (to === A) direct.isNew(A, 1, sequence);
    direct.onAck(to, sequence);
  }

  test("is new after so many others as a receiver can tell apart", () => {
    expect(isNewAfter(1_022, A)).toBe(true);
    expect(log).not.toContain("failed -1: overloaded");
  });

  test("is new after any number of others: its sender is held back until it has arrived or is given up", () => {
    expect(isNewAfter(1_023, A)).toBe(true);
    expect(log).toContain("failed -1: overloaded");
    pass(60_000);
    send(1);
    expect(carried.at(-1)?.to).toBe(A);
  });

  test("is new after any number that went to others, who are not held back", () => {
    expect(isNewAfter(5_000, B)).toBe(true);
    expect(log).toContain("sent 5000");
    expect(log).toContain("failed -1: overloaded");
  });
});
