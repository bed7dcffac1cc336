// The secret of a cluster: who has it meets, who has not gets no link and a clear word about why.
import { describe, expect, test } from "vitest";
import { type Mesh, webrtcTransport } from "../../src/index.node.ts";
import { loadWrtc } from "../../src/transport/wrtc.node.ts";
import { allLinked, Cluster, isLinked, noted, until } from "../support/memory-mesh.ts";

/** How long is waited for what shall not come about, ms. */
const IN_VAIN_MS = 1_500;

const coded = (code: string, message?: RegExp) =>
  expect.objectContaining({
    name: "HearsayError",
    code,
    ...(message !== undefined && { message: expect.stringMatching(message) }),
  });

describe.each<[string, () => Promise<object>]>([
  ["in memory", async () => ({})],
  [
    "over WebRTC",
    async () => {
      const { wrtc } = await loadWrtc();
      return { transport: () => webrtcTransport({ wrtc: wrtc ?? expect.fail("no wrtc here") }) };
    },
  ],
])("row 43: with a secret, %s", (_, transportOf) => {
  test("members that have it meet; who has another or none is refused, and both are told what to do", async () => {
    const cluster = await Cluster.start();
    const carried = await transportOf();
    const members = await cluster.joinMany(2, { ...carried, secret: "the right one" });
    const [host, other] = members as [Mesh, Mesh];
    await allLinked(members);
    const notes = noted(host, ["peer:join", "link:up", "link:down"]);
    for (const secret of [{ secret: "another one" }, {}]) {
      const refused: string[][] = [];
      const ends = members.map((mesh) =>
        mesh.on("refused", (reason, why) => refused.push([reason, why])),
      );
      const joining = cluster.join({ ...carried, ...secret, joinTimeoutMs: IN_VAIN_MS });
      await expect(joining).rejects.toEqual(coded("join:unreachable", /secret/));
      for (const end of ends) end();
      expect(refused.length).toBeGreaterThan(0);
      for (const [reason, why] of refused) {
        expect(["secret", "broken-off"]).toContain(reason);
        expect(why).toMatch(/same/);
      }
    }
    // Nobody has even seen a stranger.
    expect(notes).toEqual([]);
    expect(host.peers.all.length).toBe(1);
    const heard = other.hearOnce("still");
    await host.say("still", "here");
    expect((await heard).data).toBe("here");
  });

  test("a newcomer is invited who does not know it, and links with the others too", async () => {
    const cluster = await Cluster.start();
    const carried = await transportOf();
    const members = await cluster.joinMany(2, { ...carried, secret: "s" });
    await allLinked(members);
    const guest = await cluster.join({ ...carried, seeds: [], name: "guest" });
    const invitation = await (members[0] as Mesh).invite();
    const accepted = await guest.acceptInvite(invitation.text);
    await invitation.complete(accepted.text);
    await accepted.linked;
    await allLinked([...members, guest]);
  });
});

test("row 43: a secret is changed while all go on: old, both with the old first, both with the new first, new", async () => {
  const cluster = await Cluster.start();
  const steps = ["old", ["old", "new"], ["new", "old"], "new"];
  let [one, other] = (await cluster.joinMany(2, { secret: "old" })) as [Mesh, Mesh];
  for (const secret of steps.slice(1)) {
    // One after the other: each step is understood by the one before.
    await allLinked([one, other]);
    await one.leave();
    one = await cluster.join({ name: "one", secret });
    await until([one, other], "linked", () => isLinked(one, other.self));
    await other.leave();
    other = await cluster.join({ name: "other", secret });
  }
  await allLinked([one, other]);
});

test.each(["", ["a", "b", "c"], [""], "x".repeat(1_025), 7, {}, null])(
  "%o is no secret",
  async (secret) => {
    const cluster = await Cluster.start();
    const given = { secret: secret as string };
    await expect(cluster.join(given)).rejects.toEqual(coded("options:secret"));
  },
);
