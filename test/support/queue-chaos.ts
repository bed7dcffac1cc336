/**
 * Tabs and processes that work through jobs while one of them after the other is killed and begins anew; and what became
 * of each job.
 */

import type { Hand, Note } from "./queue-crew.ts";
import { QueueCrew } from "./queue-crew.ts";

export interface ChaosOptions {
  readonly tabs: number;
  readonly children: number;
  readonly jobs: number;
  /** One is killed each second, for so long. */
  readonly seconds: number;
  /** How long all that was acknowledged may take to be done, once nobody is killed any more, ms. */
  readonly patienceMs: number;
}

export interface ChaosReport {
  /** Attempts to publish: some were cut off, and nobody knows what became of them. */
  readonly attempted: number;
  /** Whose `publish` resolved. */
  readonly acknowledged: number;
  /** Jobs that were done, those whose `publish` nobody heard of included. */
  readonly handled: number;
  /** Done more than once. */
  readonly repeated: number;
  /** … though an acknowledgement had been confirmed before the repetition began. */
  readonly broken: readonly string[];
  readonly dead: number;
  /** Acknowledged, and neither done nor dead. */
  readonly lost: readonly number[];
  readonly kills: number;
  /** Over the jobs that were done once: from `publish` to the end of the handler, ms, in order. */
  readonly latencies: readonly number[];
  readonly tookMs: number;
}

/** A consumer that is killed holds its jobs for so long, and a member that begins anew grants none for so long. */
const LEASE_MS = 1_500;
const CONCURRENCY = 4;
const TAKES_MS = 15;

export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const crew = new QueueCrew("chaos", {
    replicas: 3,
    confirm: 2,
    leaseMs: LEASE_MS,
    maxDeliveries: 100,
    backoff: { minMs: 50, maxMs: 500 },
  });
  try {
    await crew.open();
    const hands: Hand[] = [
      ...(await Promise.all(Array.from({ length: options.tabs }, () => crew.tab()))),
      ...(await Promise.all(Array.from({ length: options.children }, () => crew.child()))),
    ];
    return await new Chaos(crew, hands, options).run();
  } finally {
    await crew.close();
  }
}

class Chaos {
  readonly #crew: QueueCrew;
  readonly #hands: readonly Hand[];
  readonly #options: ChaosOptions;
  #next = 0;
  #kills = 0;
  #isOver = false;

  constructor(crew: QueueCrew, hands: readonly Hand[], options: ChaosOptions) {
    this.#crew = crew;
    this.#hands = hands;
    this.#options = options;
  }

  async run(): Promise<ChaosReport> {
    const from = performance.now();
    const { seconds, jobs, patienceMs } = this.#options;
    for (const hand of this.#hands) await this.#employ(hand);
    const publishing = this.#publishAll((seconds * 1_000) / jobs);
    await this.#killAll();
    await publishing;
    const tally = new Tally(this.#crew.notes);
    const isOver = (): boolean => tally.open().length === 0;
    // Who is left without an end is in the report.
    await this.#crew.until("all that was acknowledged is done", isOver, patienceMs).catch(() => {});
    this.#isOver = true;
    return reportOf(this.#crew.notes, this.#kills, performance.now() - from);
  }

  #employ({ worker }: Hand): Promise<void> {
    return worker.work({ concurrency: CONCURRENCY, takesMs: TAKES_MS });
  }

  /** One after the other, at an even pace; each by the next that is there. */
  async #publishAll(everyMs: number): Promise<void> {
    const { jobs } = this.#options;
    const underway: Promise<unknown>[] = [];
    await paced(everyMs, () => {
      const up = this.#hands.filter(({ isUp }) => isUp);
      const hand = up[this.#next % Math.max(1, up.length)];
      if (hand === undefined) return true;
      const number = this.#next++;
      // Who is killed meanwhile does not answer.
      underway.push(hand.worker.publish(number).catch(() => undefined));
      return this.#next < jobs;
    });
    await Promise.all(underway);
  }

  async #killAll(): Promise<void> {
    const restarts = new Map<Hand, Promise<void>>();
    let turn = 0;
    let left = this.#options.seconds;
    await paced(1_000, () => {
      // Who still begins anew has its turn later.
      const free = this.#hands.filter((hand) => !restarts.has(hand));
      const hand = free[turn++ % Math.max(1, free.length)];
      if (hand !== undefined) {
        this.#kills++;
        const restarted = this.#restart(hand).finally(() => restarts.delete(hand));
        restarts.set(hand, restarted);
      }
      return --left > 0;
    });
    await Promise.all(restarts.values());
  }

  async #restart(hand: Hand): Promise<void> {
    await hand.kill();
    if (this.#isOver) return;
    await hand.start();
    await this.#employ(hand);
  }
}

/** Calls `act` at an even pace until it says no. */
function paced(everyMs: number, act: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const from = performance.now();
    let count = 0;
    const timer = setInterval(
      () => {
        for (; count * everyMs <= performance.now() - from; count++) {
          if (act()) continue;
          clearInterval(timer);
          return resolve();
        }
      },
      Math.max(1, Math.min(everyMs, 50)),
    );
  });
}

/** Which jobs were acknowledged, and are neither done nor dead. Reads each note once. */
class Tally {
  readonly #notes: readonly Note[];
  readonly #open = new Map<number, string>();
  readonly #done = new Set<number>();
  readonly #dead = new Set<string>();
  #at = 0;

  constructor(notes: readonly Note[]) {
    this.#notes = notes;
  }

  open(): number[] {
    for (; this.#at < this.#notes.length; this.#at++) {
      const note = this.#notes[this.#at] as Note;
      if (note.what === "published") this.#open.set(note.number, note.job);
      else if (note.what === "handled") this.#done.add(note.number);
      else if (note.what === "dead") this.#dead.add(note.job);
    }
    for (const [number, job] of this.#open) {
      if (this.#done.has(number) || this.#dead.has(job)) this.#open.delete(number);
    }
    return [...this.#open.keys()];
  }
}

function reportOf(notes: readonly Note[], kills: number, tookMs: number): ChaosReport {
  const handled = new Map<number, Note[]>();
  const publishedAt = new Map<number, number>();
  const confirmedAt = new Map<number, number>();
  const broken: string[] = [];
  const dead = new Set<string>();
  let acknowledged = 0;
  for (const note of notes) {
    if (note.what === "publishing") publishedAt.set(note.number, note.at);
    else if (note.what === "published") acknowledged++;
    else if (note.what === "dead") dead.add(note.job);
    else if (note.what === "acknowledged") {
      confirmedAt.set(note.number, Math.min(note.at, confirmedAt.get(note.number) ?? note.at));
    } else if (note.what === "handled") {
      handled.set(note.number, [...(handled.get(note.number) ?? []), note]);
    }
  }
  for (const note of notes) {
    if (note.what !== "begun") continue;
    const confirmed = confirmedAt.get(note.number);
    if (confirmed === undefined || note.at <= confirmed) continue;
    broken.push(`${note.job} was begun by ${note.by} ${note.at - confirmed} ms after its end`);
  }
  const once = [...handled].filter(([, ends]) => ends.length === 1);
  return {
    attempted: publishedAt.size,
    acknowledged,
    handled: handled.size,
    repeated: handled.size - once.length,
    broken,
    dead: dead.size,
    lost: new Tally(notes).open(),
    kills,
    latencies: once
      .map(([number, [end]]) => (end?.at ?? 0) - (publishedAt.get(number) ?? 0))
      .sort((one, other) => one - other),
    tookMs,
  };
}

/** For people. */
export function inWords(report: ChaosReport): string {
  const { attempted, acknowledged, handled, repeated, dead, lost, kills, latencies } = report;
  const at = (share: number): string =>
    (latencies[Math.floor(share * (latencies.length - 1))] ?? Number.NaN).toFixed(0);
  return [
    `published ${attempted}, acknowledged ${acknowledged}, handled ${handled}, repeated ${repeated}`,
    `dead ${dead}, lost ${lost.length}; ${kills} kills in ${(report.tookMs / 1_000).toFixed(0)} s`,
    `from publish to handled p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  ].join(", ");
}
