/**
 * Probing one's neighbours (SWIM, section 3.1; the timing is this design's).
 *
 * Each link is probed once a period on the datagram lane. A probe's answer proves to its sender that the other
 * end lives and hears; a probe that shows the answer to an earlier one proves the same to its receiver, so one
 * exchange serves both ends. A missed answer starts probes every `reprobeMs`; any later frame from there ends them. The
 * observer gives up after enough misses for the loss that it measures on that link (`missesToGiveUp`), and
 * never before `giveUpMinMs` of silence.
 *
 * A step that comes late says nothing about others: answers may be waiting behind it. So nobody is given up in
 * a late step, only in the next one, after what was waiting has been handled.
 */

import type { Config } from "../config.ts";
import type { MemberId } from "../machine.ts";

/**
 * The end with the lower id probes; the other one only when that has not happened for this much longer, so that
 * their probes do not cross. The longest expected round trip, ms. Source: design (20–150 ms links).
 */
const COURTESY_MS = 300;

/** A step this much behind its deadline is late, ms. Source: design (self-doubt). */
const LATE_MS = 250;

/** The chance of giving up a live neighbour by loss alone. Source: design. */
const FALSE_CHANCE = 1e-10;

/** A probe that lags its echo by more proves nothing. Two may be on their way at once. */
const ECHO_LAG_MAX = 2;

/** What repeated rounding may add to a chance. */
const ROUNDING = 1e-9;

/** How fast the measured loss follows the last probes. */
const LOSS_WEIGHT = 0.1;
const LOSS_MIN = 0.01;
const LOSS_MAX = 0.5;
/** RFC 6298's weights for the round trip and its deviation. */
const RTT_WEIGHT = 1 / 8;
const DEVIATION_WEIGHT = 1 / 4;

interface Probe {
  /** How long the last proof of life lasts, ms. */
  readonly periodMs: number;
  sequence: number;
  sentAt: number;
  /** Our last sequence whose answer came: the next ping shows it as proof that we hear. */
  echo: number;
  /** Last proof that the other end lives and hears us. */
  aliveAt: number;
  /** Last frame of any kind except probes that echo nothing. */
  heardAt: number;
  outstanding: boolean;
  misses: number;
  lossShare: number;
  rttMs: number | undefined;
  rttDeviationMs: number;
  /** A late step would have given up: the next one may. */
  doubted: boolean;
}

export type ProbeAction = "ping" | "giveUp" | "wait";

export interface LinkHealth {
  readonly rttMs: number | undefined;
  readonly heardAt: number;
  readonly misses: number;
  readonly lossShare: number;
}

export class Detector {
  readonly #config: Config;
  readonly #probes = new Map<MemberId, Probe>();

  constructor(config: Config) {
    this.#config = config;
  }

  add(peer: MemberId, now: number): void {
    const { id, probePeriodMs } = this.#config;
    this.#probes.set(peer, {
      periodMs: id < peer ? probePeriodMs : probePeriodMs + COURTESY_MS,
      sequence: 0,
      sentAt: Number.NEGATIVE_INFINITY,
      echo: 0,
      // The first probe goes at once: it measures the round trip.
      aliveAt: Number.NEGATIVE_INFINITY,
      heardAt: now,
      outstanding: false,
      misses: 0,
      lossShare: LOSS_MIN,
      rttMs: undefined,
      rttDeviationMs: 0,
      doubted: false,
    });
  }

  remove(peer: MemberId): void {
    this.#probes.delete(peer);
  }

  health(peer: MemberId): LinkHealth | undefined {
    return this.#probes.get(peer);
  }

  /** The sequence and echo of the next ping to `peer`. */
  nextPing(peer: MemberId, now: number): { sequence: number; echo: number } | undefined {
    const probe = this.#probes.get(peer);
    if (probe === undefined) return undefined;
    probe.sequence++;
    probe.sentAt = now;
    probe.outstanding = true;
    return { sequence: probe.sequence, echo: probe.echo };
  }

  /** A frame other than a ping came from `peer`. */
  onFrame(peer: MemberId, now: number): void {
    const probe = this.#probes.get(peer);
    if (probe !== undefined) revive(probe, now);
  }

  onPing(peer: MemberId, sequence: number, echo: number, now: number): void {
    const probe = this.#probes.get(peer);
    if (probe === undefined) return;
    // It heard our answer to one of its last probes. A deaf member's echo falls behind and proves nothing.
    if (echo > 0 && echo < sequence && sequence - echo <= ECHO_LAG_MAX) revive(probe, now);
  }

  onAck(peer: MemberId, sequence: number, now: number): void {
    const probe = this.#probes.get(peer);
    if (probe === undefined || sequence > probe.sequence) return;
    if (probe.outstanding && sequence === probe.sequence) {
      measure(probe, now - probe.sentAt);
      probe.lossShare += LOSS_WEIGHT * (LOSS_MIN - probe.lossShare);
    }
    probe.echo = Math.max(probe.echo, sequence);
    revive(probe, now);
  }

  /**
   * What to do about `peer` now.
   * @param reportsNeeded how many observers must agree before it is down
   * @param bulk bulk is unacknowledged on the link
   * @param lateMs how late this step is
   */
  check(
    peer: MemberId,
    now: number,
    reportsNeeded: number,
    bulk: boolean,
    lateMs: number,
  ): ProbeAction {
    const probe = this.#probes.get(peer);
    if (probe === undefined) return "wait";
    // The same sums as in `nextCheck`: rounded otherwise, a check could come and find that it is not due.
    if (!probe.outstanding) {
      return now >= probe.aliveAt + probe.periodMs ? "ping" : "wait";
    }
    if (now < probe.sentAt + this.#answerTimeMs(probe)) return "wait";
    probe.misses++;
    if (probe.misses === 1) probe.lossShare += LOSS_WEIGHT * (LOSS_MAX - probe.lossShare);
    const silenceMs = now - probe.heardAt;
    const enough =
      silenceMs >= (bulk ? this.#config.giveUpBulkMs : this.#config.giveUpMinMs) &&
      probe.misses >= missesToGiveUp(probe.lossShare, reportsNeeded);
    if (!enough) return "ping";
    if (lateMs > LATE_MS && !probe.doubted) {
      probe.doubted = true;
      return "ping";
    }
    return "giveUp";
  }

  /** When `peer` is to be checked again. */
  nextCheck(peer: MemberId, now: number): number {
    const probe = this.#probes.get(peer);
    if (probe === undefined) return Number.POSITIVE_INFINITY;
    if (probe.outstanding) return probe.sentAt + this.#answerTimeMs(probe);
    return Math.max(now + 1, probe.aliveAt + probe.periodMs);
  }

  /** The host stood still: silence so far says nothing. */
  forgive(now: number): void {
    for (const probe of this.#probes.values()) {
      revive(probe, now);
    }
  }

  /** How long an answer may take: the first by the measured round trip, a repeated one by `reprobeMs`. */
  #answerTimeMs(probe: Probe): number {
    const byRtt = (probe.rttMs ?? 0) + 4 * probe.rttDeviationMs;
    const first = Math.min(Math.max(byRtt, this.#config.reprobeMs), this.#config.probePeriodMs);
    return probe.misses === 0 ? first : this.#config.reprobeMs;
  }
}

/**
 * How many probes in a row must be missed so that loss alone makes all observers agree with a chance below 10⁻¹⁰:
 * ⌈ln 10⁻¹⁰ / (reports · ln loss)⌉.
 */
export function missesToGiveUp(lossShare: number, reportsNeeded: number): number {
  const loss = Math.min(Math.max(lossShare, LOSS_MIN), LOSS_MAX);
  // By multiplication, which every engine rounds alike; logarithms they do not.
  let misses = 0;
  for (let chance = 1; chance > FALSE_CHANCE * (1 + ROUNDING); misses++) {
    for (let report = 0; report < Math.max(1, reportsNeeded); report++) chance *= loss;
  }
  return misses;
}

function revive(probe: Probe, now: number): void {
  probe.aliveAt = now;
  probe.heardAt = now;
  probe.outstanding = false;
  probe.misses = 0;
  probe.doubted = false;
}

function measure(probe: Probe, rttMs: number): void {
  if (probe.rttMs === undefined) {
    probe.rttMs = rttMs;
    probe.rttDeviationMs = rttMs / 2;
    return;
  }
  const error = rttMs - probe.rttMs;
  probe.rttDeviationMs += DEVIATION_WEIGHT * (Math.abs(error) - probe.rttDeviationMs);
  probe.rttMs += RTT_WEIGHT * error;
}
