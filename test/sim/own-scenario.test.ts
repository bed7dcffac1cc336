import { expect, test } from "vitest";
import { ORACLES, Oracles, World } from "../../src/sim/index.ts";

test("row 55: users run worlds and oracles of their own, as docs/simulator.md shows", () => {
  const run = (): { seen: string[]; hash: string } => {
    const world = new World(7, { loss: 0.05, reliableLoss: 0.05, latencyMsMax: 300 });
    const oracles = new Oracles(world, [
      ...ORACLES,
      (_world, report) => ({
        name: "nobody is isolated",
        onEvent(member, event) {
          if (event.type === "isolated") report(member, "has no link left");
        },
      }),
    ]);
    const members = Array.from({ length: 12 }, () => world.add());
    const [first, second] = members;
    if (first === undefined || second === undefined) throw new Error("members were added");
    world.run(10_000);
    world.command(first, { type: "set", key: "answer", value: new Uint8Array([42]) });
    world.crash(second);
    world.run(30_000);
    expect(oracles.quiet()).toEqual([]);
    for (const member of world.live()) world.cutLinks(member);
    const seen = oracles.quiet().map(({ oracle, seed }) => `${oracle} ${seed}`);
    return { seen, hash: world.traceHash };
  };
  const { seen, hash } = run();
  expect(seen).toContain("nobody is isolated 7");
  expect(run().hash).toBe(hash);
});
