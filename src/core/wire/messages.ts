/**
 * Every message of the protocol, with who sends it and what answers it. The order of the declarations is the
 * wire format. `PROTOCOL.md` draws the exchanges.
 */

import { PARTS_MAX } from "../lib/hash.ts";
import { PARTS } from "../part.ts";
import {
  boolean,
  bytes,
  type Infer,
  id,
  list,
  oneOf,
  optional,
  remembered,
  rest,
  string,
  struct,
  type Tagged,
  uint32,
  union,
  varint,
} from "./schema.ts";

/** Limits of the wire. What is over them does not decode. */
export const NAME_BYTES_MAX = 256;
export const META_BYTES_MAX = 1_024;
const ADDRESS_BYTES_MAX = 256;
/** Neighbours that a record can name. */
export const NEIGHBOURS_MAX = 64;
export const HOPS_MAX = 8;
const SIGNAL_BYTES_MAX = 16_384;
/** The largest value in one message, before it is cut into fragments. */
const VALUE_BYTES_MAX = 8 * 1_024 * 1_024;
/** A whole message with its largest value, or all versions that an owner keeps; what fragments may add up to. */
export const MESSAGE_BYTES_MAX = VALUE_BYTES_MAX + 524_288;
/** The largest frame that is ever put on a link. */
export const FRAME_BYTES_MAX = 16_384;
/** The largest one that rides the datagram lane. */
export const DATAGRAM_BYTES_MAX = 1_100;
/** What one piece of a stream holds: with its way and its seal it fits into a frame. */
export const STREAM_PIECE_BYTES_MAX = 16_000;
const UPDATES_MAX = 1_024;
/** Entries of one part of a state. */
export const STATE_ENTRIES_MAX = 4_096;
/** Keys that an owner may have, with its tombstones. */
const STATE_KEYS_MAX = 131_072;
export const DIGEST_MAX = 4_096;
/** Parts of an owner's versions that are held beyond a hole; with more, the rest is asked for again. Guess, unmeasured. */
export const RANGES_MAX = 64;
const IDS_MAX = 1_024;

/** What all members share: a key with the letter of its kind before it, and its value. */
const SHARED_KEY_BYTES_MAX = NAME_BYTES_MAX + 1;
export const SHARED_VALUE_BYTES_MAX = 65_536;
export const SHARED_ENTRIES_MAX = 64;

const name = string(NAME_BYTES_MAX);

/** Opaque here: shows that what it stands with was made by its owner. Absent where members trust each other. */
export const PROOF_BYTES_MAX = 512;
const proof = optional(bytes(PROOF_BYTES_MAX));
/** Instead of a value that is not there any more: its hash. */
const DIGEST_BYTES = 16;

export const SEAL_KEY_BYTES = 32;
/** The largest value with what a part of the core says about it, and its seal. */
const SEALED_BYTES_MAX = VALUE_BYTES_MAX + 8_192;

/**
 * What a member says about itself. Only its owner makes one; the higher (generation, version) wins.
 * `neighbours` are the members that probe it: its observers.
 */
const recordFields = {
  id,
  generation: varint,
  version: varint,
  incarnation: varint,
  /** Said by the owner itself: `asleep` until it says otherwise. */
  state: oneOf(["alive", "asleep", "left"]),
  flags: varint,
  name,
  role: name,
  meta: bytes(META_BYTES_MAX),
  addresses: list(string(ADDRESS_BYTES_MAX), 8),
  neighbours: list(id, NEIGHBOURS_MAX),
  /** What goes to it over others is sealed for this key, which is made at each start. Opaque here. */
  sealKey: optional(bytes(SEAL_KEY_BYTES)),
} as const;
/** What its owner proves of a record: all of it. */
export const recordBody = struct(recordFields);
const memberRecord = remembered(struct({ ...recordFields, proof }));
export type MemberRecord = Infer<typeof memberRecord>;

/** Bits of `MemberRecord.flags`; from the fifth on they name kinds of transport (`lib/kinds.ts`). */
export const FLAG_SLOW_OFFERER = 1;
export const FLAG_NODE = 2;

/** What others hold of a member at one incarnation. */
const claim = struct({
  id,
  generation: varint,
  incarnation: varint,
  state: oneOf(["suspect", "asleep", "down"]),
});
export type Claim = Infer<typeof claim>;

/**
 * What an observer knows of its neighbour, directly: it is silent (`report`), so it is and had said that its host may
 * stop it (`asleep`), it has just answered (`vouch`), there is no link (`abstain`). And what an auditor, who asked it
 * over a route, has not found: `unreachable`.
 */
const opinion = struct({
  observer: id,
  observerGeneration: varint,
  target: id,
  generation: varint,
  incarnation: varint,
  kind: oneOf(["report", "asleep", "vouch", "abstain", "unreachable"]),
  /** How long it has not answered the observer, and how old its last sign of life there is, ms. */
  agoMs: varint,
  heardAgoMs: varint,
  /** Counts the observer's opinions of the target, so that a later one replaces an earlier one. */
  sequence: varint,
});
export type Opinion = Infer<typeof opinion>;

/** Bits of `hello.features`. Everything this member writes is proven to be its own, and so must be what it takes. */
export const FEATURE_PROVEN_WRITES = 1;
/** Its sender has no other link with whom it greets, or one that shows no life. */
export const FEATURE_ONLY_LINK = 2;

const update = union({ record: struct({ record: memberRecord }), claim, opinion });
export type Update = Infer<typeof update>;

/** What two neighbours compare at every probe. */
const fingerprints = struct({
  membersHigh: uint32,
  membersLow: uint32,
  stateHigh: uint32,
  stateLow: uint32,
  shared: uint32,
});
export type Fingerprints = Infer<typeof fingerprints>;

const memberDigestEntry = struct({
  id,
  generation: varint,
  version: varint,
  incarnation: varint,
  state: oneOf(["alive", "suspect", "asleep", "down", "left"]),
});
export type MemberDigestEntry = Infer<typeof memberDigestEntry>;

const stateDigestEntry = struct({ owner: id, generation: varint, maxVersion: varint });
export type StateDigestEntry = Infer<typeof stateDigestEntry>;

const stateWantEntry = struct({
  owner: id,
  generation: varint,
  /** Up to here all is held, … */
  maxVersion: varint,
  /** … and these parts beyond, ascending. */
  held: list(struct({ from: varint, to: varint }), RANGES_MAX),
});
export type StateWantEntry = Infer<typeof stateWantEntry>;
/** How its owner vouches for a write, where members do not trust each other. */
const vouched = struct({
  proof: bytes(PROOF_BYTES_MAX),
  /** The whole life that it was given, ms; 0: it has no end. */
  ttlMs: varint,
  /** Instead of a value whose life is over. */
  digest: optional(bytes(DIGEST_BYTES)),
});
export type Vouched = Infer<typeof vouched>;

const logPlace = struct({ begun: varint, number: varint, first: varint });
/** What its owner proves of a write to its state. */
export const stateBody = struct({
  owner: id,
  generation: varint,
  key: name,
  version: varint,
  /** Of the value; absent: deleted. */
  digest: optional(bytes(DIGEST_BYTES)),
  ttlMs: varint,
  log: optional(logPlace),
});

const stateEntry = struct({
  key: name,
  version: varint,
  /** Absent: the key was deleted at this version. */
  value: optional(bytes(VALUE_BYTES_MAX)),
  /** What is left of its life, ms; 0: it has no end. */
  lifeMs: varint,
  /** Where all changes are kept: the version of the first, this one's number, and the oldest that is still kept. */
  log: optional(logPlace),
  vouched: optional(vouched),
});
export type StateEntry = Infer<typeof stateEntry>;

const payloadId = struct({ origin: id, generation: varint, sequence: varint });
export type PayloadId = Infer<typeof payloadId>;
/** What its origin proves of a payload. */
export const payloadBody = struct({ id: payloadId, name, digest: bytes(DIGEST_BYTES) });

/** When somebody wrote something: a hybrid logical clock's stamp. */
const stamp = { ms: varint, counter: varint, writer: id };

/** A write to what all share. The latest for each key holds. */
export const sharedEntry = struct({
  key: string(SHARED_KEY_BYTES_MAX),
  ...stamp,
  /** Absent: deleted. */
  value: optional(bytes(SHARED_VALUE_BYTES_MAX)),
  /** What is left of its life, ms; 0: it has no end. */
  lifeMs: varint,
  vouched: optional(vouched),
});
export type SharedEntry = Infer<typeof sharedEntry>;

/** What its writer proves of a write to what all share. */
export const sharedBody = struct({
  key: string(SHARED_KEY_BYTES_MAX),
  ...stamp,
  digest: optional(bytes(DIGEST_BYTES)),
  ttlMs: varint,
});

const sharedStamp = struct({ key: string(SHARED_KEY_BYTES_MAX), ...stamp });
export type SharedStamp = Infer<typeof sharedStamp>;

const linkRequest = struct({
  attempt: varint,
  generation: varint,
  flags: varint,
  /** How many links the asker has: the fewer, the more is done to make room. */
  links: varint,
});
export type LinkRequest = Infer<typeof linkRequest>;

/** A stream, by its opener's generation and number; `ours`: the sender of this opened it. */
const streamId = { generation: varint, number: varint, ours: boolean };

/** What travels from one member to another that may have no link with it. */
const inners = {
  /** Asks for a link. Answered by `linkAccept` or `linkReject` with the same attempt. */
  linkRequest,
  linkAccept: struct({ attempt: varint, flags: varint }),
  /**
   * No link comes of it: there is no room (`full`), the sender's transport has given up (`failed`), or no transport is
   * common to both (`kind`), when somebody may be named who has one.
   */
  linkReject: struct({
    attempt: varint,
    reason: oneOf(["full", "failed", "kind"]),
    instead: optional(id),
  }),
  /**
   * Carries a transport's signalling for an accepted attempt, both ways; `number` counts it, from 0. The offerer
   * repeats its own until there is a link; a repetition is answered by the other end's.
   */
  signal: struct({ attempt: varint, number: varint, payload: bytes(SIGNAL_BYTES_MAX) }),
  /** A message to one member. Answered by `directAck`; repeated until then. */
  direct: struct({
    generation: varint,
    sequence: varint,
    name,
    value: bytes(VALUE_BYTES_MAX),
  }),
  directAck: struct({ generation: varint, sequence: varint }),
  /** To who searched for us: the path that brings it is the way. */
  routeFound: struct({}),
  /** Is there a way to you? Answered by `probeAck`. */
  probe: struct({ sequence: varint }),
  probeAck: struct({ sequence: varint }),
  /**
   * Opens a stream, both ways, and grants `window` bytes. Answered by `streamAck` once somebody has taken it, or by
   * `streamAbort`; repeated until then.
   */
  streamOpen: struct({ generation: varint, number: varint, name, window: varint }),
  /**
   * A piece. Answered by `streamAck`: soon, or at once where nothing follows it for now (`pause`) or for ever (`end`).
   * An empty one asks whether the stream still is.
   */
  streamData: struct({
    ...streamId,
    offset: varint,
    kind: oneOf(["more", "pause", "end"]),
    bytes: bytes(STREAM_PIECE_BYTES_MAX),
  }),
  /**
   * Everything before `received` has come (one more: and the end), the application has taken what is before
   * `consumed`, and what is within `window` from there may be sent.
   */
  streamAck: struct({ ...streamId, received: varint, consumed: varint, window: varint }),
  /** The stream is over, both ways. Answered by nothing. */
  streamAbort: struct({
    ...streamId,
    reason: oneOf(["aborted", "refused", "full", "unknown"]),
    message: name,
  }),
} as const;
/** A value, and what a part says about it. */
const PART_BYTES_MAX = VALUE_BYTES_MAX + 4_096;

/** What a part of the sender says to the same part of the receiver: opaque here. */
const part = struct({ name: oneOf(PARTS), bytes: bytes(PART_BYTES_MAX) });
const inner = union({ ...inners, part });
export type Inner = Infer<typeof inner>;

/** How relays are to treat what they cannot read: as other bulk, ahead of it, or in turns with it. */
export const TURNS = ["queue", "ahead", "piece"] as const;

/** What crosses relays: an `Inner` as others can read it, or sealed. `from` and `to` begin the keys of the two ends. */
const enclosed = union({
  ...inners,
  sealed: struct({
    turn: oneOf(TURNS),
    from: uint32,
    to: uint32,
    number: varint,
    bytes: bytes(SEALED_BYTES_MAX),
  }),
  part,
});
export type Enclosed = Infer<typeof enclosed>;
export type Sealed = Extract<Enclosed, { type: "sealed" }>;

const messages = {
  /** The first frame of both ends of every link. Answered by the other end's own. */
  hello: struct({ record: memberRecord, features: varint }),
  /** The sender closes this link on purpose: it is no sign of failure. */
  bye: struct({ reason: oneOf(["leaving", "full", "duplicate", "stranger", "taken"]) }),
  /** A piece of a message that is larger than a frame. `message` numbers those of a link, each way. */
  fragment: struct({ message: varint, index: varint, count: varint, bytes: rest }),
  /**
   * Probe of a neighbour, on the datagram lane. Answered at once by `ack`. `echo` is the sender's last sequence
   * whose answer it heard: it proves that the sender hears us. Fingerprints are in the answer alone: one comparison
   * serves both ends.
   */
  ping: struct({ sequence: varint, echo: varint, mayFreeze: boolean }),
  ack: struct({ sequence: varint, mayFreeze: boolean, fingerprints }),
  /** Membership news, flooded: every member passes on what it did not know. */
  members: struct({ updates: list(update, UPDATES_MAX) }),
  /**
   * All that the sender knows of the members in some parts of its table, in brief. Answered by `memberDelta`s with
   * what is newer here, and by the same of ours where it is newer there.
   */
  memberDigest: struct({
    /** Parts in all. */
    count: varint,
    parts: list(varint, PARTS_MAX),
    entries: list(memberDigestEntry, DIGEST_MAX),
    answer: boolean,
  }),
  /** How far the sender holds some owners' states. Answered by `stateWant` for what is newer there. */
  stateDigest: struct({
    entries: list(stateDigestEntry, DIGEST_MAX),
    /** It is all that the sender holds in these parts of `count`: what the other end holds in them is wanted back. */
    count: varint,
    parts: list(varint, PARTS_MAX),
    answer: boolean,
  }),
  /** An owner's changes in (from, to], ascending; more follows up to `last`. */
  stateDelta: struct({
    owner: id,
    generation: varint,
    from: varint,
    to: varint,
    last: varint,
    /** Tombstones up to here were forgotten. */
    floor: varint,
    /** Where `from` lies below the floor: the versions up to it that still hold, as steps from one to the next. */
    kept: optional(list(varint, STATE_KEYS_MAX)),
    entries: list(stateEntry, STATE_ENTRIES_MAX),
  }),
  /** Along `path` to its last, and at `hop` of it now. A break is answered by `noRoute`. */
  routed: struct({ from: id, path: list(id, HOPS_MAX), hop: varint, inner: enclosed }),
  /** `brokenAt` has no link with `to` on the way to `target`. Goes back the way that the message came. */
  noRoute: struct({ path: list(id, HOPS_MAX), hop: varint, target: id, to: id, brokenAt: id }),
  /**
   * Flooded `hops` far: who knows a way to `target`? `path` begins with the asker. `target` answers along it by
   * `routeFound`.
   */
  routeSearch: struct({ path: list(id, HOPS_MAX), target: id, number: varint, hops: varint }),
  /**
   * A request for a link, on a random walk: `hops` more, then on until somebody has room. `path` begins with the
   * asker. Who takes it answers along the path like any `linkRequest`; the last of a path refuses.
   */
  forwardJoin: struct({ path: list(id, HOPS_MAX), hops: varint, request: linkRequest }),
  /** End our link if you can do without it. `hard`: the sender is over its bound. Answered by `bye`, or not. */
  release: struct({ hard: boolean }),
  /** Between neighbours: what needs no route. */
  local: struct({ inner }),
  /** A broadcast, along the tree of its origin. A duplicate is answered by `prune`. */
  payload: struct({
    id: payloadId,
    /** Links that it has crossed. */
    hop: varint,
    /** It goes on every link, to find the quickest tree anew. */
    flood: boolean,
    name,
    value: bytes(VALUE_BYTES_MAX),
    proof,
  }),
  /** Payloads that the sender has and did not send. A gap is answered by `graft`. */
  iHave: struct({ ids: list(payloadId, IDS_MAX) }),
  /**
   * Send me these, and, unless `once`, from now on everything of their origins. A sequence of 0 asks for the latter
   * only.
   */
  graft: struct({ ids: list(payloadId, IDS_MAX), once: boolean }),
  /** I hear this origin from somebody else: only announce its payloads to me. */
  prune: struct({ origin: id }),
  /** Where each origin's sequence stands, for a new neighbour: nothing before it will be asked for. */
  baselines: struct({ ids: list(payloadId, DIGEST_MAX) }),
  /**
   * How many bytes of bulk frames the sender has received on this link since it opened; and a fragmented message that
   * has become whole, or 0.
   */
  credit: struct({ total: varint, whole: varint }),
  /**
   * Send me what is newer than these versions, and whatever follows for a while. Answered by `stateDelta`s; a version
   * that lies beyond what is held ends it. The wants of a link are numbered, since one may overtake another.
   */
  stateWant: struct({ number: varint, entries: list(stateWantEntry, DIGEST_MAX) }),
  /** A hash for each part of the sender's table of members. Answered by `memberDigest` of those that differ. */
  memberParts: struct({ hashes: list(uint32, PARTS_MAX) }),
  /** What the sender of a digest does not know. `more`: another one follows. */
  memberDelta: struct({ updates: list(update, UPDATES_MAX), more: boolean }),
  /** A hash for each part of the sender's owners. Answered by `stateDigest` of those that differ. */
  stateParts: struct({ hashes: list(uint32, PARTS_MAX) }),
  /** Writes to what all share: news, passed on, or the answer to `sharedWant`. */
  shared: struct({ entries: list(sharedEntry, SHARED_ENTRIES_MAX) }),
  /**
   * A hash for each part of what all share. Answered by `sharedDigest` of those that differ. `clockMs` is the sender's
   * time of day; who is `settled` took it from others, or others from it.
   */
  sharedParts: struct({ clockMs: varint, settled: boolean, hashes: list(uint32, PARTS_MAX) }),
  /**
   * What the sender holds in some parts of `count`, or has just heard of (no parts). Answered by `shared` with what is
   * newer here, and by `sharedWant` of what is newer there. Deletions up to `floor` were forgotten.
   */
  sharedDigest: struct({
    count: varint,
    parts: list(varint, PARTS_MAX),
    floor: struct(stamp),
    stamps: list(sharedStamp, DIGEST_MAX),
  }),
  sharedWant: struct({ keys: list(string(SHARED_KEY_BYTES_MAX), DIGEST_MAX) }),
  /** This write of yours is too far ahead of my clock. Its writer stamps it anew, by this clock. */
  sharedRefused: struct({ key: string(SHARED_KEY_BYTES_MAX), ...stamp, clockMs: varint }),
} as const;

export const message = union(messages);
export type Message = Tagged<typeof messages>;
export type MessageOf<T extends Message["type"]> = Extract<Message, { type: T }>;

/** What travels through a seed: the same inner messages, between two that have no link yet. */
export const seedMessage = struct({ inner });
