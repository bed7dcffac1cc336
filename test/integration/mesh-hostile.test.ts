// A member that means harm, on a real link with a mesh: its frames are counted and change nothing, and nobody falls.
import { describe, expect, test } from "vitest";
import { Rng } from "../../src/core/lib/rng.ts";
import type { Message, MessageOf } from "../../src/core/wire/messages.ts";
import { MemoryNetwork, type Mesh } from "../../src/index.node.ts";
import { hashOfCluster } from "../../src/session/identity.ts";
import {
  parseInvitation,
  parseReply,
  writeInvitation,
  writeReply,
} from "../../src/signaling/invitation.ts";
import { Intruder } from "../support/intruder.ts";
import { allLinked, isLinked, joinInMemory, noted, until } from "../support/memory-mesh.ts";

/** Two members that go on talking, to see that nothing disturbs them, on a network that an intruder is on too. */
async function scene() {
  const network = new MemoryNetwork();
  const [host, bystander] = await Promise.all(
    ["host", "bystander"].map((name) => joinInMemory(network, { cluster: "c", name })),
  );
  const [one, other] = [host as Mesh, bystander as Mesh];
  const invitation = await one.invite();
  const accepted = await other.acceptInvite(invitation.text);
  await invitation.complete(accepted.text);
  await allLinked([one, other]);
  let count = 0;
  const talk = async () => {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const heard = to.hearOnce("talk");
      await from.say("talk", ++count);
      expect((await heard).data).toBe(count);
    }
  };
  return { network, host: one, bystander: other, talk };
}

describe("row 44: a link with a stranger", () => {
  test.each<[string, (intruder: Intruder) => Promise<Uint8Array>, string]>([
    [
      "of another cluster",
      async (intruder) => intruder.frame(intruder.hello(), await hashOfCluster("other")),
      "cluster",
    ],
    [
      "of another major version",
      async (intruder) => {
        const frame = intruder.frame(intruder.hello());
        frame[0] = 2;
        return frame;
      },
      "version",
    ],
    ["that speaks nonsense", async () => new Uint8Array([1, 2, 3]), "malformed"],
    ["that says nothing at all in its frame", async () => new Uint8Array(), "malformed"],
  ])("%s is refused with a clear event", async (_, greeting, reason) => {
    const { network, host, talk } = await scene();
    const refused: string[] = [];
    host.on("refused", (why) => refused.push(why));
    const notes = noted(host, ["peer:join", "link:up", "link:down"]);
    const intruder = await Intruder.at(host, network);
    intruder.end.send("reliable", await greeting(intruder));
    await intruder.end.closed();
    expect(refused).toEqual([reason]);
    expect(notes).toEqual([]);
    expect(host.stats().rejected).toMatchObject({ [reason]: 1 });
    expect(host.peers.get(intruder.id)).toBeUndefined();
    await talk();
  });

  test("that is a whole mesh of another cluster, and texts forged to bring them together", async () => {
    const network = new MemoryNetwork();
    const ours = await joinInMemory(network, { cluster: "ours" });
    const theirs = await joinInMemory(network, { cluster: "theirs" });
    const [ourHash, theirHash] = await Promise.all([
      hashOfCluster("ours"),
      hashOfCluster("theirs"),
    ]);
    const refused: string[] = [];
    ours.on("refused", (reason) => refused.push(`ours ${reason}`));
    theirs.on("refused", (reason) => refused.push(`theirs ${reason}`));
    const notes = [ours, theirs].map((mesh) => noted(mesh, ["peer:join", "link:up", "online"]));

    const invitation = await ours.invite();
    await expect(theirs.acceptInvite(invitation.text)).rejects.toMatchObject({
      code: "invite:cluster",
    });
    const invited = parseInvitation(invitation.text, ourHash, Date.now());
    if (!invited.ok) throw new Error(invited.flaw);
    const { nonce, psk } = invited.value;
    const forged = writeInvitation({ ...invited.value, clusterHash: theirHash });
    const accepted = await theirs.acceptInvite(forged);
    const reply = await parseReply(accepted.text, { clusterHash: theirHash, nonce, psk });
    if (!reply.ok) throw new Error(reply.flaw);
    const completed = invitation.complete(
      await writeReply({ ...reply.value, clusterHash: ourHash }, psk),
    );
    await expect(completed).rejects.toMatchObject({ code: "invite:failed" });
    await expect(accepted.linked).rejects.toMatchObject({ code: "invite:failed" });

    // Who began was told nothing but that the link was closed.
    expect(refused).toEqual(["theirs cluster"]);
    await until([ours, theirs], "both alone", () =>
      [ours, theirs].every(({ health }) => health.linkCount === 0),
    );
    expect(notes).toEqual([[], []]);
    expect([...ours.peers.all, ...theirs.peers.all]).toEqual([]);
  });
});

/** Somebody sets a key, as its version `version` and first. */
function setBy(
  owner: string,
  version: number,
  key: string,
  value: Uint8Array,
  generation = 1,
): MessageOf<"stateDelta"> {
  const entries = [{ key, version, value, lifeMs: 0 }];
  const range = { from: 0, to: version, last: version, floor: 0 };
  return { type: "stateDelta", owner, generation, ...range, entries };
}

function saidBy(
  origin: string,
  sequence: number,
  value: Uint8Array,
  generation = 1,
): MessageOf<"payload"> {
  const id = { origin, generation, sequence };
  return { type: "payload", id, hop: 0, flood: true, name: "x", value };
}

describe("a member that sends garbage", () => {
  /** One of each kind, as an honest member would send it. */
  function samples(intruder: Intruder, host: Mesh): Message[] {
    const { id } = intruder;
    const to = host.self.id;
    const payloadId = { origin: id, generation: 1, sequence: 1 };
    const fingerprints = { membersHigh: 1, membersLow: 2, stateHigh: 3, stateLow: 4, shared: 0 };
    const value = new Uint8Array([1, 2, 3]);
    const inner = { type: "direct", generation: 1, sequence: 1, name: "x", value } as const;
    const sealed = {
      type: "sealed",
      turn: "piece",
      from: 1,
      to: 2,
      number: 1,
      bytes: value,
    } as const;
    const request = { attempt: 1, generation: 1, flags: 0, links: 1 };
    return [
      intruder.hello(),
      { type: "ping", sequence: 1, echo: 0, mayFreeze: false },
      { type: "ack", sequence: 1, mayFreeze: false, fingerprints },
      { type: "members", updates: [{ type: "record", record: intruder.record() }] },
      { type: "memberDigest", count: 1, parts: [0], entries: [], answer: true },
      { type: "memberParts", hashes: [1, 2, 3, 4] },
      { type: "memberDelta", updates: [], more: true },
      {
        type: "stateDigest",
        entries: [{ owner: to, generation: 1, maxVersion: 9 }],
        count: 1,
        parts: [0],
        answer: true,
      },
      { type: "stateParts", hashes: [1, 2] },
      {
        type: "stateWant",
        number: 1,
        entries: [{ owner: to, generation: 1, maxVersion: 9, held: [] }],
      },
      intruder.state(setBy(id, 1, "k", value)),
      { type: "routed", from: id, path: [to], hop: 0, inner },
      { type: "routed", from: id, path: [to], hop: 0, inner: sealed },
      { type: "noRoute", path: [to], hop: 0, target: id, to: id, brokenAt: id },
      { type: "routeSearch", path: [id], target: to, number: 1, hops: 8 },
      { type: "forwardJoin", path: [id], hops: 8, request },
      { type: "release", hard: true },
      { type: "credit", total: 1, whole: 0 },
      { type: "local", inner },
      intruder.payload({ type: "payload", id: payloadId, hop: 0, flood: true, name: "x", value }),
      { type: "iHave", ids: [payloadId] },
      { type: "graft", ids: [payloadId], once: false },
      { type: "prune", origin: to },
      { type: "baselines", ids: [payloadId] },
      { type: "fragment", message: 0, index: 0, count: 2, bytes: value },
    ];
  }

  /** Changes, cuts, lengthens or repeats bytes here and there. */
  function spoil(frame: Uint8Array, rng: Rng): Uint8Array {
    const pick = (below: number) => Math.floor(rng.float() * below);
    switch (pick(4)) {
      case 0:
        return frame.subarray(0, pick(frame.length));
      case 1: {
        const longer = new Uint8Array(frame.length + 1 + pick(40));
        longer.set(frame);
        return longer;
      }
      default: {
        const spoilt = frame.slice();
        // Mostly behind the version and the cluster, which are looked at first.
        for (let i = 0; i <= pick(4); i++) {
          const at = rng.float() < 0.95 ? 5 + pick(frame.length - 5) : pick(5);
          spoilt[at] = pick(256);
        }
        return spoilt;
      }
    }
  }

  test("by the thousand is counted, and the others go on", async () => {
    const { network, host, bystander, talk } = await scene();
    const frames: Uint8Array[] = [];
    let intruder: Intruder | undefined;
    const rng = Rng.fromSeed(20_260_101);
    let links = 0;
    for (let i = 0; i < 10_000; i++) {
      // What cannot be trusted any more was cut off, or has said bye by chance: it comes back, as such a one would.
      if (intruder === undefined || !isLinked(host, { id: intruder.id })) {
        const entered: Intruder = await Intruder.at(host, network);
        entered.end.send("reliable", entered.frame(entered.hello()));
        await entered.end.until("the host's greeting", () => entered.end.frames.length > 0);
        frames.push(...samples(entered, host).map((message) => entered.frame(message)));
        frames.push(...entered.end.frames.map(({ bytes }) => bytes));
        frames.splice(0, Math.max(0, frames.length - 200));
        await until([host], "the intruder is in", () => isLinked(host, { id: entered.id }));
        intruder = entered;
        links++;
      }
      const original = frames[Math.floor(rng.float() * frames.length)] as Uint8Array;
      const random = Uint8Array.from(
        { length: Math.floor(rng.float() * 200) },
        () => rng.float() * 256,
      );
      const frame = rng.float() < 0.1 ? random : spoil(original, rng);
      const lane = frame.length <= 1_100 && rng.float() < 0.3 ? "datagram" : "reliable";
      intruder.end.send(lane, frame);
      // Frames of one turn arrive after it, and what they cause is seen then.
      if (i % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (i % 500 === 0) await talk();
    }
    await talk();
    const { rejected } = host.stats();
    expect(rejected.malformed).toBeGreaterThan(3_000);
    expect(rejected.cluster).toBeGreaterThan(10);
    expect(rejected.version).toBeGreaterThan(10);
    expect(links).toBeGreaterThan(1);
    expect(isLinked(host, bystander.self)).toBe(true);
    expect(host.self.name).toBe("host");
    intruder?.end.close();
  });

  test("of the largest size, or in floods, changes nothing", async () => {
    const { network, host, talk } = await scene();
    const intruder = await Intruder.at(host, network);
    intruder.end.send("reliable", intruder.frame(intruder.hello()));
    await until([host], "the intruder is in", () => isLinked(host, { id: intruder.id }));
    intruder.end.send("reliable", new Uint8Array(65_536));
    const ping = intruder.frame({
      type: "ping",
      sequence: 1,
      echo: 0,
      mayFreeze: false,
    });
    const before = intruder.end.link.stats().receivedBytes;
    for (let i = 0; i < 5_000; i++) intruder.end.send("datagram", ping);
    await talk();
    const { receivedBytes, sentBytes } = intruder.end.link.stats();
    // Nobody gets more out of a member than three times what it puts in.
    expect(receivedBytes - before).toBeLessThan(3 * sentBytes);
    intruder.end.close();
    await until([host], "the intruder is gone", () => !isLinked(host, { id: intruder.id }));
    await talk();
  });

  test("row 45: in our own name changes nothing, and is counted", async () => {
    const { network, host, bystander, talk } = await scene();
    host.set("key", "mine");
    const intruder = await Intruder.at(host, network);
    intruder.end.send("reliable", intruder.frame(intruder.hello()));
    await until([host], "the intruder is in", () => isLinked(host, { id: intruder.id }));
    const { id, generation } = host.self;
    const heard: unknown[] = [];
    bystander.hear("x", (data) => heard.push(data));
    const value = Uint8Array.of(7);
    const forged = [
      intruder.state(setBy(id, 9, "key", value, generation)),
      intruder.payload(saidBy(id, 1_000, value, generation)),
    ];
    for (const message of forged) intruder.end.send("reliable", intruder.frame(message));
    await until([host], "both are counted", () => host.stats().forged === 2);
    await talk();
    expect(host.get("key")).toBe("mine");
    await until([bystander], "the key", () => bystander.peers.get(id)?.get("key") === "mine");
    expect(heard).toEqual([]);
    intruder.end.close();
  });

  test("row 45: in another's name changes nothing, goes to nobody, and is counted", async () => {
    const { network, host, bystander, talk } = await scene();
    bystander.set("key", "its own");
    const { id, generation } = bystander.self;
    await until([host], "the key", () => host.peers.get(id)?.get("key") === "its own");
    const intruder = await Intruder.at(host, network);
    intruder.end.send("reliable", intruder.frame(intruder.hello()));
    await until([host], "the intruder is in", () => isLinked(host, { id: intruder.id }));
    const third = await joinInMemory(network, { cluster: "c", name: "third" });
    const invitation = await host.invite();
    await invitation.complete((await third.acceptInvite(invitation.text)).text);
    await until([third], "the third knows all", () => third.peers.live.length === 3);
    const told = [host, third].map((mesh) => {
      const log: unknown[] = [];
      for (const event of ["peer:leave", "identity:taken"] as const) {
        mesh.on(event, (...args) => log.push([event, ...args]));
      }
      mesh.on("peer:update", ({ name }) => name === "renamed" && log.push(name));
      mesh.hear("x", (data) => log.push(data));
      mesh.config.on("**", (change) => log.push(change));
      mesh.know("**", (peer, value) => log.push([peer.id, value]));
      return log;
    });
    await talk();
    for (const log of told) log.length = 0;
    const value = Uint8Array.of(7);
    const stamp = { ms: Date.now(), counter: 0, writer: id };
    const forged: Message[] = [
      ...[{ name: "renamed" }, { state: "left" as const }, { generation: generation + 1 }].map(
        (change): Message => ({
          type: "members",
          updates: [
            { type: "record", record: intruder.record({ id, generation, version: 99, ...change }) },
          ],
        }),
      ),
      intruder.state(setBy(id, 9, "key", value, generation)),
      setBy(id, 9, "key", value, generation),
      intruder.payload(saidBy(id, 9, value, generation)),
      saidBy(id, 9, value, generation),
      { type: "shared", entries: [{ ...stamp, key: "ckey", value, lifeMs: 0 }] },
    ];
    for (const message of forged) intruder.end.send("reliable", intruder.frame(message));
    await until([host], "all are counted", () => host.stats().forged === forged.length);
    await talk();
    expect(told).toEqual([[], []]);
    expect(host.peers.get(id)).toMatchObject({ name: "bystander", state: "alive" });
    expect(host.peers.get(id)?.get("key")).toBe("its own");
    // And what it really says comes after all that.
    bystander.set("key", "new");
    bystander.config.set("key", 1);
    await until([host, third], "what is its own", () =>
      [host, third].every(
        (mesh) => mesh.peers.get(id)?.get("key") === "new" && mesh.config.get("key") === 1,
      ),
    );
    expect(third.stats().forged).toBe(0);
    intruder.end.close();
  });

  test("in values is not told to the application, and counted", async () => {
    const { network, host } = await scene();
    const heard: unknown[] = [];
    host.hear("**", (data) => heard.push(data));
    const intruder = await Intruder.at(host, network);
    intruder.end.send("reliable", intruder.frame(intruder.hello()));
    await until([host], "the intruder is in", () => isLinked(host, { id: intruder.id }));
    const values = [
      [0xc1],
      [0xdd, 0xff, 0xff, 0xff, 0xff],
      [0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x01],
      [0xc6, 0x7f, 0xff, 0xff, 0xff],
    ];
    for (const [i, value] of [...values, [0x07]].entries()) {
      const message = intruder.payload(saidBy(intruder.id, i + 1, Uint8Array.from(value)));
      intruder.end.send("reliable", intruder.frame(message));
    }
    await until([host], "the one that is a value", () => heard.length > 0);
    expect(heard).toEqual([7]);
    expect(host.stats().unreadable).toBe(values.length);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
