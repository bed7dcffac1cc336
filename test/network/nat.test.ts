// Members behind network address translation.
import { beforeEach, expect, test } from "vitest";
import { allTalk, each } from "../support/actors.ts";
import { Lab } from "../support/lab/lab.ts";
import {
  allAlive,
  BOUND_MS,
  downs,
  kindsOf,
  type LabActor,
  memberAt,
} from "../support/lab/members.ts";
import type { NatKind } from "../support/lab/nat.ts";
import { needLab } from "../support/lab/rights.ts";
import { startSignaling, startTurn } from "../support/lab/servers.ts";
import { tabAt } from "../support/lab/tab.ts";
import type { MemberOptions } from "../support/member.ts";

beforeEach(({ skip }) => needLab(skip));

/** As long as it is by default: what is tried first must leave time for what is tried next. */
const JOIN_TIMEOUT_MS = 15_000;

/** Two members that have a server in public, and each a NAT of its own. */
async function twoBehind(
  kind: NatKind,
  ice: readonly ("stun" | "turn")[],
  options: Partial<MemberOptions> = {},
): Promise<{ one: LabActor; other: LabActor; printed: () => string }> {
  const lab = await Lab.start();
  const place = await lab.host();
  const printed = await startTurn(place);
  const seeds = [await startSignaling(place, ice)];
  const hosts = [await lab.hostBehind(kind), await lab.hostBehind(kind)];
  const [one, other] = await each(hosts, (host) =>
    memberAt(host, { seeds, joinTimeoutMs: JOIN_TIMEOUT_MS, ...options }),
  );
  return { one, other, printed } as { one: LabActor; other: LabActor; printed: () => string };
}

test("two members behind port-restricted NATs reach each other by what STUN tells them", async () => {
  const { one, other, printed } = await twoBehind("port-restricted", ["stun"], {
    udp: false,
  });
  await one.member.untilLinked([other.id], BOUND_MS);
  await allTalk([one, other], "hello");
  expect(await kindsOf([one, other])).toEqual(["webrtc"]);
  expect(printed()).not.toContain("ALLOCATE processed, success");
});

test("two members behind symmetric NATs, whose UDP transports find no way, reach each other through TURN, with credentials that the signaling server gave to each", async () => {
  const { one, other, printed } = await twoBehind("symmetric", ["stun", "turn"]);
  await one.member.untilLinked([other.id], BOUND_MS);
  await allTalk([one, other], "hello");
  expect(await kindsOf([one, other])).toEqual(["webrtc"]);
  for (const { id } of [one, other]) {
    expect(printed()).toMatch(
      new RegExp(`user <\\d+:${id}>: incoming packet ALLOCATE processed, success`),
    );
  }
});

test("a tab behind a NAT reaches a Node member behind another one by what STUN tells them", async () => {
  const lab = await Lab.start();
  const place = await lab.host();
  await startTurn(place);
  const seeds = [await startSignaling(place, ["stun"])];
  const home = await lab.hostBehind("port-restricted");
  const both = await memberAt(await lab.hostBehind("port-restricted"), { seeds });
  const tab = await tabAt(home, { seeds });
  await tab.member.untilLinked([both.id], BOUND_MS);
  expect(await kindsOf([tab])).toEqual(["webrtc"]);
  await allTalk([tab, both], "hello");
});

test("members over UDP behind NATs of both kinds reach one in public, and each other over it", async () => {
  const lab = await Lab.start();
  const place = await lab.host();
  const hosts = [await lab.hostBehind("port-restricted"), await lab.hostBehind("symmetric")];
  const seed = `udp://${place.address}:7946`;
  const first = await memberAt(place, { udp: { port: 7_946 } });
  const others = await each(hosts, (host) =>
    memberAt(host, { udp: { port: 7_946 }, seeds: [seed] }),
  );
  const all = [first, ...others];
  await allAlive(all);
  await allTalk(all, "hello");
  for (const { member } of others) expect((await member.self()).links).toEqual([first.id]);
  expect(await kindsOf(all)).toEqual(["udp"]);
  expect(await downs(all)).toEqual(all.map(() => []));
});
