/**
 * The contract of the core: a pure state machine. `step(input, now) → effects`, run to completion;
 * `deadline` says when the next `deadline` input is due and is re-read after every step.
 *
 * `now` is milliseconds on a monotonic clock. All randomness comes from the seed in the configuration.
 * The same seed, configuration and sequence of (input, now) give the same effects, on every engine:
 * a recorded log of inputs replays.
 */

import type { MemberId } from "./lib/ids.ts";
import type { MakePart, PartChange, PartName, StoreProblem } from "./part.ts";

export type { MemberId };

/** In order; without order, each frame for itself; and lossy. */
export type Lane = "reliable" | "unordered" | "datagram";

/** Names a link between the driver and the core; chosen by the driver, never reused. */
export type LinkId = number;

/** Names an attempt at a link between the driver and the core; chosen by the core. */
export type AttemptId = number;

/** Names a seed (a signaling server) between the driver and the core; chosen by the driver. */
export type SeedId = number;

export interface Machine {
  /** Performs one input to its end. `now` never goes back. */
  step(input: Input, now: number): readonly Effect[];
  /** When the next `deadline` input is due, in ms on the clock of `now`; Infinity when idle. */
  readonly deadline: number;
}

/** What the driver tells the core. */
export type Input =
  /** A frame came in on a link. */
  | {
      readonly type: "packet";
      readonly link: LinkId;
      readonly lane: Lane;
      readonly bytes: Uint8Array;
    }
  /** A link can carry frames. `attempt` is absent when the other end came by itself (invitation, socket). */
  | {
      readonly type: "linkUp";
      readonly link: LinkId;
      readonly attempt: AttemptId | undefined;
      readonly transport: string;
      /** Whom the other end has proven to be. */
      readonly peer: MemberId;
    }
  /** A link ended, whoever ended it. */
  | { readonly type: "linkDown"; readonly link: LinkId; readonly reason: string }
  /** An attempt is over without a link. */
  | { readonly type: "connectFailed"; readonly attempt: AttemptId; readonly reason: string }
  /** `bytes` of all lanes but datagrams have left the link's buffer since the last report. */
  | { readonly type: "writable"; readonly link: LinkId; readonly bytes: number }
  /** The transport has signalling for the other end of an attempt. */
  | { readonly type: "signal"; readonly attempt: AttemptId; readonly payload: Uint8Array }
  /** A seed is reachable, and introduces these members; also when it introduces more. */
  | {
      readonly type: "seedUp";
      readonly seed: SeedId;
      readonly introduced: readonly MemberId[];
      /** Whether it may reach members that it has not introduced. */
      readonly knowsAll: boolean;
    }
  /** A packet that a member sent through a seed. */
  | {
      readonly type: "seedPacket";
      readonly seed: SeedId;
      readonly from: MemberId;
      readonly bytes: Uint8Array;
    }
  /** The seed has no such member. */
  | { readonly type: "seedGone"; readonly seed: SeedId; readonly id: MemberId }
  | { readonly type: "seedDown"; readonly seed: SeedId }
  /** The time of `deadline` has come. A late one is a normal input. */
  | { readonly type: "deadline" }
  /** The host stood still for `gapMs` (sleep, freeze): what was in flight says nothing. Ends an announced sleep. */
  | { readonly type: "resumed"; readonly gapMs: number }
  /** The network is back, or is another one: attempts that failed before say nothing. */
  | { readonly type: "online" }
  /** The time of day: at the start, and when the host's clock was set. Ms since 1970. */
  | { readonly type: "clock"; readonly wallMs: number }
  /** What was kept of the shared configuration by `keep` in a former life. */
  | { readonly type: "restored"; readonly entries: readonly Uint8Array[] }
  /** What a `sign` effect asked for, in its order. */
  | { readonly type: "signed"; readonly ticket: number; readonly proofs: readonly Uint8Array[] }
  /**
   * Which claims of a `verify` effect are true, in its order. Undefined: not looked at, since their maker asks for more
   * checks than can be borne.
   */
  | {
      readonly type: "verified";
      readonly ticket: number;
      readonly good: readonly (boolean | undefined)[];
    }
  /** This member has this part from now on. */
  | { readonly type: "attach"; readonly part: PartName; readonly make: MakePart }
  /** What a `store` effect asked for is on the disk, or not. */
  | {
      readonly type: "stored";
      readonly ticket: number;
      readonly problem?: StoreProblem | undefined;
    }
  | { readonly type: "command"; readonly command: Command };

/** Somebody is said to have made this. */
export interface Claimed {
  readonly by: MemberId;
  readonly content: Uint8Array;
  readonly proof: Uint8Array;
  /** It is news by itself, and no answer to a question: of such things only so many are checked. */
  readonly unasked?: true;
}

/** What the application asks for. Values are opaque bytes here. */
export type Command =
  /**
   * To everybody. `id` comes back in `said` once the neighbours' links have taken it. Who comes within `forMs` hears it
   * too, which may be refused (`writeRefused`).
   */
  | {
      readonly type: "say";
      readonly id: number;
      readonly name: string;
      readonly value: Uint8Array;
      readonly forMs?: number;
    }
  /** To one member; ends in `sent` or `sendFailed` with the same `id`. */
  | {
      readonly type: "send";
      readonly id: number;
      readonly to: MemberId;
      readonly name: string;
      readonly value: Uint8Array;
      readonly timeoutMs: number;
    }
  /** For `lifeMs`, or until it is set again. `log`: so many changes are kept, and everybody gets all of them. */
  | {
      readonly type: "set";
      readonly key: string;
      readonly value: Uint8Array;
      readonly lifeMs?: number;
      readonly log?: number;
    }
  /** Sets all own values anew, each for what is left of its life. */
  | { readonly type: "repeat" }
  | { readonly type: "delete"; readonly key: string }
  /** A key of the configuration that all share; undefined `value` deletes it. */
  | {
      readonly type: "share";
      readonly key: string;
      readonly value: Uint8Array | undefined;
    }
  /**
   * Opens a stream to one member. The application numbers them, always higher. Ends in `closed`; what happens meanwhile
   * is told by `stream` events.
   */
  | {
      readonly type: "streamOpen";
      readonly id: number;
      readonly to: MemberId;
      readonly name: string;
    }
  /** Takes a stream that was offered. */
  | { readonly type: "streamTake"; readonly id: number }
  /** Not beyond `writableTo` by more than 64 KiB. */
  | { readonly type: "streamWrite"; readonly id: number; readonly bytes: Uint8Array }
  /** Nothing more will be written. */
  | { readonly type: "streamEnd"; readonly id: number }
  /** So many bytes more were read: the other end may send as many. */
  | { readonly type: "streamRead"; readonly id: number; readonly count: number }
  /** Ends it both ways; the other end is told why. No `closed` follows. */
  | { readonly type: "streamAbort"; readonly id: number; readonly message: string }
  /** Replaces what the member says about itself. */
  | { readonly type: "describe"; readonly about: Partial<About & Pick<MemberView, "addresses">> }
  /** For a part, by the part's own commands. */
  | { readonly type: "part"; readonly part: PartName; readonly command: unknown }
  /** Compares now, with every neighbour, what both know. */
  | { readonly type: "sync" }
  /** The host may stop this member from now on without a word (a hidden page), or not. */
  | { readonly type: "mayFreeze"; readonly value: boolean }
  /** The host is about to stop this member (freeze, suspend): tells all that it is asleep until `resumed` comes. */
  | { readonly type: "sleep" }
  /** Says good-bye on every link and stops. */
  | { readonly type: "leave" };

/** What a member says about itself. */
export interface About {
  readonly name: string;
  readonly role: string;
  /** Opaque bytes, ≤ 1 KiB. */
  readonly meta: Uint8Array;
}

/** What the core asks the driver to do, in this order. */
export type Effect =
  | {
      readonly type: "send";
      readonly link: LinkId;
      readonly lane: Lane;
      readonly bytes: Uint8Array;
    }
  | {
      readonly type: "sendSeed";
      readonly seed: SeedId;
      readonly to: MemberId;
      readonly bytes: Uint8Array;
    }
  /** The lowest live id this member knows changed: seeds merge islands by it. */
  | { readonly type: "island"; readonly id: MemberId }
  /** Begin an attempt; ends in `linkUp` or `connectFailed`. */
  | {
      readonly type: "connect";
      readonly attempt: AttemptId;
      readonly peer: MemberId;
      readonly initiator: boolean;
      /** The kind of transport to use; undefined: any, for an end does not say what it has. */
      readonly transport: string | undefined;
    }
  /** Begin a link with a member that may be there, without any attempt; a failure is not told. */
  | { readonly type: "dial"; readonly peer: MemberId; readonly addresses: readonly string[] }
  /** Signalling from the other end of an attempt. */
  | { readonly type: "signal"; readonly attempt: AttemptId; readonly payload: Uint8Array }
  /** Give the attempt up; no `connectFailed` follows. */
  | { readonly type: "abandon"; readonly attempt: AttemptId }
  /** End the link; a `linkDown` may follow and changes nothing. */
  | { readonly type: "disconnect"; readonly link: LinkId; readonly reason: string }
  /**
   * Keep this of the shared configuration over the end of this life, where there is a store; undefined: it need not be
   * kept any more.
   */
  | { readonly type: "keep"; readonly key: string; readonly entry: Uint8Array | undefined }
  /**
   * Prove that we have made each of these: answered by `signed`. `apart`: they will travel alone, so each proof is as
   * short as can be; otherwise one signature may stand for all.
   */
  | {
      readonly type: "sign";
      readonly ticket: number;
      readonly contents: readonly Uint8Array[];
      readonly apart: boolean;
    }
  /** Write this, all or nothing, after what was asked for before: answered by `stored` once the disk has it. */
  | {
      readonly type: "store";
      readonly ticket: number;
      readonly part: PartName;
      readonly changes: readonly PartChange[];
    }
  /** Check who made these: answered by `verified`. */
  | { readonly type: "verify"; readonly ticket: number; readonly claims: readonly Claimed[] }
  | { readonly type: "emit"; readonly event: MeshEvent };

/** A member as events and `Core.members()` show it. */
export interface MemberView extends About {
  readonly id: MemberId;
  readonly generation: number;
  readonly state: "alive" | "suspect" | "asleep" | "down" | "left";
  readonly node: boolean;
  readonly addresses: readonly string[];
  /** Whom it announces links with. */
  readonly neighbours: readonly MemberId[];
}

/**
 * How a stream ended: both ways, with all that was written; by the other end, which may say why; untaken; for want of
 * room; or because the other end is gone, or not to be heard.
 */
export type StreamOutcome = "done" | "aborted" | "refused" | "full" | "gone";

/** What happens to a stream. */
export type StreamEvent =
  /** Another member has opened it: take or abort it. Its id is below zero. */
  | {
      readonly what: "offered";
      readonly from: MemberId;
      readonly name: string;
      readonly writableTo: number;
    }
  /** The other end has taken it. */
  | { readonly what: "taken" }
  | { readonly what: "data"; readonly bytes: Uint8Array }
  /** The other end has written all; so has it been told here. */
  | { readonly what: "ended" }
  /** `writableTo`: how much may be written in all by now. `done`: the other end has it all, and its end. */
  | {
      readonly what: "progress";
      readonly sentBytes: number;
      readonly acknowledgedBytes: number;
      readonly writableTo: number;
      readonly done: boolean;
    }
  | { readonly what: "closed"; readonly outcome: StreamOutcome; readonly message: string };

/** What the core tells the application. */
export type MeshEvent =
  /**
   * A member became known (`join`), is alive again or was restarted (`up`), may be gone (`suspect`), was stopped by
   * its host and may come back (`asleep`), is gone (`down`), said good-bye (`leave`), or says something else of itself
   * (`update`). Once per transition.
   */
  | {
      readonly type: "member";
      readonly kind: "join" | "up" | "suspect" | "asleep" | "down" | "leave" | "update";
      readonly member: MemberView;
    }
  /** A member that ended long ago was forgotten. */
  | { readonly type: "forgotten"; readonly id: MemberId }
  | { readonly type: "linkUp"; readonly peer: MemberId; readonly transport: string }
  | { readonly type: "linkDown"; readonly peer: MemberId; readonly reason: string }
  /** An attempt at a link with `peer` ended without one; it is tried again later. */
  | { readonly type: "linkFailed"; readonly peer: MemberId; readonly reason: string }
  /** A member that a seed had introduced, or that we knew from before, is not to be found now. */
  | { readonly type: "notFound"; readonly peer: MemberId }
  /**
   * Said to all (`direct` false) or sent to us. `late`: said before we came, or while we were cut off; it is to be
   * heard within so many ms.
   */
  | {
      readonly type: "heard";
      readonly from: MemberId;
      readonly name: string;
      readonly value: Uint8Array;
      readonly direct: boolean;
      readonly late?: number;
    }
  /** Messages `first` … `last` of this sender did not come and will not. */
  | {
      readonly type: "gap";
      readonly from: MemberId;
      readonly first: number;
      readonly last: number;
    }
  /**
   * A key of a member's state; undefined `value`: deleted, or `expired`: that one of ours too. `log`: its changes are
   * all kept; this one's number, and how many before it were missed and will not come.
   */
  | {
      readonly type: "state";
      readonly owner: MemberId;
      readonly key: string;
      readonly value: Uint8Array | undefined;
      readonly expired?: true;
      readonly log?: { readonly number: number; readonly missed: number };
    }
  /** A key of the shared configuration; undefined `value`: deleted. Also when we wrote it ourselves. */
  | {
      readonly type: "shared";
      readonly key: string;
      readonly value: Uint8Array | undefined;
      readonly writer: MemberId;
      /** When it was written, ms since 1970. */
      readonly atMs: number;
    }
  | ({ readonly type: "stream"; readonly id: number } & StreamEvent)
  /** By the part's own events. */
  | { readonly type: "part"; readonly part: PartName; readonly event: unknown }
  /** A write of ours did not fit the limits of the state, or is more than others bear (`links/conduct.ts`). */
  | {
      readonly type: "writeRefused";
      readonly key: string;
      readonly why: "full" | "too-fast";
    }
  | { readonly type: "said"; readonly id: number }
  | { readonly type: "sent"; readonly id: number }
  | {
      readonly type: "sendFailed";
      readonly id: number;
      readonly reason: "unreachable" | "overloaded" | "gone";
    }
  /**
   * A link was refused at its greeting: another cluster, another version of the protocol, another's name, or only one
   * end wants all to be proven.
   */
  | {
      readonly type: "refused";
      readonly reason: "version" | "cluster" | "malformed" | "identity" | "signatures";
    }
  /** A member has flooded us, or brought what is forged or means nothing: for a while it gets no link with us. */
  | {
      readonly type: "misbehaved";
      readonly peer: MemberId;
      readonly what: "flood" | "malformed" | "forged";
    }
  /** No link is left, or the first one is back. */
  | { readonly type: "isolated" }
  | { readonly type: "connected" }
  /** Another process uses our identity: this member has stopped. */
  | { readonly type: "identityTaken" }
  /** The good-byes are on their way. */
  | { readonly type: "left" };
