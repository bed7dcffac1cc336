/**
 * Every parameter of the core: unit, range, default and source. "Guess, unmeasured" is said where it is one.
 */

import { isMemberId, type MemberId } from "./lib/ids.ts";
import { META_BYTES_MAX, NAME_BYTES_MAX } from "./wire/messages.ts";

/** Who and where this member is. What is left out is empty, or not so. */
export interface Identity {
  readonly id: MemberId;
  /** Counts the starts of this identity: higher than at any start before. */
  readonly generation: number;
  /** The first 32 bits of the hash of the cluster's name. */
  readonly clusterHash: number;
  /** Seeds the generator. Any whole number; the same seed replays the same run. */
  readonly seed: number;
  readonly name?: string;
  readonly role?: string;
  readonly meta?: Uint8Array;
  /** Where this member can be dialled without an introduction. */
  readonly addresses?: readonly string[];
  /** Making the offer is slow here (Firefox): let the other side. */
  readonly slowOfferer?: boolean;
  /** A Node process: it keeps more links. */
  readonly node?: boolean;
  /** The kinds of transport it has, the best first. Default none: it does not say, and any may do. */
  readonly kinds?: readonly string[];
  /** It can dial addresses. Default false. */
  readonly dials?: boolean;
  /**
   * What must be proven to be its owner's: what members say of themselves, or all that they write too, or, where all
   * members trust each other, nothing. The same at all members of a cluster. Default `none`.
   */
  readonly proofs?: "none" | "records" | "all";
  /** What others seal for us with: the public half of what `Given.sealing` holds. Without it nobody's is sealed. */
  readonly sealKey?: Uint8Array | undefined;
}

interface Parameter {
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

/** Names carry their unit. `PARAMETERS[name].default` holds unless the configuration says otherwise. */
export const PARAMETERS = {
  /** Up to so many members everyone is linked with everyone. Source: design. */
  fullMeshMax: { default: 10, min: 2, max: 32 },
  /** A full mesh stays one until there are so many more: 14 by default. Source: design. */
  fullMeshSlack: { default: 3, min: 0, max: 16 },
  /** Links that a member seeks in a larger mesh. Source: percolation, 82.6 % reach at 70 % crashed. */
  linksTarget: { default: 8, min: 2, max: 32 },
  /** Links above the target before a request is refused. Source: design. */
  linksSlack: { default: 2, min: 0, max: 16 },
  /** Attempts at once. Source: Chromium's 500 connections in a page's life; guess, unmeasured. */
  attemptsMax: { default: 4, min: 1, max: 32 },
  /** Connections that are begun in a minute, all at once at first. Source: Chromium, as above. */
  dialsPerMinuteMax: { default: 30, min: 1, max: 10_000 },
  /** Random steps before a walk asks for a link: at 8 links, 5 mix 10,000 members. Source: simulated. */
  walkHops: { default: 5, min: 1, max: 7 },
  /** Half of the links silent for so long: replacements are sought before anybody is given up. Source: simulated. */
  silentMs: { default: 1_500, min: 100, max: 60_000 },
  /** An attempt without a link by then is over; above the transport's own 15 s. */
  attemptTimeoutMs: { default: 20_000, min: 1_000, max: 120_000 },
  /** How long a link request waits for its answer. Eight hops of 150 ms there and back, and one repetition. */
  requestTimeoutMs: { default: 3_000, min: 100, max: 60_000 },
  /** First pause before a member is asked for a link again; doubles up to the next one. */
  retryMinMs: { default: 500, min: 10, max: 60_000 },
  retryMaxMs: { default: 30_000, min: 100, max: 600_000 },
  /** How often the overlay compares the links it has with those it wants. Guess, unmeasured. */
  overlayPeriodMs: { default: 500, min: 50, max: 60_000 },
  /** Links above the target are kept so long: others find theirs over them. Source: simulated, 300 join at once. */
  releaseDelayMs: { default: 2_000, min: 100, max: 600_000 },
  /** … then a member offers so often to end one that neither end needs. Source: as above. */
  releasePeriodMs: { default: 1_000, min: 100, max: 600_000 },

  /** Each link is probed once in this time. Source: SWIM, memberlist. */
  probePeriodMs: { default: 1_000, min: 50, max: 60_000 },
  /** Pause between probes once one was missed. Source: design. */
  reprobeMs: { default: 150, min: 10, max: 10_000 },
  /** A neighbour is never reported sooner after its last sign of life. Source: simulated, see `downMinMs`. */
  giveUpMinMs: { default: 3_000, min: 100, max: 60_000 },
  /** A member that has not answered for so long can be down: 3 s of a stall, and time to tell that it is over. Source: simulated. */
  downMinMs: { default: 3_400, min: 100, max: 60_000 },
  /** A link is not given up sooner while bulk is unacknowledged on the link: SCTP stalls of 2–9 s were measured. */
  giveUpBulkMs: { default: 10_000, min: 100, max: 120_000 },
  /** Share of a member's observers whose reports declare it down. Source: design (*sim*). */
  downShare: { default: 0.7, min: 0.1, max: 1 },
  /** A suspicion that is undecided by then ends in down unless somebody vouches. Source: design. */
  suspicionMaxMs: { default: 10_000, min: 500, max: 120_000 },
  /** A member that is asleep for longer is down. Source: design. */
  asleepMs: { default: 300_000, min: 1_000, max: 86_400_000 },
  /** Members that left or went down are remembered so long, so that old news does not revive them. */
  tombstoneMs: { default: 600_000, min: 1_000, max: 86_400_000 },
  /** Who floods or forges is not linked with for so long. Guess, unmeasured. */
  quarantineMs: { default: 300_000, min: 1_000, max: 86_400_000 },
  /** Members in the table, all states. Bounds memory against invented members. */
  membersMax: { default: 16_384, min: 10, max: 16_384 },
  /** Changes of the own neighbour list are announced together. Source: design. */
  announceDelayMs: { default: 1_000, min: 0, max: 10_000 },
  /** When there is much news of members, it goes to each neighbour once in this time. Measured in a join storm. */
  floodDelayMs: { default: 100, min: 0, max: 5_000 },
  /** Neighbours whose fingerprints differ compare digests at most so often. Guess, unmeasured. */
  repairPeriodMs: { default: 1_000, min: 50, max: 60_000 },

  /**
   * Bulk on a link that its other end has not acknowledged: more waits here, behind everything urgent. A path that
   * holds more widens it, up to `windowBytesMax`. Source: measured, SCTP stalls for seconds with more under way.
   */
  windowBytes: { default: 131_072, min: 32_768, max: 16_777_216 },
  windowBytesMax: { default: 4_194_304, min: 32_768, max: 67_108_864 },
  /** Bulk that may wait for one link; what would go above it is dropped and repaired later. */
  queueBytesMax: { default: 16_777_216, min: 65_536, max: 1_073_741_824 },

  /** iHave announcements are sent together. Source: Plumtree, design. */
  iHaveDelayMs: { default: 50, min: 0, max: 5_000 },
  /** While much is said, one iHave a neighbour in this time. Source: 7 lazy links, 250 payloads/s, 0.14 for each. */
  iHavePeriodMs: { default: 200, min: 0, max: 5_000 },
  /** How long a missing payload is waited for from the tree before it is grafted. Guess, unmeasured. */
  graftDelayMs: { default: 100, min: 0, max: 10_000 },
  /** What was asked for and did not come is asked of the next two after this. Source: simulated at 20 % loss. */
  graftRetryMs: { default: 300, min: 10, max: 10_000 },
  /** A gap in a sender's sequence holds what follows so long, then it is shown and skipped. */
  gapMs: { default: 2_000, min: 10, max: 60_000 },
  /** … or until so many messages wait behind it. */
  gapMessagesMax: { default: 256, min: 1, max: 4_096 },
  /** … or until so many bytes do. Bytes. Two of the largest values; guess, unmeasured. */
  gapBytesMax: { default: 16_777_216, min: 65_536, max: 1_073_741_824 },
  /** An origin that was silent for so long may begin with a payload on every link, to find the quickest tree anew. */
  treeIdleMs: { default: 10_000, min: 100, max: 3_600_000 },
  /** … and one that speaks on and on does so once in this time. Guess, unmeasured. */
  treeRefreshMs: { default: 30_000, min: 100, max: 3_600_000 },
  /** Payloads kept to answer grafts: by time and by bytes. */
  payloadKeepMs: { default: 30_000, min: 100, max: 600_000 },
  payloadKeepBytes: { default: 33_554_432, min: 65_536, max: 1_073_741_824 },
  /** Values in all; a `say`, `send` or `set` above it is refused. Bytes. */
  valueBytesMax: { default: 8_388_608, min: 1, max: 8_388_608 },

  /** A direct message is repeated after this until it is acknowledged. Guess, unmeasured. */
  directRetryMs: { default: 1_000, min: 10, max: 60_000 },
  /** Direct messages on their way at once. */
  directMax: { default: 1_024, min: 1, max: 65_536 },
  /**
   * Messages to one member, a second, for long; twice as many at once. What is more waits at its sender, and who sends
   * half as many again is cut off: so it is to be the same with all. Guess: an application that handles more of them,
   * each by itself, knows it. Two that do nothing else were seen to send each other 36,000 in memory.
   */
  directPerSecond: { default: 6_000, min: 10, max: 1_000_000 },
  /** So much sent to one member over others within `demandWindowMs` opens a link with it. Guess, unmeasured. */
  demandBytes: { default: 262_144, min: 1_024, max: 1_073_741_824 },
  demandMessages: { default: 100, min: 2, max: 1_000_000 },
  demandWindowMs: { default: 5_000, min: 100, max: 60_000 },
  /** A link that was opened for traffic is ended after so long without any. Guess, unmeasured. */
  demandIdleMs: { default: 30_000, min: 100, max: 3_600_000 },
  /** Streams that are open at once, and those that one member has opened to us. */
  streamsMax: { default: 256, min: 1, max: 4_096 },
  streamsPerPeerMax: { default: 32, min: 1, max: 4_096 },
  /** On the way of a stream at first: wider brings no more between two tabs. And at most: guess, unmeasured. Bytes. */
  streamWindowBytes: { default: 262_144, min: 32_768, max: 16_777_216 },
  streamWindowBytesMax: { default: 4_194_304, min: 32_768, max: 67_108_864 },
  /** What all streams together may hold for their readers, a small window for each aside. Bytes. */
  streamBytesMax: { default: 67_108_864, min: 65_536, max: 1_073_741_824 },
  /** A stream that nobody here has taken by then is refused. Guess, unmeasured. */
  streamTakeMs: { default: 5_000, min: 10, max: 60_000 },
  /** A stream whose other end was not heard for so long is over. Above the stalls of a busy link. */
  streamSilenceMs: { default: 30_000, min: 1_000, max: 3_600_000 },
  /** Bytes of all state that one owner may hold, keys and values. */
  stateBytesMax: { default: 8_388_608, min: 1_024, max: 67_108_864 },
  /** Keys of one owner. */
  stateKeysMax: { default: 10_000, min: 1, max: 100_000 },
  /** What all members share, in all: keys, without the deleted ones. */
  sharedKeysMax: { default: 4_096, min: 1, max: 65_536 },
  /** … and bytes, keys and values. */
  sharedBytesMax: { default: 8_388_608, min: 1_024, max: 67_108_864 },
} as const satisfies Record<string, Parameter>;

export type Parameters = { readonly [K in keyof typeof PARAMETERS]: number };
export type Config = Required<Identity> & Parameters;

/**
 * Every configuration is a copy of this with other values. So to the engine all are of one kind: thousands of members,
 * each with a kind of its own, would make every look at one slow.
 */
const BLANK: Config = {
  id: "",
  generation: 0,
  clusterHash: 0,
  seed: 0,
  name: "",
  role: "",
  meta: new Uint8Array(0),
  addresses: [],
  slowOfferer: false,
  node: false,
  kinds: [],
  dials: false,
  proofs: "none",
  sealKey: undefined,
  ...(Object.fromEntries(
    Object.entries(PARAMETERS).map(([name, parameter]) => [name, parameter.default]),
  ) as Parameters),
};

/**
 * The whole configuration with its defaults.
 * @throws RangeError naming the parameter, its range and what was given
 */
export function parseConfig(identity: Identity, overrides: Partial<Parameters> = {}): Config {
  const config = Object.assign({ ...BLANK }, identity);
  checkIdentity(config);
  for (const name of Object.keys(overrides)) {
    if (!(name in PARAMETERS)) throw new RangeError(`${name} is no parameter of the core`);
  }
  const parameters: Record<string, number> = {};
  for (const [name, { default: fallback, min, max }] of Object.entries(PARAMETERS)) {
    const value = overrides[name as keyof Parameters] ?? fallback;
    if (!(value >= min && value <= max)) {
      throw new RangeError(`${name} must be from ${min} to ${max}, and is ${value}`);
    }
    parameters[name] = value;
  }
  return Object.assign(config, parameters);
}

function checkIdentity(identity: Config): void {
  if (!isMemberId(identity.id)) throw new RangeError("id must be 32 lower-case hex digits");
  if (!Number.isSafeInteger(identity.generation) || identity.generation < 0) {
    throw new RangeError("generation must be a whole number from 0 up");
  }
  if (!Number.isSafeInteger(identity.seed)) throw new RangeError("seed must be a whole number");
  if (identity.meta.length > META_BYTES_MAX) {
    throw new RangeError(`meta must be at most ${META_BYTES_MAX} bytes`);
  }
  if (identity.name.length > NAME_BYTES_MAX / 4 || identity.role.length > NAME_BYTES_MAX / 4) {
    throw new RangeError(`name and role must be at most ${NAME_BYTES_MAX / 4} characters`);
  }
}
