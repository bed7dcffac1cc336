/**
 * Proofs of who has made what: Ed25519 over the root of a Merkle tree, so that one signature stands for up to 64 things
 * and each of them travels alone with the hashes beside its way to the root.
 *
 * ```
 * proof: public key, 32 │ signature, 64 │ and of a batch: turns, 1 │ sibling, 16 │ sibling, 16 │ …
 * leaf = H(0 ‖ content)   node = H(1 ‖ left ‖ right)   signed: "hearsay proof" ‖ cluster's hash ‖ root
 * ```
 *
 * H is the first 16 bytes of SHA-256. Bit n of `turns` says that sibling n stands on the left. A node without a sibling
 * moves up as it is. The key proves itself: a member's id is its hash.
 */

import { BoundedMap } from "../core/lib/bounded-map.ts";
import { idFromBytes, type MemberId } from "../core/lib/ids.ts";
import { TokenBucket } from "../core/lib/token-bucket.ts";
import type { Claimed } from "../core/machine.ts";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "./crypto.ts";
import type { KeyPair } from "./identity.ts";
import type { Primitives } from "./primitives.ts";

/** What it takes of the platform. */
export type Signing = Pick<Primitives, "sha256" | "sign" | "verify">;

const NODE_BYTES = 16;
const HEAD_BYTES = PUBLIC_KEY_BYTES + SIGNATURE_BYTES;
/** Siblings on the longest way to a root: of 64. */
const SIBLINGS_MAX = 6;

/** Signatures that were good: what else they stand for is only hashed. */
const HEADS_MAX = 512;
/** Signatures of one member's news that are checked: more than an honest one makes, also when it comes late. */
const CHECKS_PER_SECOND = 500;
const CHECKS_BURST = 2_500;
/** Keys whose id is known. */
const IDS_MAX = 4_096;

const CONTEXT = new TextEncoder().encode("hearsay proof");

interface Climb {
  readonly end: Uint8Array;
  /** The hashes on the way and beside it. */
  readonly met: readonly string[];
  /** The end is not the root, but known to be below it. */
  readonly isKnown: boolean;
}

export class Notary {
  readonly #keys: KeyPair;
  readonly #signing: Signing;
  /** What stands before every root that is signed. */
  readonly #context: Uint8Array;
  /** Of each good signature, the hashes that it is known to stand for: leaves and nodes, which are never the same. */
  readonly #heads = new BoundedMap<string, Set<string>>(HEADS_MAX);
  readonly #ids = new BoundedMap<string, MemberId>(IDS_MAX);
  readonly #budgets = new BoundedMap<MemberId, TokenBucket>(IDS_MAX);

  constructor(keys: KeyPair, clusterHash: number, signing: Signing) {
    this.#keys = keys;
    this.#signing = signing;
    this.#context = new Uint8Array(CONTEXT.length + 4);
    this.#context.set(CONTEXT);
    new DataView(this.#context.buffer).setUint32(CONTEXT.length, clusterHash);
  }

  /** The first 16 bytes of SHA-256. */
  readonly digest = (bytes: Uint8Array): Uint8Array =>
    this.#signing.sha256(bytes).slice(0, NODE_BYTES);

  /** A proof for each, in their order. `apart`: each with a signature of its own, and so as short as can be. */
  async prove(contents: readonly Uint8Array[], apart: boolean): Promise<Uint8Array[]> {
    if (apart) return Promise.all(contents.map(async (content) => this.#sign(this.#leaf(content))));
    const { root, ways } = this.#tree(contents.map((content) => this.#leaf(content)));
    const head = await this.#sign(root);
    return ways.map((way) => (way.length === 0 ? head : join(head, ...way)));
  }

  /** Which of the claims are true; undefined: not looked at, for their maker has asked for too much. Total. */
  check(claims: readonly Claimed[]): Promise<(boolean | undefined)[]> {
    return Promise.all(claims.map((claim) => this.#holds(claim)));
  }

  async #holds({ by, content, proof, unasked }: Claimed): Promise<boolean | undefined> {
    if (proof.length < HEAD_BYTES) return false;
    const publicKey = proof.subarray(0, PUBLIC_KEY_BYTES);
    if (this.#idOf(publicKey) !== by) return false;
    const head = textOf(proof.subarray(0, HEAD_BYTES));
    const known = this.#heads.get(head);
    const way = this.#climb(this.#leaf(content), proof.subarray(HEAD_BYTES), known);
    if (way === undefined) return false;
    const { end, met, isKnown } = way;
    if (!isKnown) {
      const now = performance.now();
      const budget = this.#budgetOf(by, now);
      if (unasked && !budget.take(now)) return undefined;
      const signature = proof.subarray(PUBLIC_KEY_BYTES, HEAD_BYTES);
      const isGood = await this.#signing.verify(publicKey, join(this.#context, end), signature);
      if (!isGood) {
        // Who forges in a name uses nothing of that member's budget.
        if (unasked) budget.give();
        return false;
      }
    }
    const all = this.#heads.get(head) ?? new Set();
    for (const hash of met) all.add(hash);
    this.#heads.set(head, all);
    return true;
  }

  #budgetOf(by: MemberId, now: number): TokenBucket {
    let budget = this.#budgets.get(by);
    if (budget === undefined) {
      budget = new TokenBucket(CHECKS_PER_SECOND, CHECKS_BURST, now);
      this.#budgets.set(by, budget);
    }
    return budget;
  }

  async #sign(root: Uint8Array): Promise<Uint8Array> {
    const { publicKey, secretKey } = this.#keys;
    return join(publicKey, await this.#signing.sign(secretKey, join(this.#context, root)));
  }

  #leaf(content: Uint8Array): Uint8Array {
    return this.digest(join(Uint8Array.of(0), content));
  }

  #node(left: Uint8Array, right: Uint8Array): Uint8Array {
    return this.digest(join(Uint8Array.of(1), left, right));
  }

  /** The root, and for each leaf its turns and siblings; nothing for a leaf that is the root. */
  #tree(leaves: readonly Uint8Array[]): { root: Uint8Array; ways: Uint8Array[][] } {
    const turns = leaves.map(() => 0);
    const siblings: Uint8Array[][] = leaves.map(() => []);
    let level = leaves.map((hash, i) => ({ hash, of: [i] }));
    while (level.length > 1) {
      const above: typeof level = [];
      for (let i = 0; i < level.length; i += 2) {
        const [left, right] = [level[i], level[i + 1]];
        if (left === undefined) break;
        if (right === undefined) {
          above.push(left);
          break;
        }
        for (const leaf of left.of) siblings[leaf]?.push(right.hash);
        for (const leaf of right.of) {
          turns[leaf] = (turns[leaf] ?? 0) | (1 << (siblings[leaf]?.length ?? 0));
          siblings[leaf]?.push(left.hash);
        }
        above.push({ hash: this.#node(left.hash, right.hash), of: [...left.of, ...right.of] });
      }
      level = above;
    }
    const ways = siblings.map((way, i) =>
      way.length === 0 ? [] : [Uint8Array.of(turns[i] ?? 0), ...way],
    );
    return { root: level[0]?.hash ?? new Uint8Array(NODE_BYTES), ways };
  }

  /** Goes a way from a leaf to its end, or to what is known; undefined for what is no way. */
  #climb(
    leaf: Uint8Array,
    way: Uint8Array,
    known: ReadonlySet<string> | undefined,
  ): Climb | undefined {
    const count = way.length === 0 ? 0 : (way.length - 1) / NODE_BYTES;
    const turns = way[0] ?? 0;
    if (!Number.isInteger(count) || count > SIBLINGS_MAX || turns >> count !== 0) return undefined;
    const met: string[] = [];
    let end = leaf;
    for (let i = 0; ; i++) {
      const name = textOf(end);
      met.push(name);
      if (known?.has(name)) return { end, met, isKnown: true };
      if (i === count) return { end, met, isKnown: false };
      const sibling = way.subarray(1 + i * NODE_BYTES, 1 + (i + 1) * NODE_BYTES);
      met.push(textOf(sibling));
      end = (turns >> i) & 1 ? this.#node(sibling, end) : this.#node(end, sibling);
    }
  }

  #idOf(publicKey: Uint8Array): MemberId {
    const name = textOf(publicKey);
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = idFromBytes(this.digest(publicKey));
      this.#ids.set(name, id);
    }
    return id;
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
