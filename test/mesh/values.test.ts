// Values of every size cross a mesh of tabs and Node processes whole, and what is small does not wait for them.
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { patterned } from "../../src/testing/expectations.ts";
import { allLinked, each, seen, without } from "../support/actors.ts";
import { fingerprint } from "../support/member.ts";
import { type Actor, Stage, type TabActor } from "../support/stage.ts";

const SIZES = [1, 16_383, 16_384, 16_385, 65_536, 1_000_000, 5_000_000];
const TOTAL = SIZES.reduce((sum, size) => sum + size, 0);
const wanted = SIZES.map((size, i) => fingerprint(patterned(size, i)));

const stage = new Stage("values");
let tab: TabActor;
let node: Actor;
let all: Actor[];

const report = (line: string): void => void process.stdout.write(`${line}\n`);

beforeAll(async () => {
  await stage.startServer();
  [tab, node, ...all] = await Promise.all([
    stage.tab(),
    stage.node(),
    stage.tab(),
    stage.tab(),
    stage.tab(),
    stage.child(),
  ]);
  all = [tab, node, ...all];
  await allLinked(all);
}, 60_000);
afterAll(() => stage.close());

/** Performs `act`; says what all links together carried meanwhile for each byte that had to arrive. */
async function carried(what: string, bytes: number, act: () => Promise<void>): Promise<void> {
  const sent = async () => {
    const stats = await each(all, ({ member }) => member.stats());
    return stats.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  };
  const before = await sent();
  const from = performance.now();
  await act();
  const ms = performance.now() - from;
  const ratio = ((await sent()) - before) / bytes;
  report(`${what}: ${ms.toFixed(0)} ms, ${ratio.toFixed(2)} bytes carried for each that arrives`);
}

describe("values of 1 B to 5 MB", () => {
  test.each(["tab", "node"])("arrive whole from a %s, and nothing small is lost", async (kind) => {
    const speaker = kind === "tab" ? tab : node;
    const others = without(all, speaker);
    await carried(`${speaker.name} said 6 MB`, TOTAL * others.length, async () => {
      const from = performance.now();
      const said = each(SIZES, (size, i) => speaker.member.sayBytes(`bulk-${kind}`, size, i));
      await each(others, ({ member }) => member.sayMany(`small-${kind}`, 50));
      await each(all, ({ member, id }) =>
        member.untilHeard(`small-${kind}`, 50 * (id === speaker.id ? 5 : 4)),
      );
      report(`the small ones were all heard after ${(performance.now() - from).toFixed(0)} ms`);
      await said;
      await each(others, ({ member }) => member.untilHeard(`bulk-${kind}`, SIZES.length));
    });
    for (const { member } of others) {
      expect((await member.heard(`bulk-${kind}`)).map(({ data }) => data)).toEqual(wanted);
    }
  });

  test("are known to all when they are set", async () => {
    for (const owner of [tab, node]) {
      const others = without(all, owner);
      await carried(`${owner.name} set 6 MB`, TOTAL * others.length, async () => {
        await each(SIZES, (size, i) => owner.member.setBytes(`size-${size}`, size, i));
        await each(others, ({ member }) =>
          each(SIZES, (size, i) => member.untilKnown(owner.id, `size-${size}`, wanted[i])),
        );
      });
      await each(SIZES, (size) => owner.member.delete(`size-${size}`));
    }
  });

  test("arrive whole when they are sent to one", async () => {
    for (const [from, to] of [
      [tab, node],
      [node, tab],
    ] as const) {
      await carried(`${from.name} sent 6 MB`, TOTAL, async () => {
        await each(SIZES, (size, i) => from.member.sendBytes(to.id, "alone", size, i));
      });
      const heard = await to.member.heard("alone");
      // Repeated and acknowledged one by one, they may overtake each other.
      const bytesOf = (data: unknown) => (data as { bytes: number }).bytes;
      expect(heard.map(({ data }) => data).sort((a, b) => bytesOf(a) - bytesOf(b))).toEqual(wanted);
    }
    for (const other of without(all, tab, node)) {
      expect(await other.member.heard("alone")).toEqual([]);
    }
  });

  test("leave no gap behind", async () => {
    expect(await seen(all, ({ event }) => /^(gap|refused|peer:leave)$/.test(event))).toEqual([]);
    for (const { member } of all) {
      expect(await member.errors()).toEqual([]);
      expect(await member.stats()).toMatchObject({ rejected: 0, unreadable: 0 });
    }
  });

  test("cost nobody a link", async () => {
    const lost = /^(peer:suspect|peer:down|link:down)$/;
    expect(await seen(all, ({ event }) => lost.test(event))).toEqual([]);
  });
});
