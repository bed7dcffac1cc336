/**
 * Questions to all stores of a channel at once: how much there is, which letters are dead, and what is to become of
 * them. Each job is answered for by its custodian alone, so none is counted twice; who does not answer in time is left
 * out, and the answer says how many did.
 */

import type { MemberId } from "../lib/ids.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { DeadLetter, DeadReason, JobId, QueueCommand, QueueStats } from "./contract.ts";
import { adopt, boundUntil, custodianOf, type Ground } from "./ground.ts";
import { type Job, originOf } from "./job.ts";
import { ASK_MS, DRAIN_POLL_MS, LETTERS_BYTES_MAX, LETTERS_MAX } from "./limits.ts";
import type { Outcome } from "./publisher.ts";
import type { Counts, Letter, MessageOf } from "./wire.ts";

type What = MessageOf<"ask">["what"];
type Answer = MessageOf<"answer">;

interface Question {
  readonly asked: Set<MemberId>;
  readonly answers: Answer[];
  readonly until: number;
  readonly known: number;
  readonly then: (answers: readonly Answer[], known: number) => void;
}

export interface LettersOut {
  duties(job: Job): void;
  /** Publishes a dead letter again. */
  again(job: Job, then: (outcome: Outcome) => void): void;
  holds(channel: string): boolean;
}

const NO_COUNTS: Counts = {
  waiting: 0,
  delayed: 0,
  leased: 0,
  dead: 0,
  done: 0,
  redelivered: 0,
  expired: 0,
  bytes: 0,
  oldestMs: 0,
};

/** Questions of others that are answered, in a second. Each may look at all jobs. Guess, unmeasured. */
const ANSWERS_PER_SECOND = 50;
const QUESTIONS_MAX = 256;

export class Letters {
  readonly #ground: Ground;
  readonly #out: LettersOut;
  readonly #questions = new Map<number, Question>();
  readonly #draining = new Map<number, { readonly channel: string; at: number }>();
  readonly #bucket: TokenBucket;
  #ticket = 0;

  constructor(ground: Ground, out: LettersOut) {
    this.#ground = ground;
    this.#out = out;
    this.#bucket = new TokenBucket(ANSWERS_PER_SECOND, ANSWERS_PER_SECOND, ground.host.now());
  }

  onCommand(command: QueueCommand): void {
    const { emit } = this.#ground;
    switch (command.type) {
      case "stats":
        return this.#ask(command.channel, "stats", undefined, 0, (answers, known) =>
          emit({ type: "stats", ticket: command.ticket, stats: sum(answers, known) }),
        );
      case "list":
        return this.#ask(command.channel, "list", undefined, command.limit, (answers) =>
          emit({
            type: "deadLetters",
            ticket: command.ticket,
            letters: lettersOf(answers, command.limit),
          }),
        );
      case "replay":
        return this.#ask(command.channel, "replay", command.job, 0, (answers) => {
          const { job } = answers.find((answer) => answer.job !== undefined) ?? {};
          emit({ type: "replayed", ticket: command.ticket, ...(job !== undefined && { job }) });
        });
      case "remove":
      case "purge": {
        const job = command.type === "remove" ? command.job : undefined;
        return this.#ask(command.channel, command.type, job, 0, (answers) => {
          const count = answers.reduce((total, answer) => total + answer.count, 0);
          emit({ type: "removed", ticket: command.ticket, count });
        });
      }
      case "drain":
        if (this.#draining.size >= QUESTIONS_MAX) return;
        this.#draining.set(command.ticket, {
          channel: command.channel,
          at: this.#ground.host.now(),
        });
        return this.sweep(this.#ground.host.now());
      case "undrain":
        this.#draining.delete(command.ticket);
    }
  }

  onAsk(from: MemberId, ask: MessageOf<"ask">): void {
    const { mail, host } = this.#ground;
    if (from !== host.id && !this.#bucket.take(host.now())) return;
    const answer = (rest: Partial<Answer>): void =>
      mail.tell(from, { type: "answer", ticket: ask.ticket, letters: [], count: 0, ...rest });
    switch (ask.what) {
      case "stats":
        return answer({ counts: this.#counts(ask.channel) });
      case "list":
        return answer({ letters: this.#letters(ask.channel, ask.limit) });
      case "purge":
        return answer({ count: this.#purge(ask.channel) });
      default:
        return this.#onLetter(ask, answer);
    }
  }

  onAnswer(from: MemberId, answer: Answer): void {
    const question = this.#questions.get(answer.ticket);
    if (question?.asked.delete(from) !== true) return;
    question.answers.push(answer);
    if (question.asked.size === 0) this.#end(answer.ticket, question);
  }

  gone(member: MemberId): void {
    for (const [ticket, question] of this.#questions) {
      if (question.asked.delete(member) && question.asked.size === 0) this.#end(ticket, question);
    }
  }

  sweep(now: number): void {
    for (const [ticket, question] of this.#questions) {
      if (question.until <= now) this.#end(ticket, question);
    }
    for (const [ticket, drain] of this.#draining) {
      if (drain.at > now) continue;
      drain.at = now + ASK_MS + DRAIN_POLL_MS;
      this.#ask(drain.channel, "stats", undefined, 0, (answers, known) => {
        const { waiting, delayed, leased, stores, storesKnown } = sum(answers, known);
        drain.at = this.#ground.host.now() + DRAIN_POLL_MS;
        const isQuiet = waiting + delayed + leased === 0 && stores === storesKnown;
        if (!isQuiet || this.#out.holds(drain.channel)) return;
        if (this.#draining.delete(ticket)) this.#ground.emit({ type: "drained", ticket });
      });
    }
  }

  get isBusy(): boolean {
    return this.#questions.size > 0 || this.#draining.size > 0;
  }

  #ask(
    channel: string,
    what: What,
    job: JobId | undefined,
    limit: number,
    then: Question["then"],
  ): void {
    const { holders, host, mail } = this.#ground;
    const asked = new Set([host.id, ...holders.users(channel)]);
    const ticket = ++this.#ticket;
    if (this.#questions.size >= QUESTIONS_MAX) return then([], asked.size);
    const until = host.now() + ASK_MS;
    this.#questions.set(ticket, { asked, answers: [], until, known: asked.size, then });
    for (const member of [...asked]) {
      mail.tell(member, { type: "ask", channel, ticket, what, job, limit });
    }
  }

  #end(ticket: number, { answers, known, then }: Question): void {
    this.#questions.delete(ticket);
    then(answers, known);
  }

  /** Those of the channel for which we answer. */
  *#ours(channel: string): Iterable<Job> {
    const { ledger, host } = this.#ground;
    for (const group of ledger.groups.values()) {
      const [first] = group.jobs;
      if (first === undefined || custodianOf(this.#ground, first) !== host.id) continue;
      for (const job of group.jobs) if (job.channel === channel) yield job;
    }
  }

  #counts(channel: string): Counts {
    const { host, ledger } = this.#ground;
    const { done, redelivered, expired } = ledger.tally(channel);
    const counts = { ...NO_COUNTS, done, redelivered, expired };
    const now = host.now();
    for (const job of this.#ours(channel)) {
      const { phase, readyAt } = job.state;
      if (phase === "dead") counts.dead++;
      if (job.isOver || job.body === undefined) continue;
      counts.bytes += job.body.value.length;
      if (phase === "leased" && now < boundUntil(this.#ground, job)) counts.leased++;
      else if (readyAt > now) counts.delayed++;
      else {
        counts.waiting++;
        counts.oldestMs = Math.max(counts.oldestMs, Math.floor(now - job.body.bornAt));
      }
    }
    return counts;
  }

  #letters(channel: string, limit: number): Letter[] {
    const letters: Letter[] = [];
    let bytes = 0;
    const now = this.#ground.host.now();
    for (const job of this.#ground.ledger.tally(channel).dead) {
      if (custodianOf(this.#ground, job) !== this.#ground.host.id || job.body === undefined)
        continue;
      const { state, body } = job;
      const { value, key, order, bornAt } = body;
      bytes += value.length;
      if (letters.length >= Math.min(limit, LETTERS_MAX) || bytes > LETTERS_BYTES_MAX) break;
      const { reason, detail, attempts } = state;
      const ageMs = Math.max(0, Math.floor(now - bornAt));
      letters.push({ job: job.id, value, reason, detail, attempts, ageMs, key, order });
    }
    return letters;
  }

  #purge(channel: string): number {
    let count = 0;
    for (const job of [...this.#ours(channel)]) {
      if (job.isOver || (job.state.phase === "leased" && job.stage === "leased")) continue;
      if (job.stage === "asked") continue;
      this.#remove(job);
      count++;
    }
    return count;
  }

  #onLetter(
    { what, job: id, channel }: MessageOf<"ask">,
    answer: (rest: Partial<Answer>) => void,
  ): void {
    const { ledger, host } = this.#ground;
    const job = id === undefined ? undefined : ledger.get(id);
    const isOurs = job !== undefined && custodianOf(this.#ground, job) === host.id;
    if (!isOurs || job.channel !== channel || job.state.phase !== "dead") return answer({});
    if (what === "remove") {
      this.#remove(job);
      return answer({ count: 1 });
    }
    this.#out.again(job, (outcome) => {
      if (outcome.type !== "published") return answer({});
      if (job.state.phase === "dead") this.#remove(job);
      answer({ job: outcome.job });
    });
  }

  #remove(job: Job): void {
    adopt(this.#ground, job, { ...job.state, phase: "removed" });
    this.#ground.ledger.write(job, (problem) => {
      if (problem === undefined) this.#out.duties(job);
    });
  }
}

function sum(answers: readonly Answer[], storesKnown: number): QueueStats {
  const total = { ...NO_COUNTS };
  for (const { counts } of answers) {
    if (counts === undefined) continue;
    for (const name of ADDED) total[name] += counts[name];
    total.oldestMs = Math.max(total.oldestMs, counts.oldestMs);
  }
  return { ...total, stores: answers.length, storesKnown };
}

const ADDED = [
  "waiting",
  "delayed",
  "leased",
  "dead",
  "done",
  "redelivered",
  "expired",
  "bytes",
] as const;

function lettersOf(answers: readonly Answer[], limit: number): DeadLetter[] {
  const letters = answers.flatMap(({ letters: some }) =>
    some.map(({ reason, key, order, ...letter }) => ({
      ...letter,
      reason: (reason === "" ? "deliveries" : reason) as DeadReason,
      publishedBy: originOf(letter.job),
      ...(key !== undefined && { key }),
      ...(order !== undefined && { order }),
    })),
  );
  return letters.slice(0, limit);
}
