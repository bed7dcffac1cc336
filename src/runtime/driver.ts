/**
 * The one driver: feeds the core its inputs, performs its effects, keeps its one timer.
 *
 * Inputs that come while a step runs wait for its end. Events go to the application after all effects of the
 * steps that made them, so that a handler may call back in.
 */

import type { Config } from "../core/config.ts";
import { Core } from "../core/core.ts";
import { BoundedMap } from "../core/lib/bounded-map.ts";
import type {
  AttemptId,
  Command,
  Effect,
  Input,
  LinkId,
  MemberId,
  MeshEvent,
} from "../core/machine.ts";
import type { PartChange, PartName } from "../core/part.ts";
import type { Sealing } from "../core/routing/seals.ts";
import type { LinkView } from "../core/view.ts";
import { HearsayError } from "../errors.ts";
import type { Notary } from "../session/notary.ts";
import type { ProvenLink, SecuredTransport } from "../session/secured.ts";
import type { CloseReason, Link, LinkHandlers } from "../transport/transport.ts";
import { Clock } from "./clock.ts";
import type { DialSeed } from "./dial-seed.ts";
import { Seeds, type SeedsOptions } from "./seeds.ts";

/**
 * Timers of hidden pages come up to a second late. What comes later, and by more than two periods, is a standstill, ms.
 */
const STANDSTILL_MS_MIN = 2_000;

/** Who was found on the local network is dialled once in this time, ms; so many of them are remembered. */
const FOUND_MS = 5_000;
const FOUND_MAX = 256;

export interface DriverOptions
  extends Omit<SeedsOptions, "id" | "input" | "isSuspended" | "dialSeed"> {
  readonly config: Config;
  readonly transports: readonly SecuredTransport[];
  /** Makes and checks proofs, where the configuration asks for any. */
  readonly notary?: Notary | undefined;
  /** Seals what crosses relays. A new one for each driver. */
  readonly sealing?: Sealing | undefined;
  /** Seeds by address, where the platform has them. */
  readonly DialSeed?: typeof DialSeed | undefined;
  readonly onEvent: (event: MeshEvent) => void;
  /** Told what a transport throws, which would be a bug there or here. */
  readonly onError?: (error: unknown) => void;
  /** Keeps an entry of the shared configuration over the end of this life. */
  readonly onKeep?: ((key: string, entry: Uint8Array | undefined) => void) | undefined;
  /** Writes what a part keeps, all or nothing, in the order of the calls; resolves when the disk has it. */
  readonly onStore?:
    | ((part: PartName, changes: readonly PartChange[]) => Promise<void>)
    | undefined;
}

/** A transport that is not the last one to try has so long to open a link, ms: TCP knocks three times in it. */
const HURRY_MS = 5_000;

/** What is heard of a link until it is open. */
export interface OpeningHandlers {
  signal?(payload: Uint8Array): void;
  opened?(peer: MemberId): void;
  failed?(reason: string, code: CloseReason["code"]): void;
}

interface Connecting {
  readonly initiator: boolean;
  readonly attempt?: AttemptId;
  readonly transport?: string | undefined;
  readonly invitationPsk?: Uint8Array | undefined;
  /** The other end's first signal, where it says which transport it is of. */
  readonly offer?: Uint8Array | undefined;
}

export class Driver {
  readonly core: Core;
  readonly seeds: Seeds;
  readonly transports: readonly SecuredTransport[];
  readonly #onEvent: (event: MeshEvent) => void;
  readonly #onKeep: DriverOptions["onKeep"];
  readonly #onStore: DriverOptions["onStore"];
  readonly #onError: DriverOptions["onError"];
  readonly #notary: Notary | undefined;
  readonly #clock: Clock;
  readonly #links = new Map<LinkId, Link>();
  readonly #attempts = new Map<AttemptId, Link>();
  /** When who was found on the network was dialled last. */
  readonly #foundAt = new BoundedMap<string, number>(FOUND_MAX);
  readonly #inputs: Input[] = [];
  readonly #events: MeshEvent[] = [];
  #lastLink = 0;
  /** Who waits until all that was written is proven. */
  readonly #whenProven: (() => void)[] = [];
  /** Who waits for a link with a member to be greeted. */
  readonly #awaited = new Map<MemberId, () => void>();
  /** The host has said that it stands still, and not yet that it goes on. */
  #suspended = false;
  #stepping = false;
  #telling = false;
  #closed = false;

  constructor(options: DriverOptions) {
    this.#clock = new Clock(
      Math.max(STANDSTILL_MS_MIN, 2 * options.config.probePeriodMs),
      () => this.input({ type: "deadline" }),
      (gapMs) => this.#onStandstill(gapMs),
    );
    this.transports = options.transports;
    this.#onEvent = options.onEvent;
    this.#onKeep = options.onKeep;
    this.#onStore = options.onStore;
    this.#onError = options.onError;
    this.#notary = options.notary;
    this.core = new Core(options.config, this.#clock.now(), {
      digest: options.notary?.digest,
      sealing: options.sealing,
    });
    this.seeds = new Seeds({
      ...options,
      id: options.config.id,
      input: (input) => this.input(input),
      isSuspended: () => this.#suspended,
      dialSeed: (url) => this.#dialSeed(url, options),
    });
    this.input({ type: "clock", wallMs: Date.now() });
  }

  /** Resolves when all that was written has its proof, and is on its way; undefined when it is. */
  proven(): Promise<void> | undefined {
    if (!this.core.isProving) return undefined;
    return new Promise((resolve) => this.#whenProven.push(resolve));
  }

  /** The links as they are this moment. */
  links(): LinkView[] {
    return this.core.links(this.#clock.now());
  }

  /** Performs a command now; gives the events of its step, which are also told as any others. */
  command(command: Command): readonly MeshEvent[] {
    this.#clock.look();
    const from = this.#events.length;
    this.#step({ type: "command", command });
    const events = this.#events.slice(from);
    this.#settle();
    return events;
  }

  input(input: Input): void {
    if (this.#closed) return;
    this.#clock.look();
    this.#inputs.push(input);
    if (!this.#stepping) this.#settle();
  }

  /** The host stands still from now on: the others are told so at once. */
  suspend(): void {
    if (this.#suspended) return;
    this.#suspended = true;
    this.command({ type: "sleep" });
  }

  /** The host goes on after {@link suspend}. */
  resume(): void {
    if (this.#suspended) this.#clock.standstill();
  }

  /** The network is back: nothing that failed without it is waited for. */
  online(): void {
    this.input({ type: "online" });
    this.seeds.retry();
  }

  /** Begins a link that no attempt of the core asked for: by an invitation, with its key. */
  openLink(
    options: Pick<Connecting, "initiator" | "invitationPsk" | "offer">,
    handlers: OpeningHandlers,
  ): Link {
    return this.#connect(options, handlers);
  }

  /** Looks for members on the local network. `failed`: it cannot. */
  discover(name: string, failed: (error: Error) => void): void {
    for (const { dialling } of this.transports) {
      const found = (addresses: readonly string[]): void => this.#onFound(addresses);
      dialling?.discover?.(name, found).catch(failed);
    }
  }

  /** Takes a link that its other end has dialled. */
  accept(kind: string, link: ProvenLink): LinkHandlers {
    return this.#handlersOf(kind, undefined, {}, () => link);
  }

  /** Calls `then` once the link with `peer` is greeted; one waits for each peer. Gives the end of waiting. */
  whenLinked(peer: MemberId, then: () => void): () => void {
    this.#awaited.set(peer, then);
    if (this.core.links().some((link) => link.peer === peer)) this.#onLinked(peer);
    return () => {
      if (this.#awaited.get(peer) === then) this.#awaited.delete(peer);
    };
  }

  /** Ends everything. What was handed to the links just before still has a chance to leave. */
  close(): void {
    if (this.#closed) return;
    this.#settle();
    this.#closed = true;
    this.#clock.wakeAt(Number.POSITIVE_INFINITY);
    this.seeds.close();
    for (const link of this.#attempts.values()) link.close();
    for (const link of this.#links.values()) link.close();
    for (const transport of this.transports) transport.close();
  }

  #onStandstill(gapMs: number): void {
    this.#suspended = false;
    this.input({ type: "resumed", gapMs });
    // A network that was away so long has let connections go.
    this.online();
  }

  #settle(): void {
    for (;;) {
      const input = this.#inputs.shift();
      if (input === undefined || this.#closed) break;
      this.#step(input);
    }
    this.#clock.wakeAt(this.#closed ? Number.POSITIVE_INFINITY : this.core.deadline);
    this.#tell();
    if (this.#whenProven.length === 0 || this.core.isProving) return;
    for (const then of this.#whenProven.splice(0)) then();
  }

  #step(input: Input): void {
    this.#stepping = true;
    try {
      for (const effect of this.core.step(input, this.#clock.now())) this.#perform(effect);
    } finally {
      this.#stepping = false;
    }
  }

  /** Handlers may call back in: what that causes is told after what came before. */
  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (;;) {
        const event = this.#events.shift();
        if (event === undefined) return;
        this.#onEvent(event);
        if (event.type === "linkUp") this.#onLinked(event.peer);
        else if (event.type === "isolated") this.seeds.retry();
      }
    } finally {
      this.#telling = false;
    }
  }

  #onLinked(peer: MemberId): void {
    const then = this.#awaited.get(peer);
    this.#awaited.delete(peer);
    then?.();
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "send":
        return this.#send(effect);
      case "sendSeed":
        return this.seeds.send(effect.seed, effect.to, effect.bytes);
      case "island":
        return this.seeds.island(effect.id);
      case "connect": {
        const { attempt } = effect;
        const link = this.#connect(effect, {
          signal: (payload) => this.input({ type: "signal", attempt, payload }),
          failed: (reason) => this.input({ type: "connectFailed", attempt, reason }),
        });
        this.#attempts.set(attempt, link);
        return;
      }
      case "dial":
        return this.#dial(effect.addresses, {});
      case "signal":
        return this.#attempts.get(effect.attempt)?.signal(effect.payload);
      case "abandon":
        this.#attempts.get(effect.attempt)?.close();
        this.#attempts.delete(effect.attempt);
        return;
      case "disconnect":
        this.#links.get(effect.link)?.close();
        return;
      case "sign":
        return this.#sign(effect);
      case "verify":
        return this.#verify(effect);
      case "store":
        return this.#store(effect);
      case "keep":
        return this.#onKeep?.(effect.key, effect.entry);
      case "emit":
        this.#events.push(effect.event);
    }
  }

  #store({ ticket, part, changes }: Extract<Effect, { type: "store" }>): void {
    if (this.#onStore === undefined) {
      return this.input({ type: "stored", ticket, problem: "missing" });
    }
    this.#onStore(part, changes).then(
      () => this.input({ type: "stored", ticket }),
      (error: unknown) => {
        const isFull = error instanceof HearsayError && error.code === "store:full";
        this.input({ type: "stored", ticket, problem: isFull ? "full" : "failed" });
      },
    );
  }

  #sign({ ticket, contents, apart }: Extract<Effect, { type: "sign" }>): void {
    this.#notary?.prove(contents, apart).then(
      (proofs) => this.input({ type: "signed", ticket, proofs }),
      (error) => {
        this.input({ type: "signed", ticket, proofs: [] });
        this.#onError?.(error);
      },
    );
  }

  #verify({ ticket, claims }: Extract<Effect, { type: "verify" }>): void {
    this.#notary?.check(claims).then(
      (good) => this.input({ type: "verified", ticket, good }),
      (error) => {
        this.input({ type: "verified", ticket, good: claims.map(() => false) });
        this.#onError?.(error);
      },
    );
  }

  /** What a transport refuses to send costs one link, and not the process. */
  #send({ link, lane, bytes }: Extract<Effect, { type: "send" }>): void {
    try {
      this.#links.get(link)?.send(lane, bytes);
    } catch (error) {
      this.#links.get(link)?.close();
      this.#onError?.(error);
    }
  }

  #connect(
    { attempt, transport: kind, initiator, invitationPsk, offer }: Connecting,
    opening: OpeningHandlers,
  ): ProvenLink {
    // Where nobody says which: with whom there may be a person in between it is WebRTC, which browsers have, too.
    const transport = ((offer && this.transports.find((one) => one.recognises?.(offer))) ??
      this.transports.find((one) => one.kind === (kind ?? "webrtc")) ??
      this.transports[0]) as SecuredTransport;
    const handlers = this.#handlersOf(transport.kind, attempt, opening, () => link);
    const trickle = attempt !== undefined;
    const hurries = trickle && transport !== this.transports.at(-1);
    const link: ProvenLink = transport.connect(
      { initiator, trickle, invitationPsk, ...(hurries && { openTimeoutMs: HURRY_MS }) },
      handlers,
    );
    return link;
  }

  #dial(addresses: readonly string[], opening: OpeningHandlers): void {
    const transport = this.#diallerOf(addresses[0] ?? "");
    if (transport?.dialling === undefined) return;
    const handlers = this.#handlersOf(transport.kind, undefined, opening, () => link);
    const link: ProvenLink = transport.dialling.dial(addresses, handlers);
  }

  /** Somebody is on our network: unless it is a member that we know to be there, it is dialled, now and then. */
  #onFound(addresses: readonly string[]): void {
    const now = performance.now();
    const key = addresses.join(" ");
    if (this.#closed || now - (this.#foundAt.get(key) ?? Number.NEGATIVE_INFINITY) < FOUND_MS)
      return;
    const isHere = this.core
      .members()
      .some((one) => one.state === "alive" && one.addresses.some((at) => addresses.includes(at)));
    if (isHere) return;
    this.#foundAt.set(key, now);
    this.#dial(addresses, {});
  }

  #diallerOf(url: string): SecuredTransport | undefined {
    const scheme = url.slice(0, Math.max(0, url.indexOf(":")));
    return this.transports.find(({ dialling }) => dialling?.schemes.includes(scheme));
  }

  #dialSeed(url: string, { DialSeed, backoff, onSeed }: DriverOptions): DialSeed | undefined {
    const dialling = this.#diallerOf(url)?.dialling;
    if (dialling === undefined || DialSeed === undefined) return undefined;
    return new DialSeed({
      url,
      backoff,
      changed: onSeed,
      isLive: (peer) => this.core.isLive(peer),
      dialler: {
        resolve: (of) => dialling.resolve(of),
        dial: (addresses, then) =>
          this.#dial(addresses, {
            opened: then.opened,
            failed: (reason, code) => then.failed(reason, code === "self"),
          }),
      },
    });
  }

  #handlersOf(
    kind: string,
    attempt: AttemptId | undefined,
    opening: OpeningHandlers,
    linkOf: () => ProvenLink,
  ): LinkHandlers {
    const id = ++this.#lastLink;
    let open = false;
    return {
      signal: (payload) => opening.signal?.(payload),
      open: () => {
        open = true;
        const link = linkOf();
        const peer = link.peer as MemberId;
        if (attempt !== undefined) this.#attempts.delete(attempt);
        this.#links.set(id, link);
        this.input({ type: "linkUp", link: id, attempt, transport: kind, peer });
        opening.opened?.(peer);
      },
      frame: (lane, bytes) => this.input({ type: "packet", link: id, lane, bytes }),
      drain: (bytes) => this.input({ type: "writable", link: id, bytes }),
      close: ({ code, message }) => {
        this.#links.delete(id);
        const reason = `${code}: ${message}`;
        if (open) this.input({ type: "linkDown", link: id, reason });
        if (attempt !== undefined) this.#attempts.delete(attempt);
        // One of an invitation may have opened and been refused at its greeting: whoever waits for it learns at once.
        if (!open || attempt === undefined) opening.failed?.(reason, code);
      },
    };
  }
}
