/** What the core tells, as the application sees and hears it: peers, state, messages, events, answers. */

import type { Command, MemberId, MemberView, MeshEvent } from "../core/machine.ts";
import type { LinkView } from "../core/view.ts";
import type { Logger } from "../runtime/host.ts";
import type { Refusal } from "../session/session.ts";
import { type Answers, pendingAnswers } from "./answers.ts";
import { Emitter } from "./emitter.ts";
import { Hearing } from "./hearing.ts";
import { Knowing } from "./knowing.ts";
import { leftMeanwhile, refusedGreeting, sendError } from "./mesh-errors.ts";
import { MeshParts, type PartsContext } from "./parts.ts";
import { type Peer, PeerObject, Peers } from "./peers.ts";
import { SharedConfig } from "./shared-config.ts";
import { StateView } from "./state-view.ts";
import { Streaming } from "./streaming.ts";
import { Timers } from "./timers.ts";

export interface InboundContext extends Pick<PartsContext, "store" | "attach" | "valueBytesMax"> {
  readonly logger: Logger | undefined;
  linkWith(peer: MemberId): LinkView | undefined;
  /** The changes of a key whose changes are all kept. */
  log(owner: MemberId, key: string): readonly Uint8Array[];
  command(command: Command): readonly MeshEvent[];
  /** The mesh tells us something about ourselves. */
  ownChanged(own: MemberView): void;
  /** Another process uses our identity. */
  taken(): void;
  /** What is connected may have changed. */
  checkHealth(): void;
}

type LinkEvent = Extract<
  MeshEvent,
  { type: "linkUp" | "linkDown" | "linkFailed" | "isolated" | "connected" }
>;

export class Inbound {
  readonly peers = new Peers();
  readonly state: StateView;
  readonly self: PeerObject;
  readonly events: Emitter;
  readonly hearing: Hearing;
  readonly knowing: Knowing;
  readonly timers: Timers;
  readonly config: SharedConfig;
  readonly streaming: Streaming;
  readonly said: Answers = pendingAnswers();
  readonly sent: Answers = pendingAnswers();
  readonly parts: MeshParts;
  /** Values that came and could not be read. */
  unreadable = 0;
  /** Attempts at links that failed since the last one came about. */
  failedLinks = 0;
  /** There was a link in this life. */
  wasLinked = false;
  /** Why the last handshake failed, unless a link has come about since. */
  refusal: Refusal | undefined;
  readonly #context: InboundContext;

  constructor(own: MemberView, context: InboundContext) {
    this.#context = context;
    this.state = new StateView(context.log);
    this.events = new Emitter(context.logger);
    this.hearing = new Hearing(this.events.report);
    this.knowing = new Knowing(
      () => this.peers.all,
      () => this.self,
      this.events.report,
    );
    this.config = new SharedConfig(this.events.report, context.command);
    this.streaming = new Streaming({
      command: context.command,
      peer: (id) => this.peers.get(id),
      report: this.events.report,
    });
    this.timers = new Timers(this.events.report);
    const self = this.#peerObject(own);
    this.self = self;
    this.parts = new MeshParts({
      ...context,
      self,
      peer: (id) => (id === self.id ? self : this.peers.get(id)),
      stranger: (id) => this.#stranger(id),
      unreadable: (from, name, reason) => this.#unread(from, name, reason),
      report: this.events.report,
    });
  }

  /** A new life begins. */
  reset(own: MemberView): void {
    this.peers.clear();
    this.state.clear();
    this.config.clear();
    this.hearing.reset();
    this.failedLinks = 0;
    this.refusal = undefined;
    this.wasLinked = false;
    this.self.update(own);
  }

  /** The life is over: what was under way in it will not be answered. */
  stop(): void {
    this.timers.stop();
    this.said.rejectAll(leftMeanwhile());
    this.sent.rejectAll(leftMeanwhile());
    this.streaming.stop(leftMeanwhile());
    this.parts.stopped(leftMeanwhile());
  }

  take(event: MeshEvent): void {
    switch (event.type) {
      case "member":
        return this.#onMember(event);
      case "forgotten":
        return this.peers.forget(event.id);
      case "heard":
        return this.#onHeard(event);
      case "state":
        return this.#onState(event);
      case "shared":
        return this.config.take(event);
      case "stream":
        return this.streaming.tell(event);
      case "part":
        return this.parts.take(event.part, event.event);
      case "said":
        return this.said.resolve(event.id);
      case "sent":
        return this.sent.resolve(event.id);
      case "sendFailed":
        return this.sent.reject(event.id, sendError(event.reason));
      case "gap":
        return this.events.tell("gap", this.peers.get(event.from), event.first, event.last);
      case "refused":
        return this.events.tell("refused", event.reason, refusedGreeting(event.reason));
      case "misbehaved": {
        const peer = this.peers.get(event.peer);
        if (peer !== undefined) this.events.tell("peer:misbehaved", peer, event.what);
        return;
      }
      case "identityTaken":
        this.events.tell("identity:taken");
        return this.#context.taken();
      case "notFound":
        return this.#context.checkHealth();
      case "writeRefused":
      case "left":
        return;
      default:
        return this.#onLink(event);
    }
  }

  onRefused(refusal: Refusal): void {
    this.refusal = refusal;
    this.events.tell("refused", refusal.code, refusal.message);
    this.#context.checkHealth();
  }

  #onLink(event: LinkEvent): void {
    if (event.type === "linkUp") {
      this.failedLinks = 0;
      this.refusal = undefined;
      this.wasLinked = true;
      const peer = this.peers.get(event.peer);
      if (peer !== undefined) this.events.tell("link:up", peer, event.transport);
    } else if (event.type === "linkDown") {
      this.events.tell("link:down", this.peers.get(event.peer), event.reason);
    } else if (event.type === "linkFailed") {
      // Who has no room says nothing of the way there.
      if (!event.reason.startsWith("refused")) this.failedLinks++;
      this.events.tell("link:failed", event.peer, event.reason);
    } else this.events.tell(event.type === "isolated" ? "offline" : "online");
    this.#context.checkHealth();
  }

  #onMember({ kind, member }: Extract<MeshEvent, { type: "member" }>): void {
    if (member.id === this.self.id) {
      this.self.update(member);
      return this.#context.ownChanged(member);
    }
    const peer = this.peers.put(member, () => this.#peerObject(member));
    this.events.tell(`peer:${kind}`, peer);
    this.#context.checkHealth();
  }

  #onHeard({ from, name, value, direct, late }: Extract<MeshEvent, { type: "heard" }>): void {
    // Who said it to those who come later may be gone and forgotten.
    const peer = this.peers.get(from) ?? (late === undefined ? undefined : this.#stranger(from));
    if (peer === undefined) return;
    const message = { name, value, from: peer, direct, lateMs: late, own: false };
    this.hearing.tell(message, (reason) => this.#unread(peer, name, reason));
  }

  #unread(from: Peer, name: string, reason: string): void {
    this.unreadable++;
    this.#context.logger?.warn(`a message of ${from.name} cannot be read`, { name, reason });
  }

  /** We say this: to those of our own handlers that asked for it, as the others get it. */
  sayOwn(name: string, value: Uint8Array): void {
    this.hearing.tell(
      { name, value, from: this.self, direct: false, lateMs: undefined, own: true },
      () => {},
    );
  }

  /** We set this key, or deleted it. */
  setOwn(key: string, value: Uint8Array | undefined): void {
    this.state.put(this.self.id, key, value);
    this.knowing.tell(this.self, key);
  }

  #onState({ owner, key, value, expired, log }: Extract<MeshEvent, { type: "state" }>): void {
    const before = expired && this.state.get(owner, key);
    this.state.put(owner, key, value);
    const peer = owner === this.self.id ? this.self : this.peers.get(owner);
    if (peer === undefined) return;
    if (log !== undefined && log.missed > 0) {
      this.events.tell("state:gap", peer, key, log.number - log.missed, log.number - 1);
    }
    this.knowing.tell(peer, key);
    if (expired) this.events.tell("state:expired", peer, key, before);
  }

  #stranger(id: MemberId): PeerObject {
    const about = { name: "", role: "", meta: new Uint8Array(0), node: false };
    const nothing = { generation: 0, addresses: [], neighbours: [] };
    return this.#peerObject({ id, state: "left", ...about, ...nothing });
  }

  #peerObject(view: MemberView): PeerObject {
    return new PeerObject(view, this.state, (id) => this.#context.linkWith(id));
  }
}
