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
import { concat } from "../core/lib/bytes.ts";
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

/** Undefined: not looked at. */
type Answer = boolean | undefined;

interface Climb {
  readonly end: Uint8Array;
  /** The hashes on the way and beside it. */
  readonly met: readonly string[];
  /** The end is not the root, but known to be below it. */
  readonly isKnown: boolean;
}

/** A key and a signature by it. */
interface Head {
  readonly bytes: Uint8Array;
  readonly by: MemberId;
  /** Once the signature was found good: the hashes that it is known to stand for. Leaves and nodes are never the same. */
  known: Set<string> | undefined;
  /** Under way: is it good for the first claim that came with it? */
  checking: Promise<boolean> | undefined;
}

export class Notary {
  readonly #keys: KeyPair;
  readonly #signing: Signing;
  /** What stands before every root that is signed. */
  readonly #context: Uint8Array;
  readonly #heads = new BoundedMap<string, Head>(HEADS_MAX);
  /** That of the last claim: in a stream the next one has it, too. */
  #head: Head | undefined;
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
    return ways.map((way) => (way.length === 0 ? head : concat(head, ...way)));
  }

  /** Which of the claims are true; undefined: not looked at, for their maker has asked for too much. Total. */
  check(claims: readonly Claimed[]): Promise<(boolean | undefined)[]> {
    return Promise.all(claims.map((claim) => this.#holds(claim)));
  }

  #holds(claim: Claimed): Answer | Promise<Answer> {
    const { by, content, proof, unasked = false } = claim;
    if (proof.length < HEAD_BYTES) return false;
    const head = this.#headOf(proof);
    if (head.by !== by) return false;
    // Others of its batch most likely: one check is enough for all.
    if (head.checking !== undefined) return head.checking.then(() => this.#holds(claim));
    const way = this.#climb(this.#leaf(content), proof.subarray(HEAD_BYTES), head.known);
    if (way === undefined) return false;
    if (!way.isKnown) return this.#verify(head, way, unasked);
    // The last one met is why it is known.
    for (let i = way.met.length - 2; i >= 0; i--) head.known?.add(way.met[i] as string);
    return true;
  }

  /** Asks whether the signature stands for what the way has led to. */
  #verify(head: Head, { end, met }: Climb, unasked: boolean): Answer | Promise<Answer> {
    const now = performance.now();
    const budget = this.#budgetOf(head.by, now);
    if (unasked && !budget.take(now)) return undefined;
    const publicKey = head.bytes.subarray(0, PUBLIC_KEY_BYTES);
    const signature = head.bytes.subarray(PUBLIC_KEY_BYTES);
    const conclude = (isGood: boolean): boolean => {
      if (isGood) {
        head.known ??= new Set();
        for (const hash of met) head.known.add(hash);
        this.#heads.set(textOf(head.bytes), head);
        // Who forges in a name uses nothing of that member's budget.
      } else if (unasked) budget.give();
      return isGood;
    };
    const isGood = this.#signing.verify(publicKey, concat(this.#context, end), signature);
    if (typeof isGood === "boolean") return conclude(isGood);
    const checking = isGood.then(conclude).finally(() => {
      head.checking = undefined;
    });
    head.checking = checking;
    return checking;
  }

  #headOf(proof: Uint8Array): Head {
    if (this.#head !== undefined && beginsWith(proof, this.#head.bytes)) return this.#head;
    // Of a larger buffer all would be kept.
    const bytes = proof.slice(0, HEAD_BYTES);
    const by = this.#idOf(bytes.subarray(0, PUBLIC_KEY_BYTES));
    this.#head = this.#heads.get(textOf(bytes)) ?? {
      bytes,
      by,
      known: undefined,
      checking: undefined,
    };
    return this.#head;
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
    return concat(publicKey, await this.#signing.sign(secretKey, concat(this.#context, root)));
  }

  #leaf(content: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(1 + content.length);
    bytes.set(content, 1);
    return this.digest(bytes);
  }

  #node(left: Uint8Array, right: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(1 + 2 * NODE_BYTES);
    bytes[0] = 1;
    bytes.set(left, 1);
    bytes.set(right, 1 + NODE_BYTES);
    return this.digest(bytes);
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

/** Two bytes make a character: shorter, and sooner found. */
function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 2) {
    text += String.fromCharCode(((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0));
  }
  return text;
}

function beginsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  for (let i = start.length - 1; i >= 0; i--) if (bytes[i] !== start[i]) return false;
  return true;
}
