// Seeds that are members at an address: who is dialled when, and what the user is told of it.
import { expect, onTestFinished, test } from "vitest";
import type { MemberId } from "../../../src/core/machine.ts";
import { type Dialler, DialSeed } from "../../../src/runtime/dial-seed.ts";

type Then = Parameters<Dialler["dial"]>[1];

/** Names resolve to what the test says, and it says what becomes of each dial. */
class Setting {
  addresses: string[] | Error;
  readonly live = new Set<MemberId>();
  readonly states: string[] = [];
  readonly seed: DialSeed;
  resolved = 0;
  dials: { readonly address: string; readonly then: Then }[] = [];

  constructor(...addresses: string[]) {
    this.addresses = addresses;
    this.seed = new DialSeed({
      url: "dns://peers.example:1",
      // Nothing comes by itself while a test runs.
      backoff: { firstMs: 3_600_000, maxMs: 3_600_000 },
      isLive: (peer) => this.live.has(peer),
      changed: ({ state, reason }) => this.states.push(reason ? `${state}: ${reason}` : state),
      dialler: {
        resolve: async () => {
          this.resolved++;
          if (this.addresses instanceof Error) throw this.addresses;
          return this.addresses.map((address) => [address]);
        },
        dial: ([address = ""], then) => this.dials.push({ address, then }),
      },
    });
    onTestFinished(() => this.seed.close());
  }

  /** Who is dialled in this look. */
  async dialled(): Promise<string[]> {
    // The name is resolved, and what waits for it has run.
    for (let i = 0; i < 5; i++) await Promise.resolve();
    return this.dials.map(({ address }) => address).sort();
  }

  async again(): Promise<string[]> {
    this.dials = [];
    this.seed.retry();
    return await this.dialled();
  }

  fail(reason: string, isSelf = false): void {
    for (const { then } of this.dials.splice(0)) then.failed(reason, isSelf);
  }

  open(address: string, peer: MemberId): void {
    this.live.add(peer);
    this.dials.find((dial) => dial.address === address)?.then.opened(peer);
  }
}

test("of the addresses of a name three are dialled at once, and it is looked up anew each time", async () => {
  const setting = new Setting("a", "b", "c", "d", "e");
  expect(await setting.dialled()).toHaveLength(3);
  setting.fail("refused");
  expect(setting.states).toEqual(["waiting: refused"]);
  setting.addresses = ["f"];
  expect(await setting.again()).toEqual(["f"]);
  expect(setting.resolved).toBe(2);
  setting.addresses = new Error("no such name");
  setting.fail("refused");
  await setting.again();
  expect(setting.states.at(-1)).toBe("waiting: no such name");
  setting.addresses = [];
  await setting.again();
  expect(setting.states.at(-1)).toBe("waiting: the name has no address");
});

test("one that answers is enough, and the others are looked for one at a time, for they may be another island", async () => {
  const setting = new Setting("a", "b", "c");
  await setting.dialled();
  setting.open("b", "bob");
  setting.dials = setting.dials.filter(({ address }) => address !== "b");
  setting.fail("refused");
  expect([setting.seed.state, setting.seed.reason]).toEqual(["up", undefined]);
  const [other = ""] = await setting.again();
  expect(["a", "c"]).toContain(other);
  expect(setting.dials).toHaveLength(1);
  setting.open(other, "ann");
  const [last] = await setting.again();
  expect(["a", "b", "c"].filter((one) => one !== last)).toEqual(["b", other].sort());
  // All are here: nobody is dialled.
  setting.open(`${last}`, "cleo");
  expect(await setting.again()).toEqual([]);
  expect(setting.states).toEqual(["up"]);
});

test("who was there and is gone is dialled again, and missed where nobody answers", async () => {
  const setting = new Setting("a");
  await setting.dialled();
  setting.open("a", "ann");
  setting.live.clear();
  expect(await setting.again()).toEqual(["a"]);
  expect(setting.seed.state).toBe("up");
  setting.fail("refused");
  expect(setting.states).toEqual(["up", "waiting: refused"]);
});

test("row 9: our own address is dialled once, and left out from then on", async () => {
  const setting = new Setting("me");
  await setting.dialled();
  setting.fail("our own", true);
  expect(setting.states).toEqual(["self"]);
  setting.addresses = ["me", "ann"];
  setting.seed.pause();
  setting.seed.resume();
  expect(await setting.dialled()).toEqual(["ann"]);
});

test("paused or closed, nothing is dialled, and what was under way does not matter", async () => {
  const setting = new Setting("a");
  await setting.dialled();
  setting.seed.pause();
  setting.fail("too late");
  setting.seed.retry();
  expect([await setting.dialled(), setting.states]).toEqual([[], ["paused"]]);
  setting.seed.resume();
  expect(await setting.dialled()).toEqual(["a"]);
  setting.seed.close();
  setting.fail("too late");
  expect([setting.seed.state, setting.states]).toEqual(["closed", ["paused", "connecting"]]);
});
