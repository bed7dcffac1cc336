// What crosses relays: a relay can drop it, and reads, changes, repeats and forges nothing.
import { describe, expect, test } from "vitest";
import type { Effect, MemberId } from "../../src/core/machine.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import type { MessageOf, Sealed } from "../../src/core/wire/messages.ts";
import { type SimMember, World } from "../../src/sim/index.ts";
import { linkedWith, within } from "./graph.ts";

const MEMBERS = 24;
const MARKER = Buffer.from("nobody between shall read this");
type Routed = MessageOf<"routed"> & { readonly inner: Sealed };

/** Members that prove all, each of which has no link with most others. */
function sealing(seed: number): World {
  const world = new World(seed, { loss: 0.02 });
  for (let i = 0; i < MEMBERS; i++) {
    world.add({ proofs: "all" });
    world.run(50);
  }
  within(world, 60_000, "everyone knows everyone", () =>
    world.live().every((member) => member.core.members().length === MEMBERS),
  );
  return world;
}

/** What is sent in a while from each to those that it has no link with. */
function talk(world: World): { from: SimMember; to: SimMember; id: number }[] {
  const sends = world.live().flatMap((from, i) => {
    const strangers = world
      .live()
      .filter((to) => to !== from && !linkedWith(from).includes(to))
      .slice(i % 5, (i % 5) + 4);
    return strangers.map((to) => ({ from, to }));
  });
  return sends.map(({ from, to }, id) => {
    const command = { type: "send", id, to: to.config.id, name: `${id}`, value: MARKER } as const;
    world.command(from, { ...command, timeoutMs: 30_000 });
    world.run(20);
    return { from, to, id };
  });
}

/** Lets `meddle` put others in the place of what a member carries for others, told by what it is. */
function hostile(
  relay: SimMember,
  meddle: (message: Routed, to: MemberId) => readonly (readonly [MemberId, Routed])[],
): void {
  const codec = frameCodec(relay.config.clusterHash);
  const { core } = relay;
  const { step } = core;
  const linkOf = (peer: MemberId): number | undefined =>
    [...relay.links.values()].find(({ to }) => to.config.id === peer)?.id;
  core.step = (...args) =>
    step.apply(core, args).flatMap((effect): readonly Effect[] => {
      if (effect.type !== "send") return [effect];
      const decoded = codec.decode(effect.bytes);
      if (!decoded.ok || decoded.message.type !== "routed") return [effect];
      const { message } = decoded;
      if (message.from === relay.config.id || message.inner.type !== "sealed") return [effect];
      const to = relay.links.get(effect.link)?.to.config.id ?? "";
      return meddle(message as Routed, to).flatMap(([peer, other]) => {
        const link = linkOf(peer);
        return link === undefined ? [] : [{ ...effect, link, bytes: codec.encode(other) }];
      });
    });
}

const last = <T>(list: readonly T[]): T => list[list.length - 1] as T;

const instead =
  (change: (inner: Sealed) => Partial<Sealed>) =>
  (message: Routed, to: MemberId): [MemberId, Routed][] => [
    [to, { ...message, inner: { ...message.inner, ...change(message.inner) } }],
  ];

const HARM: Readonly<Record<string, Parameters<typeof hostile>[1]>> = {
  "changes its content": instead(({ bytes }) => ({ bytes: bytes.map((byte) => byte ^ 1) })),
  "changes its turn": instead(() => ({ turn: "ahead" })),
  "changes its number": instead(({ number }) => ({ number: number + 1_000 })),
  "repeats it": (message, to) => Array.from({ length: 3 }, () => [to, message] as const),
  "sends it back": (message, to) => {
    const { from, path, hop, inner } = message;
    const way = [...path.slice(0, hop).reverse(), from];
    const reflected = { ...message, from: last(path), path: way, hop: 0 };
    const back = { ...inner, from: inner.to, to: inner.from };
    // As if it came from whom it is for: the path of one that is two hops away holds nobody else.
    const isNear = path.length === 2 && hop === 1;
    const forged: Routed = { ...reflected, path: [path[0] as MemberId, from], hop: 1, inner: back };
    return isNear
      ? [
          [to, message],
          [from, forged],
        ]
      : [[to, message]];
  },
};

describe.each([1, 2])("seed %i", (seed) => {
  test("relays find nothing of what they carry", () => {
    const world = sealing(seed);
    const codec = frameCodec((world.members[0] as SimMember).config.clusterHash);
    let carried = 0;
    const kinds = new Set<string>();
    world.observe({
      onSent(_, _lane, bytes) {
        const decoded = codec.decode(bytes);
        if (!decoded.ok) return;
        const { message } = decoded;
        if (message.type === "routed") {
          carried++;
          kinds.add(message.inner.type);
        }
        if (message.type !== "local") expect(Buffer.from(bytes).includes(MARKER)).toBe(false);
      },
    });
    const sent = talk(world);
    within(world, 20_000, "all acknowledged", () => sent.every(isAcknowledged));
    expect(carried).toBeGreaterThan(2 * sent.length);
    expect([...kinds]).toEqual(["sealed"]);
    for (const one of sent) expect(heard(one)).toEqual([MARKER]);
    expect(world.live().map(({ core }) => core.stats().forged)).toEqual(world.live().map(() => 0));
  });

  // A quarter do: what is not answered goes another way, most often a better one.
  test.each(Object.entries(HARM))("a relay that %s", (_, harm) => {
    const world = sealing(seed);
    for (const relay of world.live()) if (relay.index % 4 === 0) hostile(relay, harm);
    const sent = talk(world);
    const isMost = () => sent.filter(isAcknowledged).length > 0.9 * sent.length;
    within(world, 30_000, "most acknowledged", isMost);
    world.run(5_000);
    for (const one of sent) {
      expect(heard(one)).toEqual(isAcknowledged(one) || heard(one).length > 0 ? [MARKER] : []);
    }
    const stats = world.live().map(({ core }) => core.stats());
    expect(stats.reduce((sum, { forged }) => sum + forged, 0)).toBeGreaterThan(10);
    // Nobody is blamed for it: it may as well have been the sender.
    expect(stats.filter(({ cutOff }) => cutOff > 0)).toEqual([]);
  });
});

interface Send {
  readonly from: SimMember;
  readonly to: SimMember;
  readonly id: number;
}

function isAcknowledged({ from, id }: Send): boolean {
  return from.events.some((event) => event.type === "sent" && event.id === id);
}

function heard({ from, to, id }: Send): Buffer[] {
  return to.events.flatMap((event) =>
    event.type === "heard" && event.from === from.config.id && event.name === `${id}`
      ? [Buffer.from(event.value)]
      : [],
  );
}
