/**
 * The identity of a tab, kept over reloads.
 *
 * Key and generation stand in `sessionStorage`, which belongs to one tab, survives its reload and its crash, and ends
 * with it. A duplicated tab begins with a copy of it. So an identity is used only by who holds the Web Lock of its
 * name, and who finds it held makes one of its own. Without Web Locks (insecure origins) nothing is kept.
 */

import { randomBytes, SECRET_KEY_BYTES, sha256 } from "./crypto.ts";
import { holdLock } from "./web-lock.ts";

/** Meshes of one cluster in one page: each has its slot. More are not kept. */
const SLOTS_MAX = 8;

/** Slots in use in this page. */
const used = new Set<string>();

export class KeptIdentity {
  readonly secretKey: Uint8Array;
  readonly #storage: Storage;
  readonly #slot: string;
  #generation: number;
  #release: (() => void) | undefined;

  constructor(storage: Storage, slot: string, { secretKey, generation }: Stored) {
    this.secretKey = secretKey;
    this.#storage = storage;
    this.#slot = slot;
    this.#generation = generation;
  }

  /** The highest generation that was kept; 0 for a new identity. */
  get generation(): number {
    return this.#generation;
  }

  /** Takes it for this page. False when another tab has it. */
  async hold(): Promise<boolean> {
    this.#release ??= await lock(this.secretKey);
    if (this.#release !== undefined) used.add(this.#slot);
    return this.#release !== undefined;
  }

  /** Writes down the generation of a start. */
  keep(generation: number): void {
    this.#generation = Math.max(this.#generation, generation);
    try {
      const digits = Array.from(this.secretKey, (byte) => byte.toString(16).padStart(2, "0"));
      this.#storage.setItem(this.#slot, `${digits.join("")} ${this.#generation}`);
    } catch {
      // Full, or forbidden by now: the next load is another member.
    }
  }

  /** Lets it go: the page that comes next may take it. */
  release(): void {
    this.#release?.();
    this.#release = undefined;
    used.delete(this.#slot);
  }
}

/** This tab's identity in a cluster, held; undefined where a tab can keep none. */
export async function keptIdentity(cluster: string): Promise<KeptIdentity | undefined> {
  const storage = sessionStorageOf();
  if (storage === undefined || globalThis.navigator?.locks === undefined) return undefined;
  for (let i = 0; i < SLOTS_MAX; i++) {
    const slot = `hearsay ${cluster} ${i}`;
    if (used.has(slot)) continue;
    // At once: another mesh of this page may be looking too.
    used.add(slot);
    const stored = parse(storage.getItem(slot));
    const kept = stored && new KeptIdentity(storage, slot, stored);
    if (kept !== undefined && (await kept.hold())) return kept;
    // It is a copy, or there is none.
    const made = { secretKey: randomBytes(SECRET_KEY_BYTES), generation: 0 };
    const fresh = new KeptIdentity(storage, slot, made);
    if (await fresh.hold()) return fresh;
    used.delete(slot);
    return undefined;
  }
  return undefined;
}

interface Stored {
  readonly secretKey: Uint8Array;
  readonly generation: number;
}

/** What stands there may have been changed by anything in the page. */
function parse(text: string | null): Stored | undefined {
  const [, key, generation] = /^([0-9a-f]{64}) (\d{1,15})$/.exec(text ?? "") ?? [];
  if (key === undefined) return undefined;
  const secretKey = Uint8Array.from(key.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return { secretKey, generation: Number(generation) };
}

/** Undefined where there is none, or the page may not use it. */
function sessionStorageOf(): Storage | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}

/** Holds the lock of a key. Undefined when it is not free. */
async function lock(secretKey: Uint8Array): Promise<(() => void) | undefined> {
  return holdLock(`hearsay ${[...(await sha256(secretKey)).subarray(0, 16)].join(".")}`);
}
