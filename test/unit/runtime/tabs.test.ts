import { expect, test } from "vitest";
import type { Input } from "../../../src/core/machine.ts";
import { type ChannelLike, Tabs } from "../../../src/runtime/tabs.ts";

const A = "a".repeat(32);
const B = "b".repeat(32);
const C = "c".repeat(32);

type Listener = (event: { readonly data: unknown }) => void;

/** The channels of one origin: what one posts all others of its name hear, as a copy. */
class Origin {
  readonly #open = new Set<{ name: string; listener: Listener | undefined; self: object }>();
  readonly said: unknown[] = [];
  readonly #timers = new Set<{ task: () => void; at: number }>();
  #now = 0;

  readonly Channel = ((origin: Origin) =>
    class implements ChannelLike {
      readonly #entry: { name: string; listener: Listener | undefined; self: object };
      constructor(name: string) {
        this.#entry = { name, listener: undefined, self: this };
        origin.#open.add(this.#entry);
      }
      addEventListener(_: "message", listener: Listener): void {
        this.#entry.listener = listener;
      }
      postMessage(message: unknown): void {
        origin.say(this.#entry.name, message, this);
      }
      close(): void {
        origin.#open.delete(this.#entry);
      }
    })(this);

  say(name: string, message: unknown, from?: object): void {
    this.said.push(message);
    for (const { name: other, listener, self } of [...this.#open]) {
      if (other === name && self !== from) listener?.({ data: structuredClone(message) });
    }
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  /** Lets time pass. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.task();
    }
    this.#now = end;
  }

  tab(id: string, island = id, cluster = "demo") {
    const inputs: Input[] = [];
    const input = (one: Input): void => void inputs.push(one);
    const setTimer = (task: () => void, ms: number): (() => void) => {
      const timer = { task, at: this.#now + ms };
      this.#timers.add(timer);
      return () => void this.#timers.delete(timer);
    };
    const { Channel } = this;
    const host = { isSuspended: false };
    const isSuspended = (): boolean => host.isSuspended;
    const tabs = new Tabs({ cluster, id, island, seed: 7, Channel, input, isSuspended, setTimer });
    const introduced = (): string[] =>
      inputs.flatMap((one) => (one.type === "seedUp" ? one.introduced : []));
    return { tabs, host, inputs, introduced };
  }
}

test("a tab that comes is introduced to one that is there, and asks it", () => {
  const origin = new Origin();
  const first = origin.tab(B, A);
  origin.pass(2_000);
  const newcomer = origin.tab(C);
  expect(newcomer.introduced()).toEqual([B]);
  expect(first.introduced(), "it need not ask as well").toEqual([]);
});

test("two that are both alone are introduced to each other", () => {
  const origin = new Origin();
  const first = origin.tab(A);
  origin.pass(2_000);
  const second = origin.tab(B);
  expect([first.introduced(), second.introduced()]).toEqual([[B], [A]]);
});

test("packets go to the one that they are for, and nothing else of the buffer that they are in", () => {
  const origin = new Origin();
  const [a, b, c] = [origin.tab(A), origin.tab(B), origin.tab(C)];
  a.tabs.send(B, new Uint8Array([1, 2, 3, 4]).subarray(1, 3));
  const packets = (inputs: Input[]): Input[] => inputs.filter(({ type }) => type === "seedPacket");
  const bytes = new Uint8Array([2, 3]);
  expect(packets(b.inputs)).toEqual([{ type: "seedPacket", seed: 7, from: A, bytes }]);
  expect(packets(c.inputs)).toEqual([]);
  const last = origin.said.at(-1) as { packet: Uint8Array };
  expect(last.packet.buffer.byteLength).toBe(2);
});

test("tabs on one island say nothing, and find each other again when they are on two", () => {
  const origin = new Origin();
  const [b, c] = [origin.tab(B, A), origin.tab(C, A)];
  origin.pass(60_000);
  const before = origin.said.length;
  origin.pass(60_000);
  expect(origin.said.length).toBe(before);
  c.tabs.island(C);
  expect([b.introduced(), c.introduced()], "who may be alone asks").toEqual([[], [B]]);
  c.tabs.island("d".repeat(32));
  origin.pass(1_000);
  expect(b.introduced(), "two islands: both ask").toEqual([C]);
});

test("islands that differ are introduced again and again, and no tab speaks twice within a second", () => {
  const origin = new Origin();
  const [, b] = [origin.tab(A), origin.tab(B)];
  origin.pass(60_000);
  expect(b.introduced().length).toBeGreaterThanOrEqual(5);
  expect(origin.said.length).toBeLessThan(40);
  const before = origin.said.length;
  for (let i = 0; i < 100; i++) b.tabs.island(i % 2 === 0 ? C : A);
  expect(origin.said.length - before).toBeLessThanOrEqual(2);
});

test("a tab whose page is frozen hears and says nothing, whatever reaches it", () => {
  const origin = new Origin();
  const [a, b] = [origin.tab(A), origin.tab(B)];
  origin.pass(2_000);
  a.host.isSuspended = true;
  const [heard, said] = [a.inputs.length, origin.said.length];
  b.tabs.send(A, new Uint8Array(1));
  b.tabs.island(C);
  expect(a.inputs.length).toBe(heard);
  expect(origin.said.length, "the other's two").toBe(said + 2);
});

test("clusters are apart", () => {
  const origin = new Origin();
  const [a, b] = [origin.tab(A, A, "one"), origin.tab(B, B, "two")];
  expect([a.introduced(), b.introduced()]).toEqual([[], []]);
});

test("what is closed hears and says nothing more", () => {
  const origin = new Origin();
  const a = origin.tab(A);
  a.tabs.close();
  const b = origin.tab(B);
  origin.pass(60_000);
  expect([a.introduced(), b.introduced()]).toEqual([[], []]);
  expect(origin.timerCount, "the other's only").toBe(1);
});

test("anything else that a script of the origin says changes nothing", () => {
  const origin = new Origin();
  const a = origin.tab(A);
  const before = a.inputs.length;
  const packet = new Uint8Array(3);
  const large = new Uint8Array(65_537);
  const strange: unknown[] = [
    undefined,
    null,
    0,
    "text",
    [],
    {},
    { from: B },
    { from: "b", island: "b" },
    { from: B.toUpperCase(), island: B },
    { from: A, island: B, asks: true },
    { from: B, island: 7 },
    { from: B, to: A },
    { from: B, to: A, packet: "text" },
    { from: B, to: A, packet: [1] },
    { from: B, to: A, packet: large },
    { from: B, to: C, packet },
    { from: A, to: A, packet },
    { to: A, packet },
  ];
  for (const one of strange) origin.say("hearsay demo", one);
  expect(a.inputs.length).toBe(before);
});
