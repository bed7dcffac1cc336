/** Members at the hosts of a lab, each in a process of its own. */

import type { ChildProcess } from "node:child_process";
import { expect } from "vitest";
import { each, idsOf, without } from "../actors.ts";
import { callsOf } from "../calls.ts";
import { type MemberOptions, remote } from "../member.ts";
import type { Actor } from "../stage.ts";
import type { Host } from "./host.ts";

export interface LabActor extends Actor {
  readonly host: Host;
  readonly process: ChildProcess;
}

/** How long anything may take, ms. */
export const BOUND_MS = 30_000;

const PORT = 7_946;

/** Long, so that nobody is refused for it where much is lost. */
const JOIN_TIMEOUT_MS = 60_000;

/** Who is away is looked for often, so that no test waits for long. */
const BACKOFF = { firstMs: 200, maxMs: 2_000 };

export const COMMON = {
  cluster: "lab",
  secret: "only for the lab",
  backoff: BACKOFF,
  joinTimeoutMs: JOIN_TIMEOUT_MS,
};

export async function memberAt(
  host: Host,
  options: Partial<MemberOptions> = {},
): Promise<LabActor> {
  const child = await host.node("member");
  const call = callsOf(child);
  const member = remote((method, args) => call(0, method, args));
  const name = host.outside;
  const id = await member.join({ ...COMMON, name, ...options });
  return { name, id, member, process: child, host };
}

/** Members that meet over UDP: the first two are known to all others. */
export async function membersOverUdp(hosts: readonly Host[]): Promise<LabActor[]> {
  const seeds = hosts.slice(0, 2).map(({ address }) => `udp://${address}:${PORT}`);
  const start = (host: Host, own: readonly string[]): Promise<LabActor> =>
    memberAt(host, { udp: { port: PORT }, seeds: own });
  // The first cannot wait for anybody.
  const [first, ...others] = hosts;
  if (first === undefined) return [];
  return [await start(first, []), ...(await Promise.all(others.map((host) => start(host, seeds))))];
}

/** As {@link membersOverUdp}, each linked with all others, as a dozen are once they have settled. */
export async function fullMesh(hosts: readonly Host[]): Promise<LabActor[]> {
  const all = await membersOverUdp(hosts);
  await allAlive(all);
  await each(all, (one) => one.member.untilLinked(idsOf(without(all, one)), BOUND_MS));
  expect(await kindsOf(all)).toEqual(["udp"]);
  return all;
}

/** Whom each of these has held for dead. */
export async function downs(some: readonly Actor[]): Promise<string[][]> {
  return await each(some, async ({ member }) => {
    const story = await member.story();
    return story.filter(({ event }) => event === "peer:down").map(({ id }) => id);
  });
}

/** The kinds of transport that all their links together are by. */
export async function kindsOf(some: readonly Actor[]): Promise<string[]> {
  const kinds = await each(some, ({ member }) => member.kinds());
  return [...new Set(kinds.flat())].sort();
}

/** Each sees all others. */
export async function allAlive(some: readonly Actor[], ms = BOUND_MS): Promise<void> {
  await each(some, (one) => one.member.untilAll(idsOf(without(some, one)), "alive", ms));
}

/** What each sets all others know, and what each says all others hear, once. */
export async function allReach(some: readonly Actor[], name: string, ms = BOUND_MS): Promise<void> {
  await each(some, (one) => one.member.set(name, one.name));
  await each(some, (one) => one.member.say(name, one.name));
  await each(some, async ({ member, id: own }) => {
    const others = some.filter(({ id }) => id !== own);
    await each(others, (other) => member.untilKnown(other.id, name, other.name, ms));
    await member.untilHeard(name, others.length, ms);
    const heard = (await member.heard(name)).map(({ from }) => from);
    expect(heard.sort(), `heard by ${own}`).toEqual(idsOf(others));
  });
}
