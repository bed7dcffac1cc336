// Two texts that people carry, and all that can go wrong with them on the way.
import { describe, expect, onTestFinished, test } from "vitest";
import { Rng } from "../../src/core/lib/rng.ts";
import {
  type Link,
  MemoryNetwork,
  type Mesh,
  memoryTransport,
  type Transport,
} from "../../src/index.node.ts";
import { allLinked, joinInMemory, until } from "../support/memory-mesh.ts";

const coded = (code: string) => expect.objectContaining({ name: "HearsayError", code });

async function members(count: number, cluster = "c"): Promise<Mesh[]> {
  const network = new MemoryNetwork();
  return await Promise.all(
    Array.from({ length: count }, (_, i) => joinInMemory(network, { cluster, name: `m${i}` })),
  );
}

test("an invitation and its reply link two members", async () => {
  const [host, newcomer] = (await members(2)) as [Mesh, Mesh];
  const invitation = await host.invite();
  expect(invitation.text).toMatch(/^hearsay-invitation:[\w-]+$/);
  expect(invitation.expiresAt - Date.now()).toBeGreaterThan(590_000);
  const accepted = await newcomer.acceptInvite(`\n ${invitation.text}  `);
  expect(accepted.text).toMatch(/^hearsay-reply:[\w-]+$/);
  await Promise.all([invitation.complete(` ${accepted.text}\n`), accepted.linked]);
  await allLinked([host, newcomer]);
  expect(host.health.state).toBe("ok");
});

test("10,000 damaged invitations and replies are refused, and nothing is left open", async () => {
  const [host, newcomer] = (await members(2)) as [Mesh, Mesh];
  const invitation = await host.invite();
  const other = await newcomer.acceptInvite(invitation.text);
  const rng = Rng.fromSeed(7);
  const pick = (below: number) => Math.floor(rng.float() * below);
  const alphabet = "ABCXYZabcxyz0189-_+/=: \n%ü漢\u0000";
  const damage = (text: string): string => {
    const at = pick(text.length);
    switch (pick(5)) {
      case 0:
        return text.slice(0, at);
      case 1:
        return text.slice(at + 1);
      case 2:
        return text.slice(0, at) + text.slice(at + 1 + pick(20));
      case 3:
        return `${text.slice(0, at)}${alphabet[pick(alphabet.length)]}${text.slice(at)}`;
      default:
        return Array.from({ length: pick(300) }, () => alphabet[pick(alphabet.length)]).join("");
    }
  };
  const codes = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const isReply = i % 2 === 0;
    const text = damage(isReply ? other.text : invitation.text);
    if (text.trim() === invitation.text || text.trim() === other.text) continue;
    const taking = isReply ? invitation.complete(text) : newcomer.acceptInvite(text);
    const code = await taking.then(
      () => "taken",
      (error) => error.code,
    );
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  expect([...codes.keys()].filter((code) => !/^invite:\w+$/.test(code))).toEqual([]);
  expect(codes.get("invite:malformed")).toBeGreaterThan(5_000);
  // The true ones still work.
  await Promise.all([invitation.complete(other.text), other.linked]);
  await allLinked([host, newcomer]);
});

test.each<[string, unknown]>([
  ["undefined", undefined],
  ["null", null],
  ["a number", 7],
  ["an object", {}],
  ["an empty text", ""],
  ["a beginning", "hearsay-invitation:"],
  ["the beginning of a reply", "hearsay-reply:"],
  ["a book", "x".repeat(1_000_000)],
])("%s is neither an invitation nor a reply", async (_, text) => {
  const [mesh] = (await members(1)) as [Mesh];
  const invitation = await mesh.invite();
  await expect(mesh.acceptInvite(text as string)).rejects.toEqual(coded("invite:malformed"));
  await expect(invitation.complete(text as string)).rejects.toEqual(coded("invite:malformed"));
});

test("what is for another cluster, expired or one's own is refused with its reason", async () => {
  const [host] = (await members(1)) as [Mesh];
  const [stranger] = (await members(1, "other")) as [Mesh];
  const [newcomer] = (await members(1)) as [Mesh];
  const { text } = await host.invite();
  await expect(stranger.acceptInvite(text)).rejects.toEqual(coded("invite:cluster"));
  await expect(host.acceptInvite(text)).rejects.toEqual(coded("invite:own"));
  const brief = await host.invite({ lifeMs: 1 });
  const expired = () => newcomer.acceptInvite(brief.text);
  while (Date.now() <= brief.expiresAt) await new Promise((resolve) => setImmediate(resolve));
  await expect(expired()).rejects.toEqual(coded("invite:expired"));
  for (const lifeMs of [0, -1, Number.NaN, 2 ** 31, "long" as unknown as number]) {
    await expect(host.invite({ lifeMs })).rejects.toEqual(coded("options:lifeMs"));
  }
});

describe("replies", () => {
  test("for another invitation are refused, and both still work with their own", async () => {
    const [host, first, second] = (await members(3)) as [Mesh, Mesh, Mesh];
    const [a, b] = await Promise.all([host.invite(), host.invite()]);
    const [toA, toB] = [await first.acceptInvite(a.text), await second.acceptInvite(b.text)];
    await expect(a.complete(toB.text)).rejects.toEqual(coded("invite:forged"));
    await expect(b.complete(toA.text)).rejects.toEqual(coded("invite:forged"));
    await Promise.all([a.complete(toA.text), b.complete(toB.text)]);
    await allLinked([host, first, second]);
  });

  test("may be given twice, but a second newcomer's is refused", async () => {
    const [host, first, second] = (await members(3)) as [Mesh, Mesh, Mesh];
    const invitation = await host.invite();
    const [one, two] = [
      await first.acceptInvite(invitation.text),
      await second.acceptInvite(invitation.text),
    ];
    await invitation.complete(one.text);
    await invitation.complete(one.text);
    await expect(invitation.complete(two.text)).rejects.toEqual(coded("invite:used"));
    await allLinked([host, first]);
    expect(host.peers.get(second.self.id)).toBeUndefined();
    two.cancel();
    await expect(two.linked).rejects.toEqual(coded("invite:failed"));
  });

  test("to what was withdrawn, or after leaving, fail", async () => {
    const [host, newcomer] = (await members(2)) as [Mesh, Mesh];
    const withdrawn = await host.invite();
    const accepted = await newcomer.acceptInvite(withdrawn.text);
    withdrawn.cancel();
    withdrawn.cancel();
    await expect(withdrawn.complete(accepted.text)).rejects.toEqual(coded("invite:failed"));
    accepted.cancel();
    await expect(accepted.linked).rejects.toEqual(coded("invite:failed"));

    const late = await host.invite();
    const reply = await newcomer.acceptInvite(late.text);
    await host.leave();
    await expect(late.complete(reply.text)).rejects.toEqual(coded("invite:failed"));
    await newcomer.leave();
    await expect(reply.linked).rejects.toEqual(coded("invite:failed"));
  });
});

test("16 invitations may wait at once; one more is refused until one is withdrawn", async () => {
  const [host] = (await members(1)) as [Mesh];
  const open = await Promise.all(Array.from({ length: 16 }, () => host.invite()));
  await expect(host.invite()).rejects.toEqual(coded("invite:too-many"));
  open[0]?.cancel();
  const again = await host.invite();
  for (const one of [again, ...open]) one.cancel();
});

test("one that the transport cannot make is refused with the transport's reason", async () => {
  const network = new MemoryNetwork();
  const inner = memoryTransport(network);
  const broken: Transport = {
    kind: "broken",
    slowOfferer: false,
    encrypted: false,
    connect: (options, handlers): Link => {
      const link = inner.connect(options, { ...handlers, signal: () => {} });
      queueMicrotask(() => link.close());
      return link;
    },
    close: () => inner.close(),
  };
  const mesh = await joinInMemory(network, { cluster: "c", transport: broken });
  await expect(mesh.invite()).rejects.toEqual(coded("invite:failed"));
});

test("newcomers by invitation get the history that is kept: what is set, not what was said", async () => {
  const [host, newcomer] = (await members(2)) as [Mesh, Mesh];
  onTestFinished(() => newcomer.leave());
  host.set("key", "value");
  await host.say("hello", "too early");
  const heard: unknown[] = [];
  newcomer.hear("hello", (data) => heard.push(data));
  const invitation = await host.invite();
  const accepted = await newcomer.acceptInvite(invitation.text);
  await invitation.complete(accepted.text);
  await until([newcomer], "known", () => newcomer.peers.live[0]?.get("key") === "value");
  await host.say("hello", "in time");
  await until([newcomer], "heard", () => heard.length > 0);
  expect(heard).toEqual(["in time"]);
});
