import { beforeEach, expect, test } from "vitest";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { Gossip } from "../../../src/core/membership/gossip.ts";
import type { Message, Update } from "../../../src/core/wire/messages.ts";
import { configOf, memberId, opinionOf, recordOf } from "./support.ts";

const [A, B, X] = [memberId(2), memberId(3), memberId(9)];
const { floodDelayMs } = configOf();

let gossip: Gossip;
let deadlines: Deadlines;
let sent: { to: MemberId; message: Message }[];

beforeEach(() => {
  sent = [];
  deadlines = new Deadlines();
  gossip = new Gossip(configOf(), deadlines, {
    neighbours: () => [A, B],
    send: (to, message) => sent.push({ to, message }),
  });
});

const news = (version: number): Update => ({ type: "record", record: recordOf(X, { version }) });

/** Versions of X that went to each since the last call. */
function versions(to: MemberId): number[] {
  const some = sent.filter((one) => one.to === to);
  sent = sent.filter((one) => one.to !== to);
  return some.flatMap(({ message }) =>
    message.type !== "members"
      ? []
      : message.updates.map((one) => (one.type === "record" ? one.record.version : 0)),
  );
}

/** So much news that the next has to wait; gives the next version. */
function crowd(): number {
  let version = 1;
  for (; !deadlines.has("gossip"); version++) {
    gossip.tell(news(version), undefined);
    gossip.flush(0);
  }
  versions(A);
  versions(B);
  return version;
}

test("a little news goes at once", () => {
  for (let version = 1; version <= 4; version++) {
    gossip.tell(news(version), undefined);
    gossip.flush(0);
    expect([versions(A), versions(B)]).toEqual([[version], [version]]);
  }
});

test("much news goes together, the latest word of each, no faster than in one message each time", () => {
  const version = crowd();
  gossip.tell(news(version), undefined);
  gossip.flush(0);
  expect(versions(A)).toEqual([]);
  const at = deadlines.next;
  gossip.flush(at);
  expect(versions(A)).toEqual([version]);
  gossip.tell(news(version + 1), undefined);
  gossip.flush(at);
  expect(versions(A)).toEqual([]);
  deadlines.take(at);
  gossip.flush(at + floodDelayMs - 1);
  expect([versions(A), deadlines.next]).toEqual([[], at + floodDelayMs]);
  gossip.flush(at + floodDelayMs);
  expect(versions(A)).toEqual([version + 1]);
});

test("after a quiet time news goes at once again", () => {
  const version = crowd();
  gossip.flush(60_000);
  versions(A);
  for (let i = 1; i <= 3; i++) {
    gossip.tell(news(version + i), undefined);
    gossip.flush(60_000);
    expect(versions(A)).toEqual([version + i]);
  }
});

test("who has sent the same meanwhile does not hear it; who has sent something older does", () => {
  const version = crowd();
  gossip.tell(news(version), A);
  gossip.had(news(version), B);
  gossip.flushNow(60_000);
  expect([versions(A), versions(B)]).toEqual([[], []]);
  gossip.tell(news(version + 2), A);
  gossip.had(news(version + 1), B);
  gossip.flushNow(60_000);
  expect([versions(A), versions(B)]).toEqual([[], [version + 2]]);
});

test("what different observers say of one member is different news", () => {
  for (const observer of [A, B]) {
    gossip.tell({ type: "opinion", ...opinionOf("report", observer, X) }, undefined);
  }
  gossip.tell(news(1), undefined);
  gossip.flushNow(60_000);
  expect(sent.map(({ message }) => message.type === "members" && message.updates.length)).toEqual([
    3, 3,
  ]);
});

test("all who have none of it get one and the same message", () => {
  gossip.tell(news(1), undefined);
  gossip.flushNow(60_000);
  expect(sent).toHaveLength(2);
  expect(sent[0]?.message).toBe(sent[1]?.message);
});

test("an older claim or opinion in the same words is not the same news", () => {
  const claim = { type: "claim", id: X, generation: 1, incarnation: 2, state: "suspect" } as const;
  const opinion = { type: "opinion", ...opinionOf("report", A, X, { sequence: 3 }) } as const;
  const heard = (...said: Update[]): number => {
    sent = [];
    gossip.tell(claim, undefined);
    gossip.tell(opinion, undefined);
    for (const one of said) gossip.had(one, B);
    gossip.flushNow(60_000);
    const to = sent.find((one) => one.to === B)?.message;
    return to?.type === "members" ? to.updates.length : 0;
  };
  expect(heard({ ...claim, incarnation: 1 }, { ...opinion, sequence: 2 })).toBe(2);
  expect(heard({ ...claim, generation: 0 }, { ...opinion, observerGeneration: 0 })).toBe(2);
  expect(heard({ ...claim, state: "down" }, opinion)).toBe(1);
  expect(heard(claim, opinion)).toBe(0);
});

test("a vouch takes all that waits with it at once, and even so not for ever", () => {
  const version = crowd();
  gossip.tell(news(version), undefined);
  gossip.flush(0);
  expect(versions(B)).toEqual([]);
  const vouch = (sequence: number): Update => ({
    type: "opinion",
    ...opinionOf("vouch", A, X, { sequence }),
  });
  let went = 0;
  for (let sequence = 1; sequence <= 30; sequence++) {
    gossip.tell(vouch(sequence), undefined);
    gossip.flush(0);
    if (versions(B).length > 0) went++;
  }
  expect(went).toBeGreaterThan(5);
  expect(went).toBeLessThan(16);
});

test("of much that is not urgent a few copies go on, to others each time; what is urgent goes to all", () => {
  const peers = Array.from({ length: 8 }, (_, i) => memberId(100 + i));
  const heard = new Map<MemberId, MemberId[]>();
  const many = new Gossip(configOf(), new Deadlines(), {
    neighbours: () => peers,
    send: (to, message) => {
      if (message.type !== "members") return;
      for (const update of message.updates) {
        if (update.type === "record") heard.get(update.record.id)?.push(to);
      }
    },
  });
  const subjects = Array.from({ length: 20 }, (_, i) => memberId(200 + i));
  const tellAll = (minor: boolean): number[] => {
    for (const id of subjects) {
      heard.set(id, []);
      many.tell({ type: "record", record: recordOf(id, { version: 2 }) }, peers[0], minor);
    }
    many.flushNow(0);
    return subjects.map((id) => heard.get(id)?.length ?? 0);
  };
  expect(new Set(tellAll(false))).toEqual(new Set([7]));
  expect(new Set(tellAll(true))).toEqual(new Set([3]));
  const first = heard.get(subjects[0] as MemberId);
  tellAll(true);
  expect(heard.get(subjects[0] as MemberId)).not.toEqual(first);
  // What a member that is only becoming known says next is as urgent as its first word.
  many.tell(
    { type: "record", record: recordOf(subjects[0] as MemberId, { version: 3 }) },
    peers[0],
  );
  expect(new Set(tellAll(true).slice(0, 1))).toEqual(new Set([7]));
});
