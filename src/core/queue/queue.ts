/**
 * The work queue as a part of the core: puts its machines together, and hands each what is for it. What they want to
 * say or write in one step is collected, and goes out at its end, in few messages and one write.
 */

import { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../lib/ids.ts";
import type { MakePart, Part, PartHost, StoreProblem } from "../part.ts";
import { Consumer } from "./consumer.ts";
import type { QueueCommand, QueueEvent, QueueOptions, QueuePartOptions } from "./contract.ts";
import { Custodian } from "./custodian.ts";
import { custodianOf, type Ground, replicasOf } from "./ground.ts";
import { isBefore, isOver, type Job, type JobState } from "./job.ts";
import { Ledger } from "./ledger.ts";
import { Letters } from "./letters.ts";
import { ALIVE_MS, CHANNELS_MAX, QUEUE_LIMITS, SWEEP_MS, TICK_MS, WEIGHT_MAX } from "./limits.ts";
import { Mail } from "./mail.ts";
import {
  type Conduct,
  channelKey,
  encodeConduct,
  encodeStores,
  Holders,
  isChannel,
} from "./placement.ts";
import { Post } from "./post.ts";
import { Publisher } from "./publisher.ts";
import { Rehoming } from "./rehoming.ts";
import { Replica } from "./replica.ts";
import { ALIVE_KEY, restoreJobs, saveAlive } from "./restoring.ts";
import { decode, type Message } from "./wire.ts";

/** The one deadline that the host keeps for us: the earliest of ours. */
const NEXT = "next";

export function queuePart(options: QueuePartOptions): MakePart {
  return (host) => new Queue(host, options);
}

export class Queue implements Part {
  readonly ground: Ground;
  readonly #host: PartHost;
  readonly #channels = new Map<string, QueueOptions>();
  readonly #credits = new Map<string, number>();
  readonly #conducts = new Map<string, Conduct>();
  readonly #deadlines = new Deadlines();
  readonly #holders: Holders;
  readonly #ledger: Ledger;
  readonly #mail: Mail;
  readonly #post: Post;
  readonly #replica: Replica;
  readonly #custodian: Custodian;
  readonly #consumer: Consumer;
  readonly #publisher: Publisher;
  readonly #letters: Letters;
  readonly #rehoming: Rehoming;
  /** What is to be done in this step, after what is being done; and what we say to ourselves. */
  readonly #later: (() => void)[] = [];
  readonly #looped: Message[] = [];
  readonly #options: QueuePartOptions;
  #seenVersion = -1;
  #sweepAt = 0;
  #aliveAt = Number.NEGATIVE_INFINITY;
  #nextAt = Number.POSITIVE_INFINITY;
  #isAnnounced = false;

  constructor(host: PartHost, options: QueuePartOptions) {
    this.#host = host;
    this.#options = options;
    this.#holders = new Holders(host.id, host.generation());
    const now = (): number => host.now();
    this.#ledger = new Ledger({
      hasStore: options.storeId !== undefined,
      now,
      wallMs: () => host.wallMs(),
      store: (changes) => host.store(changes),
      later: (what) => void this.#later.push(what),
      changed: (job, before) => this.#changed(job, before),
      forgotten: (job) => this.#forgotten(job),
    });
    this.#mail = new Mail({
      self: host.id,
      send: (to, bytes) => host.send(to, bytes),
      loop: (message) => void this.#looped.push(message),
    });
    this.#post = new Post(this.#ledger, this.#mail, this.#deadlines, {
      rng: host.rng,
      now,
      floor: () => {
        const generation = host.generation();
        return { generation, floor: this.#ledger.over.floorOf(host.id, generation) };
      },
      isLive: (member) => this.#holders.isLive(member),
    });
    this.ground = {
      host,
      limits: { ...QUEUE_LIMITS, ...options.limits },
      deadlines: this.#deadlines,
      holders: this.#holders,
      ledger: this.#ledger,
      mail: this.#mail,
      post: this.#post,
      counters: { refused: 0 },
      channels: this.#channels,
      disk: options.storeId,
      memory: memoryId(host),
      emit: (event: QueueEvent) => host.emit(event),
    };
    const duties = (job: Job): void => this.#replica.duties(job);
    this.#replica = new Replica(this.ground, {
      ready: (job) => this.#custodian.schedule(job),
      receipt: (job, stores, receipt) => this.#publisher.onReceipt(job, stores, receipt),
      extended: (job) => this.#custodian.extended(job),
    });
    this.#custodian = new Custodian(this.ground, {
      castVote: (job, vote) => this.#replica.castVote(job, vote),
      merge: (job, placement, state) => this.#replica.merge(job, placement, state),
      duties,
    });
    this.#consumer = new Consumer(this.ground);
    this.#publisher = new Publisher(this.ground, {
      duties,
      hasRoom: (channel, bytes) => this.#replica.hasRoom(channel, bytes),
    });
    this.#letters = new Letters(this.ground, {
      duties,
      again: ({ channel, id, body }, then) => {
        if (body === undefined) return;
        const again = { ...body, replayOf: id, bornAt: host.now() };
        this.#publisher.add(channel, again, 0, { confirm: "local", tell: then });
      },
      holds: (channel) => this.#consumer.holds(channel),
    });
    this.#rehoming = new Rehoming(this.ground, {
      duties,
      unplan: (job) => this.#custodian.forgotten(job),
    });
    this.#restore();
  }

  onMessage(from: MemberId, bytes: Uint8Array): void {
    const message = decode(bytes);
    if (message === undefined) this.ground.counters.refused++;
    else this.#onMessage(from, message);
    this.#finish();
  }

  onAnnounced(by: MemberId, key: string, value: Uint8Array | undefined): void {
    // Ours is known when it is made.
    if (by === this.#host.id) return;
    this.#holders.onAnnounced(by, key, value, this.#host.now());
    if (key !== "") this.#custodian.consumersChanged(key.slice(1));
    this.#finish();
  }

  onMember(id: MemberId, generation: number, isLive: boolean): void {
    if (id === this.#host.id) return;
    const wasRestarted = this.#holders.hasRestarted(id, generation - 1);
    if (!this.#holders.onMember(id, generation, isLive, this.#host.now())) return;
    if (!isLive || !wasRestarted) this.#gone(id);
    this.#finish();
  }

  onDeadline(_subject: string): void {
    const now = this.#host.now();
    this.#nextAt = Number.POSITIVE_INFINITY;
    for (let due = this.#deadlines.due(now); due !== undefined; due = this.#deadlines.due(now)) {
      this.#onDue(due.scope, due.subject, now);
    }
    this.#finish();
  }

  onCommand(command: unknown): void {
    this.#onCommand(command as QueueCommand);
    this.#finish();
  }

  onStored(ticket: number, problem: StoreProblem | undefined): void {
    this.#ledger.onStored(ticket, problem);
    this.#finish();
  }

  /** Nobody was heard meanwhile, so nothing that we were bound by is over: each lease has its time again. */
  onResumed(gapMs: number): void {
    for (const job of this.#ledger.jobs.values()) {
      job.bindings.postpone(gapMs);
    }
    this.#finish();
  }

  onLeave(): void {
    this.#consumer.onLeave();
    this.#finish();
    this.#ledger.flushAll();
  }

  #restore(): void {
    const { entries } = this.#options;
    if (entries === undefined) return;
    const jobs = restoreJobs(this.ground, entries);
    const ordered = jobs.filter(({ body }) => body?.order !== undefined);
    for (const job of ordered.sort((a, b) => (isBefore(a.id, b.id) ? -1 : 1))) {
      this.#publisher.restored(job);
    }
    for (const { channel } of jobs) this.#takePart(channel);
    // Each is brought up by the first look at who is there.
    this.#later.push(() => {
      for (const job of jobs) this.#replica.duties(job);
    });
    this.#finish();
  }

  #onMessage(from: MemberId, message: Message): void {
    switch (message.type) {
      case "put":
        return this.#replica.onPut(from, message);
      case "have":
        for (const item of message.items) this.#replica.onHave(from, item);
        return;
      case "forget":
        for (const item of message.items) this.#replica.onForget(from, item);
        return;
      case "vote":
        for (const item of message.items) this.#replica.onVote(from, item);
        return;
      case "voted":
        for (const item of message.items) this.#custodian.onVoted(from, item);
        return;
      case "settle":
        for (const item of message.items) this.#replica.onSettle(from, item);
        return;
      case "settled":
        for (const item of message.items) this.#consumer.onSettled(from, item);
        return;
      case "poke":
        return this.#consumer.onPoke(from, message);
      case "want":
        return this.#custodian.onWant(from, message);
      case "lease":
        return this.#consumer.onLease(from, message);
      case "ask":
        return this.#letters.onAsk(from, message);
      case "answer":
        return this.#letters.onAnswer(from, message);
    }
  }

  #onCommand(command: QueueCommand): void {
    switch (command.type) {
      case "open":
        if (!isChannel(command.channel) || this.#channels.size >= CHANNELS_MAX) return;
        this.#channels.set(command.channel, command.options);
        return this.#takePart(command.channel);
      case "close":
        this.#channels.delete(command.channel);
        this.#credits.delete(command.channel);
        this.#consumer.close(command.channel);
        return this.#takePart(command.channel);
      case "publish":
        return this.#publisher.publish(command);
      case "subscribe":
        this.#credits.set(command.channel, command.credit);
        this.#consumer.subscribe(command.channel, command.credit);
        return this.#takePart(command.channel);
      case "settle":
        return this.#settle(command);
      case "extend":
        if (!this.#consumer.extend(command.job, command.epoch)) {
          const { channel, job, epoch } = command;
          this.ground.emit({ type: "revoked", channel, job, epoch, reason: "expired" });
        }
        return;
      default:
        return this.#letters.onCommand(command);
    }
  }

  #settle({ channel, job, epoch, how }: Extract<QueueCommand, { type: "settle" }>): void {
    const isKnown =
      how.type === "ack"
        ? this.#consumer.settle(job, epoch, "ack")
        : this.#consumer.settle(job, epoch, "nack", how.delayMs, (how.reason ?? "").slice(0, 64));
    if (isKnown) return;
    this.ground.emit({ type: "settled", channel, job, epoch, ok: false, reason: "unknown" });
  }

  /** Tells all what we do in a channel, if it has changed. */
  #takePart(channel: string): void {
    if (!this.#isAnnounced) {
      this.#isAnnounced = true;
      const weight = Math.min(WEIGHT_MAX, Math.max(1, this.#options.weight ?? 1));
      const { disk, memory } = this.ground;
      this.#announce("", encodeStores({ disk, memory, weight }));
    }
    const takes = this.#channels.has(channel);
    const consumes = (this.#credits.get(channel) ?? 0) > 0;
    const former = this.#conducts.get(channel);
    if (former?.takes === takes && former.consumes === consumes) return;
    this.#conducts.set(channel, { takes, consumes });
    this.#announce(channelKey(channel), encodeConduct({ takes, consumes }));
    this.#custodian.consumersChanged(channel);
  }

  #announce(key: string, value: Uint8Array): void {
    this.#host.announce(key, value);
    this.#holders.onAnnounced(this.#host.id, key, value, this.#host.now());
  }

  #onDue(scope: string, subject: string, now: number): void {
    if (scope === "job") return this.#custodian.onDeadline(subject);
    if (scope === "held") return this.#consumer.onDeadline(subject);
    if (scope === "post") return this.#post.onDeadline(subject);
    this.#custodian.sweep(now);
    this.#consumer.sweep(now);
    this.#publisher.sweep(now);
    this.#letters.sweep(now);
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_MS;
    this.#ledger.sweep();
    this.#replica.sweep(now);
    this.#rehoming.sweep(now);
    this.#rehoming.grow();
    if (this.#options.storeId === undefined || now - this.#aliveAt < ALIVE_MS) return;
    this.#aliveAt = now;
    this.#host.store([{ key: ALIVE_KEY, value: saveAlive(this.#host.wallMs()) }]);
  }

  #gone(member: MemberId): void {
    this.#post.gone(member);
    this.#custodian.gone(member);
    this.#consumer.gone(member);
    this.#letters.gone(member);
  }

  #changed(job: Job, before: JobState): void {
    const { phase, reason, detail } = job.state;
    if (phase === "done" && before.phase !== "done") {
      if (custodianOf(this.ground, job) === this.#host.id) this.#ledger.tally(job.channel).done++;
    }
    if (phase === "dead" && before.phase !== "dead" && reason !== "") {
      this.ground.emit({ type: "dead", channel: job.channel, job: job.id, reason, detail });
    }
    if (isOver(job.state)) this.#publisher.changed(job);
    this.#custodian.changed(job);
  }

  #forgotten(job: Job): void {
    this.#post.drop(job);
    this.#replica.forgotten(job);
    this.#custodian.forgotten(job);
  }

  /** Who is there has changed: jobs whose stores are held by others now are looked at anew. */
  #lookAround(): void {
    if (this.#seenVersion === this.#holders.version) return;
    this.#seenVersion = this.#holders.version;
    for (const group of [...this.#ledger.groups.values()]) {
      const seen = replicasOf(this.ground, group.stores).join();
      if (seen === group.seen) continue;
      group.seen = seen;
      for (const job of [...group.jobs]) this.#replica.duties(job);
    }
    this.#rehoming.grow();
  }

  /** The end of each step: what is to be done, said and written. */
  #finish(): void {
    this.#lookAround();
    for (;;) {
      const [later, looped] = [this.#later.splice(0), this.#looped.splice(0)];
      for (const what of later) what();
      for (const message of looped) this.#onMessage(this.#host.id, message);
      const hasMoved = this.#custodian.flush() || this.#consumer.flush();
      if (later.length > 0 || looped.length > 0 || hasMoved) continue;
      this.#post.flush();
      if (!this.#mail.isEmpty) this.#mail.flush();
      else if (this.#looped.length === 0 && this.#later.length === 0) break;
    }
    this.#ledger.flush();
    this.#plan();
  }

  #plan(): void {
    const now = this.#host.now();
    const isBusy =
      this.#custodian.isBusy ||
      this.#consumer.isBusy ||
      this.#publisher.isBusy ||
      this.#letters.isBusy;
    if (isBusy) {
      if (!this.#deadlines.has("tick")) this.#deadlines.set("tick", now + TICK_MS);
    } else if (this.#ledger.jobs.size > 0 || this.#ledger.isLeft)
      this.#deadlines.ensure("tick", now + SWEEP_MS);
    const { next } = this.#deadlines;
    if (next === this.#nextAt) return;
    this.#nextAt = next;
    if (next === Number.POSITIVE_INFINITY) this.#host.clearDeadline(NEXT);
    else this.#host.setDeadline(NEXT, next);
  }
}

/** What is in memory ends with a life, and so does its name. */
function memoryId({ rng }: PartHost): string {
  const words = Array.from({ length: 4 }, () => rng.uint32().toString(16).padStart(8, "0"));
  return words.join("");
}
