// What others may say to the part "channel": nothing of it throws, is believed without proof, or is amplified.
import { expect, test } from "vitest";
import { makeChannels } from "../../src/core/channels/channels.ts";
import type { ChannelCommand, ChannelEvent } from "../../src/core/channels/contract.ts";
import {
  type ChannelMessage,
  contentOf,
  decodeMessage,
  encodeMessage,
  encodeSubscription,
} from "../../src/core/channels/wire.ts";
import { Rng } from "../../src/core/lib/rng.ts";
import type { Part, PartHost } from "../../src/core/part.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const [OWN, PUBLISHER, INSIDER] = [id(1), id(2), id(3)];
const RIGHT = Uint8Array.of(1, 2, 3);
const VALUE = Uint8Array.of(9);

/** A subscriber of `news` that has published there, too, and what it does. */
function stage(): {
  part: Part;
  events: ChannelEvent[];
  sent: { readonly to: string; readonly bytes: Uint8Array }[];
  pass(ms: number): void;
} {
  const events: ChannelEvent[] = [];
  const sent: { to: string; bytes: Uint8Array }[] = [];
  let now = 0;
  let deadline = Number.POSITIVE_INFINITY;
  const host: PartHost = {
    id: OWN,
    rng: Rng.fromSeed(1),
    now: () => now,
    wallMs: () => now,
    generation: () => 1,
    generationOf: () => 1,
    send: (to, bytes) => {
      sent.push({ to, bytes });
      return true;
    },
    announce: () => {},
    prove: (_, then) => then(RIGHT),
    // Only this was ever published there.
    check: (by, content, proof, then) => {
      const real = contentOf("news", 1, 1, VALUE);
      const isReal = by === PUBLISHER && `${content}` === `${real}` && `${proof}` === `${RIGHT}`;
      then(isReal);
    },
    setDeadline: (_, at) => {
      deadline = at;
    },
    clearDeadline: () => {},
    store: () => 0,
    emit: (event) => void events.push(event as ChannelEvent),
  };
  const part = makeChannels(host);
  const command = (given: ChannelCommand): void => part.onCommand(given);
  const wish = encodeSubscription({ generation: 1, session: 1, count: 10, ms: 1_000 });
  part.onAnnounced(INSIDER, "news", wish);
  command({ type: "subscribe", channel: "news", history: { count: 10, ms: 1_000 } });
  command({ type: "publish", channel: "news", ticket: 1, value: VALUE });
  const pass = (ms: number): void => {
    for (const end = now + ms; now < end; ) {
      now = Math.min(end, Math.max(now + 1, deadline));
      if (now < deadline) continue;
      deadline = Number.POSITIVE_INFINITY;
      part.onDeadline("tick");
    }
  };
  return { part, events, sent, pass };
}

const log = { channel: "news", publisher: PUBLISHER, generation: 1 };
const own = { channel: "news", publisher: OWN, generation: 1 };
const entries = [{ ageMs: 0, value: VALUE, proof: RIGHT }];
const MESSAGES: readonly ChannelMessage[] = [
  { type: "feed", ...log, first: 1, end: 2, from: 1, entries },
  { type: "feed", ...log, first: 1, end: 3, from: 2, entries },
  { type: "feed", ...log, first: 1, end: 9, from: 0, via: INSIDER, entries: [] },
  { type: "take", ...own, next: 1, mode: "follow" },
  { type: "take", ...own, next: 1, mode: "once" },
  { type: "take", ...own, next: 2, mode: "elsewhere" },
  { type: "ask", channel: "news", count: 10, ms: 1_000 },
  {
    type: "past",
    channel: "news",
    logs: [{ publisher: PUBLISHER, generation: 1, first: 1, end: 2 }],
  },
  { type: "compare", channel: "news", logs: [{ publisher: PUBLISHER, generation: 1, end: 2 }] },
];

test("row 34: messages come back as they were written", () => {
  for (const message of MESSAGES) expect(decodeMessage(encodeMessage(message))).toEqual(message);
});

test("row 34: 100,000 messages that were changed on their way make nobody believe, throw, or say much", () => {
  const { part, events, sent, pass } = stage();
  const rng = Rng.fromSeed(34);
  const frames = MESSAGES.map(encodeMessage);
  let received = 0;
  for (let i = 0; i < 100_000; i++) {
    const frame = Uint8Array.from(frames[rng.below(frames.length)] as Uint8Array);
    for (let n = rng.below(4); n >= 0; n--) frame[rng.below(frame.length)] = rng.below(256);
    const bytes = rng.below(10) === 0 ? frame.subarray(0, rng.below(frame.length)) : frame;
    received += bytes.length;
    part.onMessage(rng.below(2) === 0 ? PUBLISHER : INSIDER, bytes);
    if (i % 100 === 0) pass(50);
  }
  const heard = events.filter((event) => event.type === "message");
  for (const event of heard) expect(event).toMatchObject({ from: PUBLISHER, number: 1 });
  expect(heard.length).toBeLessThanOrEqual(1);
  const said = sent.reduce((sum, { bytes }) => sum + bytes.length, 0);
  expect(said).toBeLessThan(3 * received);
  expect(part.stats?.()["rejected"]).toBeGreaterThan(10_000);
  // It still works.
  part.onMessage(PUBLISHER, frames[0] as Uint8Array);
  pass(10_000);
  const after = events.filter((event) => event.type === "message");
  expect(after).toHaveLength(1);
});

test("row 34: an insider can neither invent logs without end nor have a channel made", () => {
  const { part, sent, pass } = stage();
  for (let i = 0; i < 20_000; i++) {
    const publisher = id(1_000 + i);
    const feed = {
      channel: "news",
      publisher,
      generation: 2 + i,
      first: 1,
      end: 2,
      from: 0,
    } as const;
    part.onMessage(INSIDER, encodeMessage({ type: "feed", ...feed, entries: [] }));
    part.onMessage(
      INSIDER,
      encodeMessage({ ...(MESSAGES[6] as ChannelMessage), channel: `c${i}` }),
    );
  }
  expect(part.stats?.()["channels"]).toBe(1);
  const before = sent.length;
  pass(1_000);
  expect(sent.length - before).toBeLessThan(5_000);
});
