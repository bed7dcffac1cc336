// A real tab, which has WebRTC, a Node process that has both transports, and one that has UDP alone: one mesh.
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { join, type Mesh, udpTransport } from "../../src/index.node.ts";
import { isLinked, until } from "../support/memory-mesh.ts";
import { Stage } from "../support/stage.ts";

const stage = new Stage("mixed");

beforeAll(async () => {
  await stage.startServer();
  await stage.openBrowser();
}, 60_000);
afterAll(() => stage.close());

function left(mesh: Mesh): Mesh {
  onTestFinished(() => mesh.leave());
  return mesh;
}

test("a tab reaches a Node peer without WebRTC over one that has it, and links go by what both have", async () => {
  const cluster = stage.cluster;
  const both = left(await join({ cluster, name: "both", seeds: [stage.seed], udp: true }));
  const bare = left(
    await join({ cluster, name: "bare", seeds: [...both.addresses.slice(0, 1)], transports }),
  );
  // The server knows it, too: a tab that is introduced to it first is told of somebody else.
  bare.addSeed(stage.seed);
  const tab = await stage.tab();
  await tab.member.untilLinked([both.self.id]);
  await tab.member.untilAll([both.self.id, bare.self.id], "alive");
  await until([both, bare], "all know all", () =>
    [both, bare].every(({ peers }) => peers.live.length === 2),
  );
  const by = (mesh: Mesh): (string | undefined)[] =>
    mesh
      .stats()
      .links.map(({ transport }) => transport)
      .sort();
  expect([by(both), by(bare)]).toEqual([["udp", "webrtc"], ["udp"]]);
  expect(isLinked(bare, { id: tab.id })).toBe(false);
  // To all, to one and as state, both ways.
  bare.set("mood", "fine");
  await tab.member.untilKnown(bare.self.id, "mood", "fine");
  const said = bare.hearOnce("said");
  await tab.member.say("said", 1);
  expect((await said).from.id).toBe(tab.id);
  const sent = bare.hearOnce("sent");
  await tab.member.send(bare.self.id, "sent", 2);
  expect(await sent).toMatchObject({ data: 2, direct: true });
  await bare.send(tab.id, "back", 3);
  await tab.member.untilHeard("back", 1);
}, 60_000);

const transports = (): ReturnType<typeof udpTransport>[] => [udpTransport()];
