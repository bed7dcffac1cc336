// A dozen Node processes over UDP, on a network that is late and loses packets.
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

const DELAY_MS = 100;

test.each([0, 0.05, 0.2])(
  "twelve members, a delay of 100 ms and a loss of %d: all hear all, a crash is seen by all, and nobody else is held for dead",
  async (loss) => {
    const lab = await Lab.start(DELAY_MS);
    const hosts = await lab.hosts(12);
    await lab.lose(loss);
    const all = await membersOverUdp(hosts);
    await allAlive(all);
    await allReach(all, "hello");
    expect(await downs(all)).toEqual(all.map(() => []));
    expect(await kindsOf(all)).toEqual(["udp"]);

    const [victim, ...rest] = all.toReversed() as [LabActor, ...LabActor[]];
    victim.process.kill("SIGKILL");
    await each(rest, ({ member }) => member.untilState(victim.id, "down", BOUND_MS));
    await allReach(rest, "still here");
    expect(await downs(rest)).toEqual(rest.map(() => [victim.id]));
    // What was repeated on the way was heard once all the same.
    for (const { member } of rest) expect(await member.heard("hello")).toHaveLength(rest.length);
  },
);
