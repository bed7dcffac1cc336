/**
 * Records on their way to other members: each is put to whoever must have it until that one says what it has. This is
 * the one way in which anything of a job is repaired: publishing, the news that it is over, and what somebody missed
 * who was away. So much is under way to one member at once, and no more.
 */

import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../lib/ids.ts";
import type { Rng } from "../lib/rng.ts";
import type { Job } from "./job.ts";
import type { Ledger } from "./ledger.ts";
import {
  MESSAGE_BYTES,
  MESSAGE_ITEMS_MAX,
  RETRY_MAX_MS,
  RETRY_MS,
  WINDOW_BYTES,
  WINDOW_ITEMS,
} from "./limits.ts";
import type { Mail } from "./mail.ts";
import { bodyToWire, headOf } from "./records.ts";
import type { WireRecord } from "./wire.ts";

interface Sent {
  readonly at: number;
  readonly bytes: number;
  readonly withBody: boolean;
}

interface Peer {
  /** Whether with the body. */
  readonly queue: Map<Job, boolean>;
  readonly sent: Map<Job, Sent>;
  bytes: number;
  /** Repetitions in a row without any answer. */
  tries: number;
}

export interface PostOut {
  readonly rng: Rng;
  now(): number;
  /** Up to which number all of our jobs of this life are over. */
  floor(): { readonly generation: number; readonly floor: number };
  isLive(member: MemberId): boolean;
}

const HEAD_BYTES = 200;

export class Post {
  readonly #ledger: Ledger;
  readonly #mail: Mail;
  readonly #deadlines: Deadlines;
  readonly #out: PostOut;
  readonly #peers = new Map<MemberId, Peer>();
  /** Those for whom something new waits. */
  readonly #due = new Set<MemberId>();

  constructor(ledger: Ledger, mail: Mail, deadlines: Deadlines, out: PostOut) {
    this.#ledger = ledger;
    this.#mail = mail;
    this.#deadlines = deadlines;
    this.#out = out;
  }

  /** Puts the record to `to`, as it will be when its turn comes. */
  put(to: MemberId, job: Job, withBody: boolean): void {
    if (!this.#out.isLive(to)) return;
    let peer = this.#peers.get(to);
    if (peer === undefined) {
      peer = { queue: new Map(), sent: new Map(), bytes: 0, tries: 0 };
      this.#peers.set(to, peer);
    }
    this.#forgetSent(peer, job);
    peer.queue.set(job, withBody || peer.queue.get(job) === true);
    this.#due.add(to);
  }

  /** Whether it is on its way to `to`, or will be. */
  isUnderWay(to: MemberId, job: Job): boolean {
    const peer = this.#peers.get(to);
    return peer !== undefined && (peer.queue.has(job) || peer.sent.has(job));
  }

  /** `from` has said what it has of the job: whether it was put to it. */
  answered(from: MemberId, job: Job): boolean {
    const peer = this.#peers.get(from);
    if (peer === undefined) return false;
    peer.tries = 0;
    if (peer.queue.size > 0) this.#due.add(from);
    return this.#forgetSent(peer, job) || peer.queue.has(job);
  }

  /** The member is gone: nothing is put to it any more. */
  gone(member: MemberId): void {
    this.#peers.delete(member);
    this.#due.delete(member);
    this.#deadlines.clear(`post:${member}`);
  }

  /** The record is not held any more. */
  drop(job: Job): void {
    for (const peer of this.#peers.values()) {
      peer.queue.delete(job);
      this.#forgetSent(peer, job);
    }
  }

  flush(): void {
    for (const to of this.#due) {
      this.#due.delete(to);
      this.#send(to);
    }
  }

  onDeadline(member: MemberId): void {
    const peer = this.#peers.get(member);
    if (peer === undefined || peer.sent.size === 0) return;
    const before = this.#out.now() - this.#timeoutMs(peer);
    peer.tries++;
    for (const [job, { at, withBody }] of [...peer.sent]) {
      if (at > before) break;
      this.#forgetSent(peer, job);
      peer.queue.set(job, withBody);
    }
    this.#send(member);
  }

  #send(to: MemberId): void {
    const peer = this.#peers.get(to);
    if (peer === undefined) return;
    let [items, bytes]: [WireRecord[], number] = [[], 0];
    const send = (): void => {
      if (items.length > 0) {
        this.#mail.tell(to, { type: "put", ...this.#out.floor(), items });
      }
      [items, bytes] = [[], 0];
    };
    const now = this.#out.now();
    for (const [job, withBody] of peer.queue) {
      if (peer.bytes >= WINDOW_BYTES || peer.sent.size >= WINDOW_ITEMS) break;
      peer.queue.delete(job);
      if (!this.#ledger.isSafe(job)) {
        // What is put is on our disk; where the disk has failed, nothing is said.
        this.#ledger.whenSafe(job, (problem) => {
          if (problem === undefined && this.#ledger.get(job.id) === job)
            this.put(to, job, withBody);
        });
        continue;
      }
      const size = HEAD_BYTES + (withBody ? (job.body?.value.length ?? 0) : 0);
      if (items.length > 0 && bytes + size > MESSAGE_BYTES) send();
      items.push(this.#recordOf(job, withBody, now));
      bytes += size;
      peer.sent.set(job, { at: now, bytes: size, withBody });
      peer.bytes += size;
      if (items.length >= MESSAGE_ITEMS_MAX) send();
    }
    send();
    if (peer.sent.size === 0) return;
    this.#deadlines.ensure(
      `post:${to}`,
      now + this.#out.rng.jitter(this.#timeoutMs(peer), 0.2) + 1,
    );
  }

  #recordOf(job: Job, withBody: boolean, now: number): WireRecord {
    return {
      job: job.id,
      head: headOf(job, now),
      follows: this.#ledger.before(job) !== undefined,
      body: withBody && job.body !== undefined ? bodyToWire(job.body, now) : undefined,
    };
  }

  #timeoutMs({ tries }: Peer): number {
    return Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(tries, 8));
  }

  #forgetSent(peer: Peer, job: Job): boolean {
    const sent = peer.sent.get(job);
    if (sent === undefined) return false;
    peer.sent.delete(job);
    peer.bytes -= sent.bytes;
    return true;
  }
}
