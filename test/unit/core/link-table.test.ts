import { beforeEach, describe, expect, test } from "vitest";
import { frameCodec, WIRE_VERSION } from "../../../src/core/wire/codec.ts";
import { FEATURE_ONLY_LINK } from "../../../src/core/wire/messages.ts";
import { Bench, codec, HIGH, LOW, NOTE } from "./link-bench.ts";
import { recordOf } from "./support.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe("greeting", () => {
  test("both ends begin with hello; the link is up when the other's has come", () => {
    bench.open(1);
    expect(bench.types(1)).toEqual(["hello"]);
    expect(bench.table.peers()).toEqual([]);
    bench.receive(1, { type: "hello", record: recordOf(HIGH), features: 0 });
    expect(bench.log).toEqual(["up high by 1"]);
    expect([bench.table.peers(), bench.table.count, bench.table.has(HIGH)]).toEqual([
      [HIGH],
      1,
      true,
    ]);
  });

  test("nothing is heard, and nothing said, before hello", () => {
    bench.open(1);
    bench.receive(1, NOTE);
    bench.receive(1, { type: "bye", reason: "full" });
    expect(bench.log).toEqual([]);
    expect(bench.table.send(HIGH, NOTE)).toBe(false);
    expect(bench.table.sendBulk(HIGH, codec.encode(NOTE), "reliable")).toBe(false);
    expect(bench.types(1)).toEqual(["hello"]);
  });

  test("a second hello changes nothing", () => {
    bench.greet(1, HIGH);
    bench.receive(1, { type: "hello", record: recordOf(LOW), features: 0 });
    expect(bench.table.peers()).toEqual([HIGH]);
    expect(bench.log).toEqual(["up high by 1"]);
  });

  test("a fragment before hello ends the link", () => {
    bench.open(1);
    bench.receive(1, {
      type: "fragment",
      message: 0,
      index: 0,
      count: 2,
      bytes: new Uint8Array(5),
    });
    expect(bench.log).toEqual(["rejected: malformed", "disconnect 1: rejected: malformed"]);
  });

  const strangers: [reason: string, frame: Uint8Array][] = [
    ["version", Uint8Array.of(WIRE_VERSION + 1, 1, 2, 3)],
    ["cluster", frameCodec(8).encode(NOTE)],
    ["malformed", codec.encode(NOTE).slice(0, 9)],
  ];
  for (const [reason, frame] of strangers) {
    test(`a stranger is refused: ${reason}`, () => {
      bench.open(1);
      bench.table.packet(1, frame, 0);
      expect(bench.log).toEqual([`rejected: ${reason}`, `disconnect 1: rejected: ${reason}`]);
      bench.receive(1, { type: "hello", record: recordOf(HIGH), features: 0 });
      expect(bench.table.peers()).toEqual([]);
    });

    test(`a greeted link outlives a single bad frame: ${reason}`, () => {
      bench.greet(1, HIGH);
      bench.table.packet(1, frame, 0);
      bench.receive(1, NOTE);
      expect(bench.log).toEqual(["up high by 1", `rejected: ${reason}`, "prune from high"]);
    });
  }

  test("row 45: a hello in another's name than the proven one is refused, and nobody is taken for it", () => {
    bench.refusal = "taken";
    bench.open(1, HIGH);
    bench.receive(1, { type: "hello", record: recordOf(LOW), features: 0 });
    expect(bench.log).toEqual(["rejected: identity", "disconnect 1: rejected: identity"]);
    expect(bench.types(1)).toEqual(["hello"]);
    expect(bench.table.peers()).toEqual([]);
  });

  test("who is not admitted is told why", () => {
    bench.refusal = "taken";
    bench.greet(1, HIGH);
    expect(bench.types(1)).toEqual(["hello", "bye"]);
    expect(bench.log).toEqual(["disconnect 1: bye: taken"]);
    expect(bench.table.peers()).toEqual([]);
  });

  test("a link that does not greet in 5 s is ended, a greeted one stays", () => {
    bench.greet(1, HIGH);
    bench.open(2);
    bench.open(3, HIGH, 1);
    bench.forget();
    bench.table.expireGreetings(4_999);
    expect(bench.log).toEqual([]);
    bench.table.expireGreetings(5_000);
    expect(bench.log).toEqual(["disconnect 2: no greeting"]);
  });
});

describe("ends", () => {
  test("bye from there: on purpose", () => {
    bench.greet(1, HIGH);
    bench.receive(1, { type: "bye", reason: "leaving" });
    expect(bench.log.slice(1)).toEqual(["down high: bye: leaving, on purpose"]);
    bench.table.closed(1, "gone");
    bench.table.expireGreetings(60_000);
    expect(bench.log.length).toBe(2);
  });

  test("bye from there, and the link stays open: it is closed from here after a while", () => {
    bench.greet(1, HIGH);
    bench.receive(1, { type: "bye", reason: "leaving" });
    bench.receive(1, NOTE);
    bench.table.expireGreetings(4_999);
    expect(bench.log.slice(1)).toEqual(["down high: bye: leaving, on purpose"]);
    bench.table.expireGreetings(5_000);
    expect(bench.log.slice(2)).toEqual(["disconnect 1: bye, and not closed"]);
  });

  test("bye from here: said, then closed", () => {
    bench.greet(1, HIGH);
    bench.table.bye(HIGH, "full");
    expect(bench.types(1)).toEqual(["hello", "bye"]);
    expect(bench.log.slice(1)).toEqual([
      "disconnect 1: bye: full",
      "down high: bye: full, on purpose",
    ]);
  });

  test("lost, or dropped for silence: not on purpose", () => {
    bench.greet(1, HIGH);
    bench.table.closed(1, "failed");
    bench.greet(2, LOW);
    bench.table.drop(LOW, "silent");
    expect(bench.log).toEqual([
      "up high by 1",
      "down high: failed",
      "up low by 2",
      "disconnect 2: silent",
      "down low: silent",
    ]);
    bench.receive(2, NOTE);
    expect(bench.log.length).toBe(5);
  });
});

describe("two links with one member", () => {
  test("the lower id ends the newer", () => {
    bench.greet(1, HIGH);
    bench.greet(2, HIGH);
    expect(bench.log).toEqual(["up high by 1", "disconnect 2: bye: duplicate"]);
    expect(bench.types(2)).toEqual(["hello", "bye"]);
  });

  test("the higher id waits, hears on both, and goes on with the one that is left", () => {
    bench.greet(1, LOW);
    bench.greet(2, LOW);
    bench.receive(1, NOTE);
    bench.receive(2, NOTE);
    bench.receive(1, { type: "bye", reason: "duplicate" });
    bench.forget();
    bench.table.send(LOW, NOTE);
    expect(bench.types(2)).toEqual(["prune"]);
    bench.table.closed(2, "failed");
    expect(bench.log).toEqual(["down low: failed"]);
  });

  test.each([
    ["in place of a silent one", true, 0],
    ["whose other end says that it has no other", false, FEATURE_ONLY_LINK],
  ])("a newer one %s takes the place of the older once it is greeted", (_, silent, features) => {
    bench.greet(1, HIGH);
    bench.silent = silent;
    bench.open(2, HIGH, 1_000);
    expect(bench.log).toEqual(["up high by 1"]);
    bench.receive(2, { type: "hello", record: recordOf(HIGH), features });
    expect(bench.log.slice(1)).toEqual([
      "disconnect 1: superseded",
      "down high: superseded",
      "up high by 2",
    ]);
  });

  test("what both ends say on one that opens within a second of the other counts for nothing", () => {
    bench.greet(1, HIGH);
    bench.open(2, HIGH, 999);
    bench.receive(2, { type: "hello", record: recordOf(HIGH), features: FEATURE_ONLY_LINK });
    expect(bench.log).toEqual(["up high by 1", "disconnect 2: bye: duplicate"]);
  });

  test("hello says that it is the only one, or that the other is silent", () => {
    const said = (link: number): number[] =>
      bench.sent.flatMap(({ link: by, bytes }) => {
        const decoded = codec.decode(bytes);
        const isHello = by === link && decoded.ok && decoded.message.type === "hello";
        return isHello ? [decoded.message.features] : [];
      });
    bench.greet(1, HIGH);
    bench.open(2, HIGH);
    bench.silent = true;
    bench.open(3, HIGH);
    expect([said(1), said(2), said(3)]).toEqual([[FEATURE_ONLY_LINK], [0], [FEATURE_ONLY_LINK]]);
  });

  test("a restarted member's new link replaces the old one at once", () => {
    bench.greet(1, HIGH);
    bench.greet(2, HIGH, { generation: 2 });
    expect(bench.log).toEqual(["up high by 1", "disconnect 1: restarted", "up high by 2"]);
    bench.forget();
    bench.table.send(HIGH, NOTE);
    expect(bench.types(2)).toEqual(["prune"]);
  });
});
