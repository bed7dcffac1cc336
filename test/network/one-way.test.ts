// Two members of which one hears the other and is not heard by it.
import { beforeEach, expect, test } from "vitest";
import { each } from "../support/actors.ts";
import { Lab } from "../support/lab/lab.ts";
import {
  allAlive,
  allReach,
  BOUND_MS,
  downs,
  kindsOf,
  type LabActor,
  membersOverUdp,
} from "../support/lab/members.ts";
import { needLab } from "../support/lab/rights.ts";

beforeEach(({ skip }) => needLab(skip));

test("two members of six lose their link one way: they reach each other over the others, and nobody is held for dead", async () => {
  const lab = await Lab.start();
  const hosts = await lab.hosts(6);
  const all = await membersOverUdp(hosts);
  await allAlive(all);
  const [, , deaf, heard] = all as [LabActor, LabActor, LabActor, LabActor];
  await each([deaf, heard], ({ member }) =>
    member.untilLinked(
      all.map(({ id }) => id).filter((id) => id !== deaf.id && id !== heard.id),
      BOUND_MS,
    ),
  );
  await deaf.member.untilLinked([heard.id], BOUND_MS);

  expect(await kindsOf(all)).toEqual(["udp"]);
  await lab.cut(heard.host, deaf.host);
  // Both ends give the link up, and not each other.
  await deaf.member.untilUnlinked(heard.id, BOUND_MS);
  await heard.member.untilUnlinked(deaf.id, BOUND_MS);
  await allReach(all, "around");
  await deaf.member.send(heard.id, "to you", 1);
  await heard.member.send(deaf.id, "to you", 2);
  expect(await downs(all)).toEqual(all.map(() => []));

  await lab.heal();
  await deaf.member.untilLinked([heard.id], 2 * BOUND_MS);
  expect(await downs(all)).toEqual(all.map(() => []));
});
