import { beforeAll, describe, expect, test } from "vitest";
import type { Claimed } from "../../../src/core/machine.ts";
import { PROOF_BYTES_MAX } from "../../../src/core/wire/messages.ts";
import { type KeyPair, keyPair } from "../../../src/session/identity.ts";
import { Notary, type Signing } from "../../../src/session/notary.ts";
import { primitives as inPages } from "../../../src/session/primitives.noble.ts";
import { primitives as inNode } from "../../../src/session/primitives.node.ts";

const CLUSTER = 7;
let keys: KeyPair;
let other: KeyPair;

beforeAll(async () => {
  [keys, other] = await Promise.all([keyPair(), keyPair()]);
});

const content = (n: number): Uint8Array => Uint8Array.of(1, 2, 3, n);
const contents = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, n) => content(n));

const claimsOf = (made: readonly Uint8Array[], proofs: readonly Uint8Array[]): Claimed[] =>
  made.map((one, i) => ({ by: keys.id, content: one, proof: proofs[i] as Uint8Array }));

describe.each([
  ["Node", inNode],
  ["pages", inPages],
] as const)("proofs in %s", (_name, signing) => {
  test.each([1, 2, 3, 5, 63, 64])("all of a batch of %i hold, each by itself", async (count) => {
    const made = contents(count);
    const proofs = await new Notary(keys, CLUSTER, signing).prove(made, false);
    for (const claim of claimsOf(made, proofs)) {
      // Another member, which has seen nothing before.
      const judge = new Notary(other, CLUSTER, signing);
      expect(await judge.check([claim])).toEqual([true]);
      expect(claim.proof.length).toBeLessThanOrEqual(PROOF_BYTES_MAX);
    }
  });

  test("what is proven apart has no more than a key and a signature", async () => {
    const made = contents(3);
    const proofs = await new Notary(keys, CLUSTER, signing).prove(made, true);
    expect(proofs.map(({ length }) => length)).toEqual([96, 96, 96]);
    const good = await new Notary(other, CLUSTER, signing).check(claimsOf(made, proofs));
    expect(good).toEqual([true, true, true]);
  });
});

test("both platforms make the same proofs", async () => {
  const [a, b] = await Promise.all(
    [inNode, inPages].map((signing) =>
      new Notary(keys, CLUSTER, signing).prove(contents(5), false),
    ),
  );
  expect(a).toEqual(b);
});

describe("what does not hold", () => {
  let made: Uint8Array[];
  let claims: Claimed[];

  beforeAll(async () => {
    made = contents(5);
    claims = claimsOf(made, await new Notary(keys, CLUSTER, inNode).prove(made, false));
  });

  const check = (claim: Partial<Claimed>, cluster = CLUSTER): Promise<(boolean | undefined)[]> =>
    new Notary(other, cluster, inNode).check([{ ...(claims[2] as Claimed), ...claim }]);

  test("something else with the same proof", async () => {
    expect(await check({ content: content(9) })).toEqual([false]);
    expect(await check({ content: made[1] as Uint8Array })).toEqual([false]);
  });

  test("somebody else's name", async () => {
    expect(await check({ by: other.id })).toEqual([false]);
  });

  test("another cluster", async () => {
    expect(await check({}, CLUSTER + 1)).toEqual([false]);
  });

  test("a proof that somebody else made in this name", async () => {
    const [forged] = await new Notary(other, CLUSTER, inNode).prove([made[2] as Uint8Array], true);
    expect(await check({ proof: forged as Uint8Array })).toEqual([false]);
  });

  test("any byte of the proof changed, cut off or added", async () => {
    const { proof } = claims[2] as Claimed;
    for (let i = 0; i < proof.length; i++) {
      const changed = proof.slice();
      changed[i] = (changed[i] as number) ^ 1;
      expect(await check({ proof: changed }), `byte ${i}`).toEqual([false]);
    }
    for (let length = 0; length < proof.length; length++) {
      expect(await check({ proof: proof.slice(0, length) }), `${length} bytes`).toEqual([false]);
    }
    const longer = new Uint8Array(proof.length + 1);
    longer.set(proof);
    expect(await check({ proof: longer })).toEqual([false]);
  });

  test("a node of the tree passed off as something that was made", async () => {
    // The root of a batch of two as the content of a leaf: leaves and nodes are hashed differently.
    const two = contents(2);
    const notary = new Notary(keys, CLUSTER, inNode);
    const [proof] = await notary.prove(two, false);
    const digest = (bytes: readonly number[]): Uint8Array => notary.digest(Uint8Array.from(bytes));
    const leaves = two.map((one) => digest([0, ...one]));
    const node = [1, ...(leaves[0] as Uint8Array), ...(leaves[1] as Uint8Array)];
    const head = (proof as Uint8Array).slice(0, 96);
    const claim = { by: keys.id, content: Uint8Array.from(node.slice(1)), proof: head };
    expect(await new Notary(other, CLUSTER, inNode).check([claim])).toEqual([false]);
  });
});

test("one signature is checked for all that it stands for", async () => {
  let checks = 0;
  const counting: Signing = {
    ...inNode,
    verify: (...args) => {
      checks++;
      return inNode.verify(...args);
    },
  };
  const made = contents(64);
  const proofs = await new Notary(keys, CLUSTER, inNode).prove(made, false);
  const judge = new Notary(other, CLUSTER, counting);
  for (const claim of claimsOf(made, proofs)) expect(await judge.check([claim])).toEqual([true]);
  expect(checks).toBe(1);
});

describe("a member that signs more than can be checked", () => {
  const claimsBy = async (by: KeyPair, count: number): Promise<Claimed[]> => {
    const made = contents(100);
    const proofs = await new Notary(by, CLUSTER, inNode).prove(made, true);
    return Array.from({ length: count }, (_, i) => {
      const content = made[i % 100] as Uint8Array;
      const proof = proofs[i % 100] as Uint8Array;
      return { by: by.id, content, proof, unasked: true };
    });
  };
  const alone = (claim: Claimed): Claimed => ({ ...claim, unasked: true });
  /** Nothing is remembered of what was checked, and nothing takes time. */
  const quick: Signing = { ...inNode, verify: (_key, data) => data.length > 0 };

  test("is told so, and others are checked as before", async () => {
    const judge = new Notary(other, CLUSTER, quick);
    const third = await keyPair();
    const mine = await new Notary(third, CLUSTER, inNode).prove(contents(1), true);
    const results: (boolean | undefined)[] = [];
    for (let n = 0; n < 40; n++) {
      // Each signature is another one.
      const made = Array.from({ length: 100 }, (_, i) => Uint8Array.of(n, i));
      const proofs = await new Notary(keys, CLUSTER, inNode).prove(made, true);
      results.push(...(await judge.check(claimsOf(made, proofs).map(alone))));
    }
    const unchecked = results.filter((result) => result === undefined).length;
    expect(unchecked).toBeGreaterThan(0);
    expect(unchecked).toBeLessThanOrEqual(1_500);
    const [claim] = claimsOf(contents(1), mine);
    expect(await judge.check([alone({ ...(claim as Claimed), by: third.id })])).toEqual([true]);
  });

  test("is not blamed for what was asked for, however much it is", async () => {
    const judge = new Notary(other, CLUSTER, quick);
    for (let n = 0; n < 40; n++) {
      const made = Array.from({ length: 100 }, (_, i) => Uint8Array.of(n, i));
      const proofs = await new Notary(keys, CLUSTER, inNode).prove(made, true);
      expect(new Set(await judge.check(claimsOf(made, proofs)))).toEqual(new Set([true]));
    }
  });

  test("is not who others forge in the name of", async () => {
    const judge = new Notary(other, CLUSTER, inNode);
    const forged = (await claimsBy(keys, 4_000)).map(({ by, proof }, i) => ({
      by,
      content: Uint8Array.of(9, i % 256, i >> 8),
      proof,
      unasked: true as const,
    }));
    for (let i = 0; i < forged.length; i += 500) {
      expect(new Set(await judge.check(forged.slice(i, i + 500)))).toEqual(new Set([false]));
    }
    expect(await judge.check((await claimsBy(keys, 1)).slice(0, 1))).toEqual([true]);
  });
});
