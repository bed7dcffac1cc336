/**
 * A member that writes down all that happens to it. The same class runs in the test's process, in a tab and in a
 * process of its own; arguments and results are plain, so that all three are driven alike.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import type {
  Health,
  Join,
  JoinOptions,
  Mesh,
  MeshEventName,
  MeshEvents,
  OpenStore,
  Peer,
  PeerState,
  Transport,
} from "../../src/index.ts";
import type { AcceptedInvitation, Invitation } from "../../src/runtime/invitations.ts";
import { hashOfCluster } from "../../src/session/identity.ts";
import { memoryStore } from "../../src/store/memory.ts";
import { patterned } from "../../src/testing/expectations.ts";
import { Cuttable } from "./cuttable.ts";
import { ABOUT, EVENT_OF, type Happening } from "./happening.ts";

/** How long a condition is waited for, ms. Far above what it takes: only a fault reaches it. */
const PATIENCE_MS = 20_000;

/** Options of `join` that can travel as JSON. */
export interface MemberOptions
  extends Pick<
    JoinOptions,
    | "cluster"
    | "secret"
    | "seeds"
    | "tabs"
    | "name"
    | "role"
    | "meta"
    | "joinTimeoutMs"
    | "parameters"
    | "backoff"
    | "udp"
    | "iceTransportPolicy"
  > {
  readonly secretKeyHex?: string;
  /** Where it keeps what it keeps: a folder, or the name of a database. */
  readonly storeName?: string;
  /** It waits while another has the store. */
  readonly storeWaits?: boolean;
  /** Its links can be cut one by one. */
  readonly cuttable?: boolean;
}

export interface HeardEntry {
  readonly from: string;
  readonly name: string;
  /** Bytes are written down by {@link fingerprint}. */
  readonly data: unknown;
  readonly direct: boolean;
}

export interface PeerEntry {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly meta: unknown;
  readonly state: PeerState;
  readonly node: boolean;
  readonly linked: boolean;
  readonly links: readonly string[];
  readonly generation: number;
}

export interface StatsEntry {
  readonly rejected: number;
  readonly duplicates: number;
  readonly heard: number;
  readonly unreadable: number;
  /** Over all links that are up now. */
  readonly sentBytes: number;
}

type StoreOf = (name: string, options: { wait: boolean }) => OpenStore;

export class Member {
  readonly #join: Join;
  readonly #makeTransport: () => Promise<Transport>;
  readonly #storeOf: StoreOf;
  readonly #story: Happening[] = [];
  readonly #heard: HeardEntry[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #errors: string[] = [];
  readonly #keptKeys = new Set<string>();
  #mesh: Mesh | undefined;
  #transport: Cuttable | undefined;
  #invitation: Invitation | undefined;
  #accepted: AcceptedInvitation | undefined;

  constructor(
    join: Join,
    makeTransport: () => Promise<Transport>,
    storeOf: StoreOf = () => memoryStore(),
  ) {
    this.#join = join;
    this.#storeOf = storeOf;
    this.#makeTransport = makeTransport;
  }

  /** Resolves with the id. */
  async join(given: MemberOptions): Promise<string> {
    const { secretKeyHex, cuttable, storeName, storeWaits: wait = false, ...options } = given;
    if (cuttable) {
      const clusterHash = await hashOfCluster(options.cluster);
      this.#transport = new Cuttable(await this.#makeTransport(), clusterHash);
    }
    // Until `join` has given the mesh, only its logger tells what happens.
    const logger = {
      debug: (event: string, args: object) => {
        if (this.#mesh === undefined) this.#note(event as MeshEventName, args as [never]);
      },
      warn: (message: string) => void this.#errors.push(message),
      error: (message: string, { error }: { error?: unknown } = {}) =>
        void this.#errors.push(`${message}: ${error}`),
    };
    const mesh = await this.#join({
      ...options,
      ...(this.#transport !== undefined && { transport: this.#transport }),
      ...(storeName !== undefined && { store: this.#watch(this.#storeOf(storeName, { wait })) }),
      ...(secretKeyHex !== undefined && {
        identity: { secretKey: bytesOfHex(secretKeyHex), generation: 0 },
      }),
      logger,
    });
    this.#mesh = mesh;
    for (const event of Object.keys(ABOUT) as MeshEventName[]) {
      mesh.on(event, (...args: unknown[]) => this.#note(event, args as [never]));
    }
    mesh.hear("**", (data, from, name, { direct }) => {
      this.#heard.push({ from: from.id, name, data: plain(data), direct });
      this.#look();
    });
    mesh.know("**", () => this.#look());
    mesh.config.on("**", () => this.#look());
    return mesh.self.id;
  }

  #watch(openStore: OpenStore): OpenStore {
    return async (onRepair) => {
      const store = await openStore(onRepair);
      const write: typeof store.write = async (changes) => {
        await store.write(changes);
        for (const { key } of changes) if (key.includes("/config/")) this.#keptKeys.add(key);
        this.#look();
      };
      return { write, range: (...range) => store.range(...range), close: () => store.close() };
    };
  }

  async leave(): Promise<void> {
    await this.#running().leave();
  }

  async say(name: string, data: unknown): Promise<void> {
    await this.#running().say(name, data);
  }

  /** Says 0, 1, 2, … all at once. */
  async sayMany(name: string, count: number): Promise<void> {
    const mesh = this.#running();
    await Promise.all(Array.from({ length: count }, (_, i) => mesh.say(name, i)));
  }

  async sayBytes(name: string, size: number, seed: number): Promise<void> {
    await this.#running().say(name, patterned(size, seed));
  }

  /** What is heard in a channel is written down by its name. */
  async subscribe(channel: string, history: number): Promise<void> {
    const news = this.#running().channel(channel, { history });
    news.subscribe((data, from) => {
      this.#heard.push({ from: from.id, name: channel, data: plain(data), direct: false });
      this.#look();
    });
  }

  /** Publishes 0, 1, 2, … one after another. */
  async publishMany(channel: string, count: number, history: number): Promise<void> {
    const news = this.#running().channel(channel, { history });
    for (let i = 0; i < count; i++) await news.publish(i);
  }

  async send(to: string, name: string, data: unknown): Promise<void> {
    await this.#running().send(to, name, data);
  }

  async sendBytes(to: string, name: string, size: number, seed: number): Promise<void> {
    await this.#running().send(to, name, patterned(size, seed), { timeoutMs: PATIENCE_MS });
  }

  async set(key: string, value: unknown): Promise<void> {
    this.#running().set(key, value);
  }

  /** Sets 1, 2, … up to `count`, one in each period. Does not wait for it. */
  async setInTurn(key: string, count: number, periodMs: number): Promise<void> {
    const mesh = this.#running();
    let value = 0;
    const timer = setInterval(() => {
      mesh.set(key, ++value);
      if (value === count) clearInterval(timer);
    }, periodMs);
  }

  async setBytes(key: string, size: number, seed: number): Promise<void> {
    this.#running().set(key, patterned(size, seed));
  }

  async configure(key: string, value: unknown): Promise<void> {
    this.#running().config.set(key, value);
  }

  /** The configuration as it is known now. */
  async configuration(): Promise<Record<string, unknown>> {
    return Object.fromEntries(this.#running().config.entries());
  }

  /** Resolves when its store has kept so many keys. */
  async untilKept(count: number): Promise<void> {
    await this.#until(`${count} keys kept`, undefined, () => this.#keptKeys.size >= count);
  }

  async delete(key: string): Promise<void> {
    this.#running().delete(key);
  }

  /** What `owner` has set; undefined for a key that it has not. */
  async known(owner: string, key: string): Promise<unknown> {
    return plain(this.#running().peers.get(owner)?.get(key));
  }

  async keys(owner: string): Promise<string[]> {
    return this.#running().peers.get(owner)?.keys() ?? [];
  }

  async peers(): Promise<PeerEntry[]> {
    return this.#running().peers.all.map(entryOf);
  }

  async self(): Promise<PeerEntry> {
    return entryOf(this.#running().self);
  }

  async health(): Promise<Omit<Health, "seeds">> {
    const { seeds: _, ...health } = this.#running().health;
    return health;
  }

  async stats(): Promise<StatsEntry> {
    const { rejected, duplicates, heard, unreadable, links } = this.#running().stats();
    return {
      rejected: rejected.cluster + rejected.malformed + rejected.version,
      duplicates,
      heard,
      unreadable,
      sentBytes: links.reduce((sum, link) => sum + link.sentBytes, 0),
    };
  }

  /** The transports of all links that are up now. */
  async kinds(): Promise<string[]> {
    return this.#running()
      .stats()
      .links.map(({ transport }) => transport);
  }

  async seedStates(): Promise<string[]> {
    return this.#running().seeds.map(({ state }) => state);
  }

  async invite(): Promise<string> {
    this.#invitation = await this.#running().invite();
    return this.#invitation.text;
  }

  async acceptInvite(text: string): Promise<string> {
    this.#accepted = await this.#running().acceptInvite(text);
    return this.#accepted.text;
  }

  async complete(reply: string): Promise<void> {
    await this.#invitation?.complete(reply);
  }

  async accepted(): Promise<void> {
    await this.#accepted?.linked;
  }

  /** Cuts the link with `peer`, as if its connection had been lost. Both ends notice. */
  async cut(peer: string): Promise<void> {
    const cut = this.#until("the link is cut", undefined, ({ peers }) => !peers.get(peer)?.linked);
    if (!this.#transport?.cut(peer)) throw new Error(`there is no link with ${peer} to cut`);
    await cut;
  }

  async addSeed(url: string): Promise<boolean> {
    return this.#running().addSeed(url);
  }

  /** All events so far. */
  async story(): Promise<Happening[]> {
    return [...this.#story];
  }

  async heard(name?: string): Promise<HeardEntry[]> {
    return this.#heard.filter((entry) => name === undefined || entry.name === name);
  }

  /** What was told to the logger as a warning or an error. */
  async errors(): Promise<string[]> {
    return [...this.#errors];
  }

  async untilLinked(ids: readonly string[], ms?: number): Promise<void> {
    await this.#until(`links with ${ids.length} peers`, ms, (mesh) =>
      ids.every((id) => mesh.peers.get(id)?.linked),
    );
  }

  /** How many links have ended since it joined. */
  async lostLinks(): Promise<number> {
    return this.#story.filter(({ event }) => event === "link:down").length;
  }

  async untilLostLinks(count: number, ms?: number): Promise<void> {
    const lost = (): number => this.#story.filter(({ event }) => event === "link:down").length;
    await this.#until(`${count} links lost`, ms, () => lost() >= count, lost);
  }

  async untilUnlinked(id: string, ms?: number): Promise<void> {
    await this.#until(`no link with ${id}`, ms, ({ peers }) => !peers.get(id)?.linked);
  }

  /** Resolves with how many links it has once these are at most so many. */
  async untilLinksAtMost(most: number, ms?: number): Promise<number> {
    const count = (mesh: Mesh): number => mesh.health.linkCount;
    const holds = (mesh: Mesh): boolean => count(mesh) > 0 && count(mesh) <= most;
    await this.#until(`at most ${most} links`, ms, holds, () => count(this.#running()));
    return count(this.#running());
  }

  /** Resolves when each of these is in this state. */
  async untilAll(ids: readonly string[], state: PeerState, ms?: number): Promise<void> {
    const missing = ({ peers }: Mesh): number =>
      ids.filter((id) => peers.get(id)?.state !== state).length;
    await this.#until(
      `${ids.length} ${state}`,
      ms,
      (mesh) => missing(mesh) === 0,
      () => `${missing(this.#running())} are not`,
    );
  }

  /** Resolves with when the state was seen first, wall clock, ms. */
  async untilState(id: string, state: PeerState, ms?: number): Promise<number> {
    const event = EVENT_OF[state];
    await this.#until(`${id} ${state}`, ms, (mesh) => mesh.peers.get(id)?.state === state);
    const seen = this.#story.findLast((one) => one.event === event && one.id === id);
    return seen?.at ?? Number.NaN;
  }

  /** Resolves when it has left or is held for dead: with which, and when that was seen, wall clock, ms. */
  async untilGone(id: string, ms?: number): Promise<{ state: "left" | "down"; at: number }> {
    const gone = ({ peers }: Mesh): "left" | "down" | undefined => {
      const state = peers.get(id)?.state;
      return state === "left" || state === "down" ? state : undefined;
    };
    await this.#until(`${id} gone`, ms, (mesh) => gone(mesh) !== undefined);
    const state = gone(this.#running()) ?? "down";
    const seen = this.#story.findLast((one) => one.event === EVENT_OF[state] && one.id === id);
    return { state, at: seen?.at ?? Number.NaN };
  }

  async untilHeard(name: string, count: number, ms?: number): Promise<void> {
    const heard = () => this.#heard.filter((entry) => entry.name === name).length;
    await this.#until(`${count} × ${name}`, ms, () => heard() >= count, heard);
  }

  async untilKnown(owner: string, key: string, value: unknown, ms?: number): Promise<void> {
    const wanted = JSON.stringify(value);
    await this.#until(`${key} of ${owner} is ${wanted}`, ms, (mesh) => {
      return JSON.stringify(plain(mesh.peers.get(owner)?.get(key))) === wanted;
    });
  }

  async untilConfigured(key: string, value: unknown, ms?: number): Promise<void> {
    const holds = ({ config }: Mesh): boolean => plain(config.get(key)) === value;
    await this.#until(`${key} is configured to ${value}`, ms, holds);
  }

  async untilHealth(state: string, ms?: number): Promise<void> {
    await this.#until(`health ${state}`, ms, (mesh) => mesh.health.state === state);
  }

  #running(): Mesh {
    if (this.#mesh === undefined) throw new Error("this member has not joined");
    return this.#mesh;
  }

  /** Waits until `holds` does; looks after every event. */
  #until(
    what: string,
    ms: number = PATIENCE_MS,
    holds: (mesh: Mesh) => boolean,
    detail: () => unknown = () => "",
  ): Promise<void> {
    const mesh = this.#running();
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!holds(mesh)) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        const parts = [`${mesh.self.name}: not within ${ms} ms: ${what}`, detail(), this.#tail()];
        reject(new Error(parts.join("\n")));
      }, ms);
      this.#watchers.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#watchers]) look();
  }

  #note<E extends MeshEventName>(event: E, args: MeshEvents[E]): void {
    this.#story.push({ at: wallMs(), event, ...ABOUT[event](...args) });
    this.#look();
  }

  #tail(): string {
    const peers = this.#mesh?.peers.all.map(
      ({ name, state, linked }) => `${name} ${state}${linked ? " linked" : ""}`,
    );
    const last = this.#story
      .slice(-25)
      .map(({ at, event, id, detail }) => `${at.toFixed(0)} ${event} ${id.slice(0, 8)} ${detail}`);
    return [this.#mesh?.health.why, peers?.join(", "), ...last, ...this.#errors].join("\n");
  }
}

/** The methods of a member that may be elsewhere. */
export type Remote = Omit<Member, never>;

/** A member elsewhere: each method is carried there by `call`. */
export function remote(call: (method: string, args: unknown[]) => Promise<unknown>): Remote {
  return new Proxy({} as Remote, {
    get: (_, method) =>
      typeof method === "string" && method in Member.prototype
        ? (...args: unknown[]) => call(method, args)
        : undefined,
  });
}

/** Stands for bytes where they would be too long to compare or to write down. */
export function fingerprint(bytes: Uint8Array): { bytes: number; sha256: string } {
  const sum = [...sha256(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { bytes: bytes.length, sha256: sum };
}

export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

function plain(data: unknown): unknown {
  return data instanceof Uint8Array ? fingerprint(data) : data;
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function entryOf(peer: Peer): PeerEntry {
  const { id, name, role, meta, state, node, linked, links, generation } = peer;
  return { id, name, role, meta, state, node, linked, links, generation };
}
