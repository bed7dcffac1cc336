// An interface that goes down and comes up again.
import { beforeEach, expect, test } from "vitest";
import { each, without } from "../support/actors.ts";
import { Lab } from "../support/lab/lab.ts";
import {
  allAlive,
  allReach,
  BOUND_MS,
  downs,
  fullMesh,
  type LabActor,
} from "../support/lab/members.ts";
import { needLab } from "../support/lab/rights.ts";

beforeEach(({ skip }) => needLab(skip));

async function five(): Promise<{ all: LabActor[]; bounced: LabActor; rest: LabActor[] }> {
  const lab = await Lab.start();
  const all = await fullMesh(await lab.hosts(5));
  await allReach(all, "before");
  const bounced = all[4] as LabActor;
  return { all, bounced, rest: without(all, bounced) };
}

test("an interface is down for a second and a half: nobody is held for dead, and all goes on", async () => {
  const { all, bounced } = await five();
  await bounced.host.bounce(1_500);
  await allReach(all, "after");
  expect(await downs(all)).toEqual(all.map(() => []));
});

test.each([
  [1_000, "nobody is held for dead"],
  [5_000, "the same member is back, and nobody else was held for dead"],
])("an interface is down for %i ms and comes back with another address: %s", async (ms) => {
  const { all, bounced, rest } = await five();
  const { generation } = await bounced.member.self();
  const lost = await bounced.member.lostLinks();
  const again = bounced.host.address.replace(/\d+$/, "77");
  await bounced.host.bounce(ms, again);
  // It has new links, since nothing comes from where the old ones were.
  await bounced.member.untilLostLinks(lost + rest.length, BOUND_MS);
  await each(rest, ({ member }) => member.untilState(bounced.id, "alive", BOUND_MS));
  await allAlive(all);
  await allReach(all, "after");
  // Who is back is who was there before, started once.
  const entries = await each(rest, async ({ member }) => await member.peers());
  for (const peers of entries) {
    expect(peers.find(({ id }) => id === bounced.id)).toMatchObject({ generation });
  }
  const excused = ms > 3_000 ? [bounced.id] : [];
  for (const seen of await downs(all))
    expect(seen.filter((id) => !excused.includes(id))).toEqual([]);
});
