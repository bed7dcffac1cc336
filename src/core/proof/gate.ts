/**
 * What others have made is only let in with its owner's proof. What comes over one link stays in its order: behind a
 * message whose proofs are being checked the next ones wait, and so does the end of the link. Probes and opinions
 * overtake, for an answer that waits would look like silence.
 *
 * Only what would be news is checked: all else changes nothing, whoever made it.
 */

import type { Claimed, Effect, MemberId } from "../machine.ts";
import type {
  MemberRecord,
  Message,
  MessageOf,
  PayloadId,
  SharedStamp,
  Update,
} from "../wire/messages.ts";
import type { Contents } from "./contents.ts";

/** Messages of one neighbour that wait at once. Guess, unmeasured. */
const WAITING_MAX = 4_096;

export interface GateOut {
  effect(effect: Effect): void;
  message(from: MemberId, message: Message): void;
  /** `from` brought so many things that were not made by whom they name. */
  forged(from: MemberId, count: number): void;
  /** Of this member more would have to be checked than can be borne. */
  flooded(by: MemberId): void;
  /** More waits of this neighbour than may. */
  overloaded(from: MemberId): void;
  isNewRecord(record: MemberRecord): boolean;
  isNewState(delta: MessageOf<"stateDelta">): boolean;
  isNewPayload(id: PayloadId): boolean;
  isNewShared(stamp: SharedStamp): boolean;
}

/** Something that is somebody's, and what is claimed of it; undefined: it cannot be true. */
interface Item {
  readonly subject: object;
  readonly claim: Claimed | undefined;
}

interface Waiting {
  readonly items: readonly Item[];
  readonly run: (bad: ReadonlySet<object>) => void;
  /** Undefined while it is being checked. */
  bad: ReadonlySet<object> | undefined;
}

const NONE: ReadonlySet<object> = new Set();

export class Gate {
  readonly #contents: Contents | undefined;
  readonly #all: boolean;
  readonly #out: GateOut;
  readonly #queues = new Map<MemberId, Waiting[]>();
  readonly #checked = new Map<number, { readonly from: MemberId; readonly waiting: Waiting }>();
  /** Records are passed on by many: each is checked once. */
  readonly #proven = new WeakSet<object>();
  /** Who waits for the check of one claim. */
  readonly #asked = new Map<number, (isGood: boolean) => void>();
  #ticket = 0;

  /**
   * @param contents undefined: members trust each other, and nothing is checked
   * @param all not only records
   */
  constructor(contents: Contents | undefined, all: boolean, out: GateOut) {
    this.#contents = contents;
    this.#all = all;
    this.#out = out;
  }

  message(from: MemberId, message: Message): void {
    const items = this.#contents === undefined ? [] : this.#itemsOf(message, this.#contents);
    const mayPass = !this.#queues.has(from) || overtakes(message);
    if (items.length === 0 && mayPass) return this.#out.message(from, message);
    // Only messages are too many: the end of the link still has its turn.
    const waiting = this.#queues.get(from)?.length ?? 0;
    if (waiting >= WAITING_MAX) return this.#out.overloaded(from);
    this.#wait(from, items, (bad) => {
      const rest = bad.size === 0 ? message : without(message, bad);
      if (rest !== undefined) this.#out.message(from, rest);
    });
  }

  /** A member says this of itself as it greets us; `then` is told whether it is proven. */
  greeting(record: MemberRecord, then: (good: boolean) => void): void {
    const items = this.#contents === undefined ? [] : this.#ofRecord(record, this.#contents);
    this.#wait(record.id, items, (bad) => then(bad.size === 0));
  }

  /** Behind all that waits of `from`. */
  inTurn(from: MemberId, run: () => void): void {
    if (this.#queues.has(from)) this.#wait(from, [], run);
    else run();
  }

  /** Checks one claim, in no order with anything else. */
  check(claim: Claimed, then: (isGood: boolean) => void): void {
    const ticket = ++this.#ticket;
    this.#asked.set(ticket, then);
    this.#out.effect({ type: "verify", ticket, claims: [claim] });
  }

  onVerified(ticket: number, good: readonly (boolean | undefined)[]): void {
    this.#asked.get(ticket)?.(good[0] === true);
    this.#asked.delete(ticket);
    const checked = this.#checked.get(ticket);
    if (checked === undefined) return;
    this.#checked.delete(ticket);
    const { from, waiting } = checked;
    const claimed = waiting.items.filter(({ claim }) => claim !== undefined);
    const bad = new Set<object>();
    for (const { subject, claim } of waiting.items) if (claim === undefined) bad.add(subject);
    const unchecked = new Set<object>();
    for (const [i, { subject, claim }] of claimed.entries()) {
      if (good[i] === true) this.#proven.add(subject);
      else if (good[i] === false || claim === undefined) bad.add(subject);
      else {
        unchecked.add(subject);
        this.#out.flooded(claim.by);
      }
    }
    this.#decide(from, waiting, bad, unchecked);
    this.#drain(from);
  }

  #wait(from: MemberId, items: readonly Item[], run: Waiting["run"]): void {
    const queue = this.#queues.get(from) ?? [];
    this.#queues.set(from, queue);
    const waiting: Waiting = { items, run, bad: undefined };
    queue.push(waiting);
    const claims = items.flatMap(({ claim }) => claim ?? []);
    if (claims.length === 0) {
      this.#decide(from, waiting, new Set(items.map(({ subject }) => subject)));
      return this.#drain(from);
    }
    const ticket = ++this.#ticket;
    this.#checked.set(ticket, { from, waiting });
    this.#out.effect({ type: "verify", ticket, claims });
  }

  /** @param unchecked is let in no more than what is bad, and is nobody's fault who passed it on */
  #decide(
    from: MemberId,
    waiting: Waiting,
    bad: ReadonlySet<object>,
    unchecked: ReadonlySet<object> = NONE,
  ): void {
    waiting.bad = new Set([...bad, ...unchecked]);
    if (bad.size > 0) this.#out.forged(from, bad.size);
  }

  #drain(from: MemberId): void {
    const queue = this.#queues.get(from);
    for (let next = queue?.[0]; next?.bad !== undefined; next = queue?.[0]) {
      queue?.shift();
      // What comes of it may ask for its turn: it waits for nobody now.
      if (queue?.length === 0) this.#queues.delete(from);
      next.run(next.bad);
    }
  }

  #itemsOf(message: Message, contents: Contents): Item[] {
    switch (message.type) {
      case "members":
      case "memberDelta":
        return message.updates.flatMap((update) =>
          update.type === "record" ? this.#ofRecord(update.record, contents) : [],
        );
      case "stateDelta":
        if (!this.#all || !this.#out.isNewState(message)) return [];
        return alone(
          message.entries.map((entry) => ({
            subject: entry,
            claim: contents.ofState(message.owner, message.generation, entry),
          })),
        );
      case "payload":
        if (!this.#all || !this.#out.isNewPayload(message.id)) return [];
        return alone([{ subject: message, claim: contents.ofPayload(message) }]);
      case "shared":
        if (!this.#all) return [];
        return alone(
          message.entries
            .filter((entry) => this.#out.isNewShared(entry))
            .map((entry) => ({ subject: entry, claim: contents.ofShared(entry) })),
        );
      default:
        return [];
    }
  }

  #ofRecord(record: MemberRecord, contents: Contents): Item[] {
    if (this.#proven.has(record) || !this.#out.isNewRecord(record)) return [];
    return [{ subject: record, claim: contents.ofRecord(record) }];
  }
}

/** What comes alone was written just now; what was asked for comes together. */
function alone(items: Item[]): Item[] {
  const [item, more] = items;
  if (item?.claim === undefined || more !== undefined) return items;
  return [{ ...item, claim: { ...item.claim, unasked: true } }];
}

/** Nothing in it depends on what came before it. */
function overtakes(message: Message): boolean {
  if (message.type === "ping" || message.type === "ack") return true;
  return message.type === "members" && message.updates.every(({ type }) => type === "opinion");
}

/** What is left of a message; of a range of a state, or of one payload, nothing. */
function without(message: Message, bad: ReadonlySet<object>): Message | undefined {
  const isGood = (update: Update): boolean => update.type !== "record" || !bad.has(update.record);
  switch (message.type) {
    case "members":
      return { ...message, updates: message.updates.filter(isGood) };
    case "memberDelta":
      return { ...message, updates: message.updates.filter(isGood) };
    case "shared":
      return { ...message, entries: message.entries.filter((entry) => !bad.has(entry)) };
    default:
      return undefined;
  }
}
