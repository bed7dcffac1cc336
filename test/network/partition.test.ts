// A network in two halves for a minute, and one again.
import { beforeEach, expect, test } from "vitest";
import { each, idsOf, without } from "../support/actors.ts";
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

const TICKS = 60;
const TICK_MS = 1_000;

test("six and six, parted for a minute in which both write, are one mesh again and know everything", async () => {
  const lab = await Lab.start();
  const hosts = await lab.hosts(12);
  // Who has links with the other side alone is cut off from its own, too, until it has found it anew.
  const all = await fullMesh(hosts);
  await lab.partition(hosts.slice(0, 6), hosts.slice(6));
  const sides = [all.slice(0, 6), all.slice(6)];
  await each(sides, async (side) => {
    const [writer] = side as [LabActor];
    await writer.member.setInTurn("tick", TICKS, TICK_MS);
    const others = idsOf(without(all, ...side));
    await each(side, ({ member }) => member.untilAll(others, "down", BOUND_MS));
    await writer.member.configure(writer.name, "written while parted");
    await writer.member.configure("disputed", writer.name);
    await allReach(side, "parted");
    const lasts = TICKS * TICK_MS + BOUND_MS;
    await each(without(side, writer), ({ member }) =>
      member.untilKnown(writer.id, "tick", TICKS, lasts),
    );
  });
  // Each has given up those of the other side, once, and nobody of its own.
  for (const side of sides) {
    const others = idsOf(without(all, ...side));
    for (const seen of await downs(side)) expect(seen.sort()).toEqual(others);
  }

  await lab.heal();
  await allAlive(all);
  await each(all, async ({ member, id: own }) => {
    const others = all.filter(({ id }) => id !== own);
    await each(others, ({ id, name }) => member.untilKnown(id, "parted", name, BOUND_MS));
    for (const [writer] of sides as LabActor[][]) {
      if (writer === undefined) continue;
      await member.untilConfigured(writer.name, "written while parted", BOUND_MS);
      if (writer.id !== own) await member.untilKnown(writer.id, "tick", TICKS, BOUND_MS);
    }
  });
  await allReach(all, "together");
  const configurations = await each(all, ({ member }) => member.configuration());
  expect(new Set(configurations.map((one) => JSON.stringify(sorted(one)))).size).toBe(1);
});

function sorted(entries: Record<string, unknown>): unknown {
  return Object.entries(entries).sort(([one], [other]) => (one < other ? -1 : 1));
}
