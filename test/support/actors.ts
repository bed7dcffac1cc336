/** What several members do and have seen, all at the same time. */

import type { Happening } from "./happening.ts";
import type { Actor } from "./stage.ts";

/** Performs `act` for each at once. */
export function each<A, T>(
  some: readonly A[],
  act: (one: A, index: number) => Promise<T>,
): Promise<T[]> {
  return Promise.all(some.map(act));
}

export function without<A extends Actor>(some: readonly A[], ...who: readonly Actor[]): A[] {
  return some.filter(({ id }) => !who.some((one) => one.id === id));
}

export function idsOf(some: readonly Actor[]): string[] {
  return some.map(({ id }) => id).sort();
}

/** Everyone has a link with everyone. */
export async function allLinked(some: readonly Actor[], ms?: number): Promise<void> {
  await each(some, (one) => one.member.untilLinked(idsOf(without(some, one)), ms));
}

/** Each says `count` things at once, and each hears those of the others, all of them, once and in order. */
export async function allTalk(some: readonly Actor[], name: string, count = 20): Promise<void> {
  await each(some, ({ member }) => member.sayMany(name, count));
  await each(some, ({ member }) => member.untilHeard(name, count * (some.length - 1)));
  // What comes twice comes before this at the latest: each sender's messages keep their order.
  await each(some, ({ member }) => member.say(`${name}-fence`, 0));
  await each(some, async (one) => {
    await one.member.untilHeard(`${name}-fence`, some.length - 1);
    const heard = await one.member.heard(name);
    const wanted = Array.from({ length: count }, (_, i) => i).join();
    for (const other of without(some, one)) {
      const numbers = heard.filter(({ from }) => from === other.id).map(({ data }) => data);
      if (numbers.join() !== wanted) {
        throw new Error(`${one.name} heard of ${other.name}: ${numbers.join() || "nothing"}`);
      }
    }
    const strangers = heard.length - count * (some.length - 1);
    if (strangers !== 0) throw new Error(`${one.name} heard ${strangers} of its own or of others`);
  });
}

/** Each sets a key, and all others get to know it. */
export async function allKnow(some: readonly Actor[], key: string): Promise<void> {
  await each(some, ({ name, member }) => member.set(key, { name, list: [1, "two", null] }));
  await each(some, ({ member, id }) =>
    each(
      some.filter((other) => other.id !== id),
      (other) => member.untilKnown(other.id, key, { name: other.name, list: [1, "two", null] }),
    ),
  );
}

/** Everything in the members' stories that `picked` picks, in words. */
export async function seen(
  some: readonly Actor[],
  picked: (one: Happening) => boolean,
): Promise<string[]> {
  const stories = await each(some, async ({ name, member }) => {
    const names = new Map((await member.peers()).map((peer) => [peer.id, peer.name]));
    return (await member.story())
      .filter(picked)
      .map(({ event, id, detail }) => `${name}: ${event} ${names.get(id) ?? id} ${detail}`.trim());
  });
  return stories.flat().sort();
}

/** Milliseconds for people, in order. */
export function inMs(spans: readonly number[]): string {
  return [...spans]
    .sort((a, b) => a - b)
    .map((ms) => ms.toFixed(0))
    .join(", ");
}
