// An interface that goes down and comes up again.
import { beforeEach, expect, test } from "vitest";
import { each, without } from "../support/actors.ts";
import { Lab } from "../support/lab/lab.ts";
import {
  allAlive,
  allReach,
  downs,
  type LabActor,
  membersOverUdp,
} from "../support/lab/members.ts";
import { needLab } from "../support/lab/rights.ts";

beforeEach(({ skip }) => needLab(skip));

const BOUND_MS = 30_000;

async function five(): Promise<{ all: LabActor[]; bounced: LabActor; rest: LabActor[] }> {
  const lab = await Lab.start();
  const all = await membersOverUdp(await lab.hosts(5));
  await allAlive(all, BOUND_MS);
  await allReach(all, "before", BOUND_MS);
  const bounced = all[4] as LabActor;
  return { all, bounced, rest: without(all, bounced) };
}

test("an interface is down for a second and a half: nobody is held for dead, and all goes on", async () => {
  const { all, bounced } = await five();
  await bounced.host.bounce(1_500);
  await allReach(all, "after", BOUND_MS);
  expect(await downs(all)).toEqual(all.map(() => []));
});

test("an interface is down for five seconds and comes back with another address: the same member is back, and nobody else was held for dead", async () => {
  const { all, bounced, rest } = await five();
  const { generation } = await bounced.member.self();
  const again = bounced.host.address.replace(/\d+$/, "77");
  await bounced.host.bounce(5_000, again);
  await each(rest, ({ member }) => member.untilState(bounced.id, "alive", BOUND_MS));
  await allAlive(all, BOUND_MS);
  await allReach(all, "after", BOUND_MS);
  // Who is back is who was there before, started once.
  const entries = await each(rest, async ({ member }) => await member.peers());
  for (const peers of entries) {
    expect(peers.find(({ id }) => id === bounced.id)).toMatchObject({ generation });
  }
  for (const seen of await downs(rest)) expect(seen.filter((id) => id !== bounced.id)).toEqual([]);
});
