/** Messages of every kind as fast-check makes them: any that the wire can carry. */

import fc from "fast-check";
import { type Inner, type Message, type MessageOf, TURNS } from "../../src/core/wire/messages.ts";

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => hex(bytes));
/** Whole numbers of every length on the wire. */
export const number = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.maxSafeNat(),
  fc.constantFrom(...[7, 14, 21, 28, 35, 42, 49].flatMap((n) => [2 ** n - 1, 2 ** n])),
  fc.constant(Number.MAX_SAFE_INTEGER),
);
export const uint32 = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1));
const name = fc.oneof(
  fc.string({ unit: "binary", maxLength: 64 }),
  fc.constantFrom("", "\u{1f44b}\u{1f3fd}", "\ufeffname", "a\u0000b", "é\u0301"),
);
export const bytes = fc.uint8Array({ maxLength: 40 });
const many = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 5 });

const proof = fc.option(bytes, { nil: undefined });
const vouched = fc.option(
  fc.record({
    proof: bytes,
    ttlMs: number,
    digest: fc.option(fc.uint8Array({ maxLength: 16 }), { nil: undefined }),
  }),
  { nil: undefined },
);

const record = fc.record({
  id,
  generation: number,
  version: number,
  incarnation: number,
  state: fc.constantFrom("alive" as const, "asleep" as const, "left" as const),
  flags: number,
  name,
  role: name,
  meta: bytes,
  addresses: many(name),
  neighbours: many(id),
  sealKey: fc.option(
    bytes.filter(({ length }) => length <= 32),
    { nil: undefined },
  ),
  proof,
});
const claim = fc.record({
  id,
  generation: number,
  incarnation: number,
  state: fc.constantFrom("suspect" as const, "asleep" as const, "down" as const),
});
const opinion = fc.record({
  observer: id,
  observerGeneration: number,
  target: id,
  generation: number,
  incarnation: number,
  kind: fc.constantFrom(
    "report" as const,
    "asleep" as const,
    "vouch" as const,
    "abstain" as const,
    "unreachable" as const,
  ),
  agoMs: number,
  heardAgoMs: number,
  sequence: number,
});
const fingerprints = fc.record({
  membersHigh: uint32,
  membersLow: uint32,
  stateHigh: uint32,
  stateLow: uint32,
  shared: uint32,
});
const payloadId = fc.record({ origin: id, generation: number, sequence: number });
const stateEntry = fc.record({
  key: name,
  version: number,
  value: fc.option(bytes, { nil: undefined }),
  lifeMs: number,
  log: fc.option(fc.record({ begun: number, number, first: number }), { nil: undefined }),
  vouched,
});
const stamp = { ms: number, counter: number, writer: id };
const sharedStamp = fc.record({ key: name, ...stamp });
const sharedEntry = fc.record({
  key: name,
  ...stamp,
  value: fc.option(bytes, { nil: undefined }),
  lifeMs: number,
  vouched,
});
const memberDigestEntry = fc.record({
  id,
  generation: number,
  version: number,
  incarnation: number,
  state: fc.constantFrom("alive", "suspect", "asleep", "down", "left"),
});

function typed<const T extends string, V extends object>(
  type: T,
  fields: { [K in keyof V]: fc.Arbitrary<V[K]> },
): fc.Arbitrary<{ type: T } & V> {
  return fc.record(fields).map((value) => ({ type, ...value }) as { type: T } & V);
}

const update = fc.oneof(
  record.map((one) => ({ type: "record" as const, record: one })),
  claim.map((one) => ({ type: "claim" as const, ...one })),
  opinion.map((one) => ({ type: "opinion" as const, ...one })),
);

const linkRequest = fc.record({
  attempt: number,
  generation: number,
  flags: number,
  links: number,
});
const streamId = { generation: number, number, ours: fc.boolean() };
export const inners: { [T in Inner["type"]]: fc.Arbitrary<Extract<Inner, { type: T }>> } = {
  linkRequest: linkRequest.map((one) => ({ type: "linkRequest" as const, ...one })),
  linkAccept: typed("linkAccept", { attempt: number, flags: number }),
  linkReject: typed("linkReject", {
    attempt: number,
    reason: fc.constantFrom("full" as const, "failed" as const, "kind" as const),
    instead: fc.option(id, { nil: undefined }),
  }),
  signal: typed("signal", { attempt: number, number, payload: bytes }),
  part: typed("part", { name: fc.constantFrom("channel" as const, "queue" as const), bytes }),
  direct: typed("direct", { generation: number, sequence: number, name, value: bytes }),
  directAck: typed("directAck", { generation: number, sequence: number }),
  routeFound: fc.constant({ type: "routeFound" as const }),
  probe: typed("probe", { sequence: number }),
  probeAck: typed("probeAck", { sequence: number }),
  streamOpen: typed("streamOpen", { generation: number, number, name, window: number }),
  streamData: typed("streamData", {
    ...streamId,
    offset: number,
    kind: fc.constantFrom("more" as const, "pause" as const, "end" as const),
    bytes,
  }),
  streamAck: typed("streamAck", {
    ...streamId,
    received: number,
    consumed: number,
    window: number,
  }),
  streamAbort: typed("streamAbort", {
    ...streamId,
    reason: fc.constantFrom(
      "aborted" as const,
      "refused" as const,
      "full" as const,
      "unknown" as const,
    ),
    message: name,
  }),
};
const inner: fc.Arbitrary<Inner> = fc.oneof(...Object.values(inners));
const sealed = typed("sealed", {
  turn: fc.constantFrom(...TURNS),
  from: uint32,
  to: uint32,
  number,
  bytes,
});

export const messages = {
  hello: typed("hello", { record, features: number }),
  bye: typed("bye", {
    reason: fc.constantFrom("leaving", "full", "duplicate", "stranger", "taken"),
  }),
  fragment: typed("fragment", { message: number, index: number, count: number, bytes }),
  ping: typed("ping", { sequence: number, echo: number, mayFreeze: fc.boolean() }),
  ack: typed("ack", { sequence: number, mayFreeze: fc.boolean(), fingerprints }),
  members: typed("members", { updates: many(update) }),
  memberDigest: typed("memberDigest", {
    count: number,
    parts: many(number),
    entries: many(memberDigestEntry),
    answer: fc.boolean(),
  }),
  memberDelta: typed("memberDelta", { updates: many(update), more: fc.boolean() }),
  memberParts: typed("memberParts", { hashes: many(fc.nat({ max: 0xffffffff })) }),
  stateDigest: typed("stateDigest", {
    entries: many(fc.record({ owner: id, generation: number, maxVersion: number })),
    count: number,
    parts: many(number),
    answer: fc.boolean(),
  }),
  stateParts: typed("stateParts", { hashes: many(fc.integer({ min: 0, max: 2 ** 32 - 1 })) }),
  stateDelta: typed("stateDelta", {
    owner: id,
    generation: number,
    from: number,
    to: number,
    last: number,
    floor: number,
    kept: fc.option(many(number), { nil: undefined }),
    entries: many(stateEntry),
  }),
  stateWant: typed("stateWant", {
    number,
    entries: many(
      fc.record({
        owner: id,
        generation: number,
        maxVersion: number,
        held: many(fc.record({ from: number, to: number })),
      }),
    ),
  }),
  routed: typed("routed", {
    from: id,
    path: many(id),
    hop: number,
    inner: fc.oneof(inner, sealed),
  }),
  noRoute: typed("noRoute", { path: many(id), hop: number, target: id, to: id, brokenAt: id }),
  routeSearch: typed("routeSearch", { path: many(id), target: id, number, hops: number }),
  forwardJoin: typed("forwardJoin", { path: many(id), hops: number, request: linkRequest }),
  release: typed("release", { hard: fc.boolean() }),
  local: typed("local", { inner }),
  payload: typed("payload", {
    id: payloadId,
    hop: number,
    flood: fc.boolean(),
    name,
    value: bytes,
    proof,
  }),
  iHave: typed("iHave", { ids: many(payloadId) }),
  graft: typed("graft", { ids: many(payloadId), once: fc.boolean() }),
  prune: typed("prune", { origin: id }),
  baselines: typed("baselines", { ids: many(payloadId) }),
  credit: typed("credit", { total: number, whole: number }),
  shared: typed("shared", { entries: many(sharedEntry) }),
  sharedParts: typed("sharedParts", {
    clockMs: number,
    settled: fc.boolean(),
    hashes: many(uint32),
  }),
  sharedDigest: typed("sharedDigest", {
    count: number,
    parts: many(number),
    floor: fc.record(stamp),
    stamps: many(sharedStamp),
  }),
  sharedWant: typed("sharedWant", { keys: many(name) }),
  sharedRefused: typed("sharedRefused", { key: name, ...stamp, clockMs: number }),
} as { [T in Message["type"]]: fc.Arbitrary<MessageOf<T>> };

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
