/**
 * Probing one's neighbours (SWIM, section 3.1; the timing is this design's).
 *
 * Each link is probed once a period on the datagram lane. A probe's answer proves to its sender that the other
 * end lives and hears; a probe that shows the answer to an earlier one proves the same to its receiver, so one
 * exchange serves both ends: the lower id asks, the higher one only when it has waited in vain. A missed answer
 * starts probes every `reprobeMs`; any later frame from there ends them, unless frames are all that comes: who
 * hears nothing still sends. The observer reports its neighbour after enough misses for the loss that it measures on
 * that link (`missesToGiveUp`), and never before `giveUpMinMs` of silence, nor while φ is below `PHI_MIN`. It gives
 * the link itself up when all could have decided: most that are reported wrongly have answered by then.
 *
 * φ is the suspicion level of the accrual detector (Hayashibara et al. 2004) for exponentially distributed gaps
 * between proofs of life, as Cassandra has it: with the paper's normal distribution it would need a logarithm.
 */

import type { Config } from "../config.ts";
import type { MemberId } from "../machine.ts";
import { periodsMore } from "./suspicion.ts";

/** The chance of giving up a live neighbour by loss alone. Source: design. */
const FALSE_CHANCE = 1e-10;

/** No neighbour is given up while silence as long as this is likelier than 1 in 5. Guess, unmeasured. */
const PHI_MIN = 0.7;

/** log₁₀ e: φ of a silence as long as the mean gap. */
const PHI_OF_MEAN = Math.LOG10E;

/** A probe that lags its echo by more proves nothing. Two may be on their way at once. */
const ECHO_LAG_MAX = 2;

/** What repeated rounding may add to a chance. */
const ROUNDING = 1e-9;

/** How fast the measured loss follows the last probes. */
const LOSS_WEIGHT = 0.1;
const LOSS_MIN = 0.01;
const LOSS_MAX = 0.5;
/** RFC 6298's weights for the round trip and its deviation, and for the gap between proofs of life. */
const RTT_WEIGHT = 1 / 8;
const DEVIATION_WEIGHT = 1 / 4;
/** How fast the shortest round trip is forgotten, by each that is measured. Guess, unmeasured. */
const WAY_GROWTH = 65 / 64;

/**
 * How much longer the higher id of a pair waits before it probes too, so that their probes do not cross, ms. The
 * longest expected round trip. Source: design (20–150 ms links).
 */
const COURTESY_MS = 300;

/** Even so it measures the round trip now and then, in periods. */
const MEASURE = 16;

/** Whom another reports is taken for silent after so many periods and misses. */
const SILENT_PERIODS = 1.5;
const SILENT_MISSES = 3;

/** What is added to the expected round trip at the least, as a share of it: an answer in time is no miss. */
const RTT_MARGIN = 1 / 8;

/** Probes whose answers are told apart. */
const SENT_MAX = 8;

interface Probe {
  sequence: number;
  sentAt: number;
  /** When the last probes were sent, by their sequence. */
  readonly sent: Float64Array;
  /** Our last sequence whose answer came: the next ping shows it as proof that we hear. */
  echo: number;
  /** When an answer came last, ms. */
  answeredAt: number;
  /** Last proof that the other end lives and hears us. */
  aliveAt: number;
  /** Last frame of any kind except probes that echo nothing. */
  heardAt: number;
  /** How far apart proofs of life are. */
  gapMs: number;
  unansweredAt: number | undefined;
  misses: number;
  reported: boolean;
  lossShare: number;
  rttMs: number | undefined;
  rttDeviationMs: number;
  wayMs: number;
  /** Its host may stop it without a word. */
  mayFreeze: boolean;
}

/** "report": the neighbour is silent, and is probed on. */
export type ProbeAction = "ping" | "report" | "giveUp" | "wait";

export interface LinkHealth {
  readonly rttMs: number | undefined;
  /** How long a frame takes one way: half of the shortest round trip of late, for a stall of either end is no way. */
  readonly wayMs: number;
  /** When the first of the probes was sent that have not been answered; undefined when all have. */
  readonly unansweredAt: number | undefined;
  readonly heardAt: number;
  readonly misses: number;
  readonly lossShare: number;
  readonly mayFreeze: boolean;
}

/** What a decision about a link depends on besides the link itself. */
export interface Terms {
  /** How many observers must agree before the neighbour is down. */
  readonly reports: number;
  /** Bulk is under way on the link: answers may stand behind it. */
  readonly bulk: boolean;
  /** By how much our own health, or the neighbour's past, lengthens its time. */
  readonly stretch: number;
  /** What we see now says nothing of others. */
  readonly void: boolean;
}

export class Detector {
  readonly #config: Config;
  readonly #probes = new Map<MemberId, Probe>();

  constructor(config: Config) {
    this.#config = config;
  }

  add(peer: MemberId, now: number): void {
    const { probePeriodMs } = this.#config;
    this.#probes.set(peer, {
      sequence: 0,
      // The first probe goes at once: it measures the round trip.
      sentAt: now - MEASURE * probePeriodMs,
      sent: new Float64Array(SENT_MAX),
      echo: 0,
      answeredAt: now - MEASURE * probePeriodMs,
      aliveAt: now - probePeriodMs,
      heardAt: now,
      gapMs: probePeriodMs,
      unansweredAt: undefined,
      misses: 0,
      reported: false,
      lossShare: LOSS_MIN,
      rttMs: undefined,
      rttDeviationMs: 0,
      wayMs: 0,
      mayFreeze: false,
    });
  }

  remove(peer: MemberId): void {
    this.#probes.delete(peer);
  }

  health(peer: MemberId): LinkHealth | undefined {
    return this.#probes.get(peer);
  }

  /** The last sign of life of `peer`. */
  lifeAt(peer: MemberId): number | undefined {
    const probe = this.#probes.get(peer);
    return probe && this.#lifeAt(probe);
  }

  /** How unlikely the silence of `peer` is: 1 for one chance in 10, 2 for one in 100. */
  phi(peer: MemberId, now: number): number {
    const probe = this.#probes.get(peer);
    return probe === undefined ? 0 : (PHI_OF_MEAN * (now - this.#lifeAt(probe))) / probe.gapMs;
  }

  /** Whether a probe that goes now is not one too many. */
  mayAsk(peer: MemberId, now: number): boolean {
    const probe = this.#probes.get(peer);
    return probe !== undefined && now >= probe.sentAt + this.#config.reprobeMs;
  }

  /** The sequence and echo of the next ping to `peer`. */
  nextPing(peer: MemberId, now: number): { sequence: number; echo: number } | undefined {
    const probe = this.#probes.get(peer);
    if (probe === undefined) return undefined;
    probe.sequence++;
    probe.sentAt = now;
    probe.sent[probe.sequence % SENT_MAX] = now;
    probe.unansweredAt ??= now;
    return { sequence: probe.sequence, echo: probe.echo };
  }

  /** A frame other than a ping or an answer came from `peer`: it sends. Whether it hears is not said. */
  onFrame(peer: MemberId, now: number): void {
    const probe = this.#probes.get(peer);
    if (probe === undefined) return;
    probe.heardAt = now;
    if (this.#lifeAt(probe) < now) return;
    probe.misses = 0;
    probe.reported = false;
    probe.unansweredAt = undefined;
  }

  /** Whether the ping proves that `peer` hears us. */
  onPing(
    peer: MemberId,
    { sequence, echo, mayFreeze }: { sequence: number; echo: number; mayFreeze: boolean },
    now: number,
  ): boolean {
    const probe = this.#probes.get(peer);
    if (probe === undefined) return false;
    probe.mayFreeze = mayFreeze;
    // It heard our answer to one of its last probes. A deaf member's echo falls behind and proves nothing.
    if (echo === 0 || echo >= sequence || sequence - echo > ECHO_LAG_MAX) return false;
    revive(probe, now);
    return true;
  }

  /** Gives whether the answer came in time; undefined when it answers nothing that was asked. */
  onAck(
    peer: MemberId,
    { sequence, mayFreeze }: { sequence: number; mayFreeze: boolean },
    now: number,
  ): boolean | undefined {
    const probe = this.#probes.get(peer);
    if (probe === undefined || sequence > probe.sequence || sequence <= 0) return undefined;
    probe.mayFreeze = mayFreeze;
    let timely = true;
    if (sequence > probe.echo) {
      if (sequence > probe.sequence - SENT_MAX) {
        const rttMs = now - (probe.sent[sequence % SENT_MAX] as number);
        timely = probe.rttMs === undefined || rttMs <= this.#firstAnswerMs(probe);
        measure(probe, rttMs);
      }
      if (probe.misses === 0) probe.lossShare += LOSS_WEIGHT * (0 - probe.lossShare);
      probe.lossShare = Math.max(probe.lossShare, LOSS_MIN);
      probe.echo = sequence;
    }
    probe.answeredAt = now;
    revive(probe, now);
    return timely;
  }

  /** What to do about `peer` now. The terms are asked for only when an answer is missing. */
  check(peer: MemberId, now: number, termsOf: () => Terms): ProbeAction {
    const probe = this.#probes.get(peer);
    // The same sums as in `nextCheck`: rounded otherwise, a check could come and find that it is not due.
    if (probe === undefined || now < this.#due(peer, probe)) return "wait";
    if (probe.unansweredAt === undefined) return "ping";
    const terms = termsOf();
    probe.misses++;
    if (probe.misses === 1) probe.lossShare += LOSS_WEIGHT * (1 - probe.lossShare);
    const excessMs = now - this.#lifeAt(probe) - this.#silenceMs(probe, terms);
    const enough = probe.misses >= missesToGiveUp(probe.lossShare, terms.reports);
    if (terms.void || excessMs < 0 || !enough) return "ping";
    if (!probe.reported) {
      probe.reported = true;
      return "report";
    }
    const { downMinMs, probePeriodMs } = this.#config;
    const ripeMs = now - probe.unansweredAt - downMinMs;
    const stays = Math.max(1, periodsMore(terms.reports)) * probePeriodMs;
    return Math.min(excessMs, ripeMs) < stays ? "ping" : "giveUp";
  }

  /** How long `peer` has been silent, ms; undefined when that is too short to say anything. */
  silentMs(peer: MemberId, now: number): number | undefined {
    const probe = this.#probes.get(peer);
    if (probe === undefined || probe.misses < SILENT_MISSES) return undefined;
    const silentMs = now - this.#lifeAt(probe);
    return silentMs < SILENT_PERIODS * this.#config.probePeriodMs ? undefined : silentMs;
  }

  /** How long a neighbour that has missed a probe and its repetition was not heard, ms. */
  unheardMs(peer: MemberId, now: number): number | undefined {
    const probe = this.#probes.get(peer);
    if (probe === undefined || probe.misses < 2) return undefined;
    return now - probe.heardAt - (probe.rttMs ?? this.#config.probePeriodMs);
  }

  /** When `peer` is to be checked again. */
  nextCheck(peer: MemberId, now: number): number {
    const probe = this.#probes.get(peer);
    if (probe === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(now + 1, this.#due(peer, probe));
  }

  /** The host stood still: silence so far says nothing, and everybody is asked at once. */
  forgive(now: number): void {
    for (const probe of this.#probes.values()) {
      const { gapMs } = probe;
      revive(probe, now);
      probe.gapMs = gapMs;
      probe.aliveAt = now - this.#config.probePeriodMs;
      probe.sentAt = now - MEASURE * this.#config.probePeriodMs;
    }
  }

  #due(peer: MemberId, probe: Probe): number {
    const { id, probePeriodMs } = this.#config;
    if (probe.unansweredAt !== undefined) return probe.sentAt + this.#answerTimeMs(probe);
    // A neighbour that sends and does not answer is asked no more often than any.
    const next = Math.max(probe.aliveAt, probe.sentAt) + probePeriodMs;
    if (id < peer) return next;
    const measured = Math.max(probe.answeredAt, probe.sentAt) + MEASURE * probePeriodMs;
    return Math.min(next + COURTESY_MS, Math.max(measured, next));
  }

  /** Frames alone count as life for only so long. */
  #lifeAt(probe: Probe): number {
    const { giveUpMinMs, giveUpBulkMs } = this.#config;
    return Math.min(probe.heardAt, probe.aliveAt + Math.max(0, giveUpBulkMs - giveUpMinMs));
  }

  /** How long a neighbour must be silent. */
  #silenceMs(probe: Probe, { bulk, stretch }: Terms): number {
    const { giveUpMinMs, giveUpBulkMs } = this.#config;
    if (bulk) return giveUpBulkMs;
    const byPhi = (PHI_MIN / PHI_OF_MEAN) * probe.gapMs;
    return Math.min(Math.max(giveUpMinMs * stretch, byPhi), Math.max(giveUpMinMs, giveUpBulkMs));
  }

  /** How long an answer may take: the first by the measured round trip, a repeated one by `reprobeMs`. */
  #answerTimeMs(probe: Probe): number {
    return probe.misses === 0 ? this.#firstAnswerMs(probe) : this.#config.reprobeMs;
  }

  #firstAnswerMs(probe: Probe): number {
    const rttMs = probe.rttMs ?? 0;
    const byRtt = rttMs + Math.max(4 * probe.rttDeviationMs, RTT_MARGIN * rttMs);
    return Math.min(Math.max(byRtt, this.#config.reprobeMs), this.#config.probePeriodMs);
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
  probe.gapMs += RTT_WEIGHT * (now - probe.aliveAt - probe.gapMs);
  probe.aliveAt = now;
  probe.heardAt = now;
  probe.unansweredAt = undefined;
  probe.misses = 0;
  probe.reported = false;
}

function measure(probe: Probe, rttMs: number): void {
  if (probe.rttMs === undefined) {
    probe.rttMs = rttMs;
    probe.rttDeviationMs = rttMs / 2;
    probe.wayMs = rttMs / 2;
    return;
  }
  probe.wayMs = Math.min(rttMs / 2, probe.wayMs * WAY_GROWTH);
  const error = rttMs - probe.rttMs;
  probe.rttDeviationMs += DEVIATION_WEIGHT * (Math.abs(error) - probe.rttDeviationMs);
  probe.rttMs += RTT_WEIGHT * error;
}
