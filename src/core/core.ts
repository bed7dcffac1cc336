/**
 * The core as its driver sees it: inputs, deadlines and commands in, effects out. Which layer does what with them
 * stands in `composition.ts`.
 */

import { Composition, type Given } from "./composition.ts";
import type { Config } from "./config.ts";
import { Rng } from "./lib/rng.ts";
import type { Command, Effect, Input, Machine, MemberId, MemberView } from "./machine.ts";
import type { Member } from "./membership/table.ts";
import { viewOf } from "./membership/view.ts";
import type { CoreStats, LinkView } from "./view.ts";
import type { Fingerprints } from "./wire/messages.ts";

/** Links that never greet are looked for this often, ms. */
const GREETINGS_PERIOD_MS = 5_000;

export class Core implements Machine {
  readonly #config: Config;
  readonly #layers: Composition;
  #steppedAt: number;

  constructor(config: Config, now: number, given: Given = {}) {
    this.#config = config;
    this.#steppedAt = now;
    const rng = Rng.fromSeed(config.seed);
    this.#layers = new Composition(config, rng, now, given);
    const { deadlines } = this.#layers;
    deadlines.set("overlay", now + rng.fork("start").float() * config.overlayPeriodMs);
    deadlines.set("reap", now + config.tombstoneMs / 4);
    deadlines.set("unobserved", now + config.suspicionMaxMs / 4);
    deadlines.set("greetings", now + GREETINGS_PERIOD_MS);
  }

  get deadline(): number {
    return this.#layers.stopped ? Number.POSITIVE_INFINITY : this.#layers.deadlines.next;
  }

  step(input: Input, now: number): readonly Effect[] {
    const layers = this.#layers;
    layers.now = Math.max(layers.now, now);
    if (!layers.stopped) {
      // Between two inputs nothing was due, or the host was late.
      const lateMs = layers.now - Math.max(layers.deadlines.next, this.#steppedAt);
      const passedMs = layers.now - this.#steppedAt;
      this.#steppedAt = layers.now;
      // On some systems the clock stands still while the machine sleeps; lives go on.
      if (input.type === "resumed") {
        layers.resume(input.gapMs, Math.max(0, input.gapMs - passedMs));
      }
      if (input.type !== "resumed") layers.membership.onLate(lateMs, layers.now);
      this.#dispatch(input);
      layers.membership.gossip.flush(layers.now);
      layers.proofs.flush(layers.now);
    }
    return layers.takeEffects();
  }

  /** Members that are not gone, ourselves included. */
  get liveCount(): number {
    return this.#layers.membership.table.liveCount;
  }

  /** Whether a member is known, and taken to be there. */
  isLive(id: MemberId): boolean {
    return this.#layers.membership.table.isLive(id);
  }

  /** Something that we have written, or say of ourselves, waits for its proof, and is not told before. */
  get isProving(): boolean {
    return this.#layers.proofs.isBusy;
  }

  /** Every member, ourselves included. */
  members(): MemberView[] {
    const own = this.#layers.membership.table.get(this.#config.id) as Member;
    return [own, ...this.#layers.membership.table.others()].map(viewOf);
  }

  /** @param now on the clock of `step` */
  links(now = this.#layers.now): LinkView[] {
    return this.#layers.links.peers().map((peer) => {
      const link = this.#layers.links.linkTo(peer);
      return {
        peer,
        transport: link?.transport ?? "",
        health: this.#layers.membership.detector.health(peer),
        phi: this.#layers.membership.detector.phi(peer, now),
        queuedBytes:
          link === undefined ? 0 : link.ahead.bytes + link.queue.bytes + link.passing.bytes,
        sentBytes: link?.sentBytes ?? 0,
        receivedBytes: link?.receivedBytes ?? 0,
      };
    });
  }

  /** Members that a seed has introduced and that we have no link with yet. */
  get introducedCount(): number {
    return this.#layers.linking.introducedCount;
  }

  /** The changes of a key whose changes are all kept, oldest first. */
  log(owner: MemberId, key: string): readonly Uint8Array[] {
    const log = this.#layers.state.store.replicaOf(owner)?.log(key) ?? [];
    return log.flatMap(({ value }) => value ?? []);
  }

  stats(): CoreStats {
    return {
      rejected: { ...this.#layers.rejected },
      heard: this.#layers.heard,
      duplicates: this.#layers.duplicates,
      forged: this.#layers.forged,
      cutOff: this.#layers.cutOff,
      relayed: this.#layers.delivery.relayed,
      broadcast: { ...this.#layers.broadcast.stats },
      state: { ...this.#layers.state.stats },
      shared: this.#layers.common.stats(),
      streams: {
        open: this.#layers.delivery.streams.count,
        ...this.#layers.delivery.streams.stats,
      },
      parts: this.#layers.parts.stats(),
    };
  }

  /** Everything inside, as it stands: for oracles, to be read and never changed. */
  get layers(): Composition {
    return this.#layers;
  }

  /** What two members must agree on when all is quiet. */
  fingerprints(): Fingerprints {
    return this.#layers.fingerprints();
  }

  #dispatch(input: Input): void {
    const now = this.#layers.now;
    switch (input.type) {
      case "packet":
        return this.#layers.links.packet(input.link, input.bytes, now, input.lane);
      case "linkUp":
        if (input.attempt !== undefined) this.#layers.linking.onLinked(input.attempt, now);
        return this.#layers.links.open(input, now);
      case "linkDown":
        return this.#layers.links.closed(input.link, input.reason);
      case "connectFailed":
        return this.#layers.linking.onConnectFailed(input.attempt, input.reason, now);
      case "writable":
        return this.#layers.links.writable(input.link, input.bytes);
      case "signal":
        return this.#layers.linking.onLocalSignal(input.attempt, input.payload, now);
      case "seedUp":
      case "seedPacket":
      case "seedGone":
      case "seedDown":
        if (input.type !== "seedDown")
          this.#layers.membership.failures.onProof(undefined, true, now);
        return this.#layers.linking.onSeed(input, now);
      case "deadline":
        return this.#onDeadlines();
      case "resumed":
        this.#layers.membership.resume(input.gapMs, now);
        this.#layers.delivery.streams.resumed(input.gapMs);
        this.#layers.parts.onResumed(input.gapMs);
        return this.#layers.linking.retry(now);
      case "online":
        return this.#layers.linking.retry(now);
      case "clock":
        this.#layers.parts.setClock(input.wallMs);
        return this.#layers.common.sharing.setClock(input.wallMs);
      case "restored":
        return this.#layers.common.restore(input.entries);
      case "signed":
        return this.#layers.proofs.onSigned(input.ticket, input.proofs);
      case "verified":
        return this.#layers.proofs.gate.onVerified(input.ticket, input.good);
      case "attach":
        return this.#layers.parts.attach(input.part, input.make);
      case "stored":
        return this.#layers.parts.onStored(input.ticket, input.problem);
      case "command":
        return this.#onCommand(input.command);
    }
  }

  #onDeadlines(): void {
    for (;;) {
      const { deadlines, now, stopped } = this.#layers;
      const dueAt = deadlines.next;
      const deadline = stopped ? undefined : deadlines.due(now);
      if (deadline === undefined) return;
      this.#onDeadline(deadline.scope, deadline.subject, now - dueAt);
    }
  }

  #onDeadline(scope: string, subject: string, lateMs: number): void {
    const now = this.#layers.now;
    switch (scope) {
      case "prove":
        // What waits goes at the end of the step.
        return;
      case "probe":
        return this.#layers.membership.onProbeDeadline(subject, now);
      case "lost":
        return this.#layers.membership.failures.onLostDeadline(subject, now);
      case "suspicion":
        return this.#layers.membership.failures.onSuspicionDeadline(subject, now);
      case "rumour":
        return this.#layers.membership.onRumourDeadline(subject, now);
      case "asleep":
        return this.#layers.membership.onAsleepDeadline(subject, now);
      case "neighbours":
        return this.#layers.membership.onAnnounceDeadline(now);
      case "audit":
        return this.#layers.membership.failures.onAuditDeadline(subject, now);
      case "doubt":
        return this.#layers.membership.failures.onDoubtDeadline(now);
      case "unobserved":
        return this.#layers.membership.failures.onUnobservedDeadline(now);
      case "reap":
        return this.#layers.membership.onReapDeadline(now);
      case "overlay":
      case "overlay-soon":
        return this.#layers.linking.seek(this.#layers.membership.table.own.generation, now, lateMs);
      case "attempt":
        return this.#layers.linking.onAttemptDeadline(Number(subject), now);
      case "resend":
        return this.#layers.linking.onResendDeadline(Number(subject), now);
      case "greetings":
        this.#layers.deadlines.set("greetings", now + GREETINGS_PERIOD_MS);
        return this.#layers.links.expireGreetings(now);
      case "announce":
        return this.#layers.broadcast.onAnnounceDeadline(now);
      case "silence":
        return this.#layers.broadcast.onSilenceDeadline(now);
      case "keep":
        return this.#layers.broadcast.onKeepDeadline(now);
      case "missing":
        return this.#layers.broadcast.onMissingDeadline(subject, now);
      case "state-compare":
        return this.#layers.state.compare(subject);
      case "state-news":
        return this.#layers.state.onNewsDeadline(subject);
      case "state-end":
        return this.#layers.state.endLives();
      case "state-echo":
        return this.#layers.state.onEchoDeadline(now);
      case "state-own":
        return this.#layers.state.onOwnDeadline();
      case "state-fetch":
        return this.#layers.state.onFetchDeadline(now);
      case "shared":
        return this.#layers.common.sharing.onDeadline(now);
      case "direct":
        return this.#layers.delivery.onDeadline(Number(subject));
      case "stream":
        return this.#layers.delivery.streams.onDeadline(Number(subject));
      case "part":
        return this.#layers.parts.onDeadline(subject);
      case "search":
        return this.#layers.delivery.onSearchDeadline(subject);
    }
  }

  #say(
    { id, name, value, forMs = 0 }: Extract<Command, { type: "say" }>,
    generation: number,
  ): void {
    const { broadcast, common } = this.#layers;
    // What is kept for others is made twice.
    if (!this.#mayMake(name) || (forMs > 0 && !this.#mayMake(name))) return;
    if (forMs > 0 && !common.mayKeep({ name, value })) return;
    const payload = broadcast.next(name, value, generation);
    this.#layers.proofs.payload(payload, (proof) => {
      const to = broadcast.say({ ...payload, proof }, id, this.#layers.now);
      if (to.length === 0) this.#layers.emit({ type: "said", id });
    });
    if (forMs > 0) common.keep(payload.id, { name, value }, forMs);
  }

  /** Whether others bear one more that all have to handle; tells when they do not. */
  #mayMake(key: string): boolean {
    const { quarantine, now } = this.#layers;
    const bears = quarantine.mayMake(now);
    if (!bears) this.#layers.emit({ type: "writeRefused", key, why: "too-fast" });
    return bears;
  }

  #onCommand(command: Command): void {
    const { generation } = this.#layers.membership.table.own;
    switch (command.type) {
      case "say":
        return this.#say(command, generation);
      case "share":
        if (!this.#mayMake(command.key)) return;
        return this.#layers.common.configure(command.key, command.value);
      case "send":
        return this.#layers.delivery.send(command, generation);
      case "set":
        return this.#layers.state.write(command.key, command.value, command);
      case "repeat":
        return this.#layers.state.repeat();
      case "delete":
        return this.#layers.state.write(command.key, undefined);
      case "streamOpen":
        return this.#layers.delivery.streams.open(command.id, command.to, command.name);
      case "streamTake":
        return this.#layers.delivery.streams.take(command.id);
      case "streamWrite":
        return this.#layers.delivery.streams.write(command.id, command.bytes);
      case "streamEnd":
        return this.#layers.delivery.streams.end(command.id);
      case "streamRead":
        return this.#layers.delivery.streams.read(command.id, command.count);
      case "streamAbort":
        return this.#layers.delivery.streams.abort(command.id, command.message);
      case "part":
        return this.#layers.parts.onCommand(command.part, command.command);
      case "sync":
        return this.#layers.sync();
      case "describe":
        return this.#layers.membership.describe(command.about);
      case "mayFreeze":
        this.#layers.membership.mayFreeze = command.value;
        return;
      case "sleep":
        return this.#layers.membership.sleep(this.#layers.now);
      case "leave":
        this.#layers.parts.onLeave();
        this.#layers.membership.leave(this.#layers.now);
        return this.#layers.stop("leaving", { type: "left" });
    }
  }
}
