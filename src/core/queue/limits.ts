/** The bounds and paces of the work queue: names carry their unit, each says where it comes from. */

import type { QueueLimits } from "./contract.ts";

export const QUEUE_LIMITS: QueueLimits = {
  /** Source: the figure asked for is 10⁵ waiting jobs. */
  channelJobsMax: 131_072,
  /** Source: guess, unmeasured. */
  channelBytesMax: 134_217_728,
  /** Source: guess; larger things belong into a stream or a file, and their name into the job. */
  valueBytesMax: 262_144,
  /** Source: a crash among neighbours is seen in about 4 s; twice that, and a repetition. */
  publishMs: 10_000,
};

/** Channels that one member uses or holds jobs of. Guess, unmeasured. */
export const CHANNELS_MAX = 256;
export const CHANNEL_BYTES_MAX = 128;
export const TEXT_BYTES_MAX = 512;
export const DETAIL_BYTES_MAX = 256;
export const REPLICAS_MAX = 7;
/** Stores that are remembered to have had a job before. Guess, unmeasured. */
export const FORMER_MAX = 16;
export const PRIORITY_MAX = 9;
export const PRIORITY_DEFAULT = 4;
export const WEIGHT_MAX = 16;

/** A message ends where it has so many bytes, or items. Source: frames are 16 KiB, and a batch takes a few. */
export const MESSAGE_BYTES = 32_768;
export const MESSAGE_ITEMS_MAX = 512;
/** Records on their way to one member at once, bytes about and number. Guess, unmeasured. */
export const WINDOW_BYTES = 524_288;
export const WINDOW_ITEMS = 4_096;
/** Batches for the disk at once: one is written while the next fills. Source: group commit. */
export const STORES_AT_ONCE = 2;
export const STORE_JOBS_MAX = 4_096;

/** What was not answered is said again after this, and then after up to `RETRY_MAX_MS`. Guess, unmeasured. */
export const RETRY_MS = 700;
export const RETRY_MAX_MS = 8_000;
/** A consumer's wish is void after this, and the votes for a lease. Above a round trip with stalls; guess. */
export const WANT_MS = 3_000;
export const VOTE_MS = 2_000;
/** Consumers that are told at once that there is work, and how often while it stays. Guess, unmeasured. */
export const POKES_MAX = 8;
export const POKE_MS = 1_000;
/** The share of a lease after which its holder stops. Source: design; the rest is for clocks that drift. */
export const LEASE_SHARE = 0.8;
/** How often what was not answered is looked for, and, while jobs are held, what has to be done by the clock. */
export const TICK_MS = 250;
export const SWEEP_MS = 2_000;
/** How often it is written down that we are there. Guess, unmeasured. */
export const ALIVE_MS = 10_000;
/** A job that stays for so long is put to its stores by others than its publisher, too. */
export const YOUNG_MS = 2_000;
/** A record that is over is shown to its custodian again after so long, which has forgotten it perhaps. */
export const LINGER_MS = 15_000;
/** A job with a key stands as the original for others once it is so old, whatever their ids. */
export const FIRM_MS = 2 * QUEUE_LIMITS.publishMs;
/** A question to the stores is answered by then with what has come. */
export const ASK_MS = 2_000;
export const DRAIN_POLL_MS = 500;
/** Letters in one answer; bytes of their values in it. */
export const LETTERS_MAX = 256;
export const LETTERS_BYTES_MAX = 1_048_576;

/** Jobs that a consumer settles or holds at once. */
export const HELD_MAX = 65_536;
/** How many leases' time a settlement is repeated before it is given up. Guess, unmeasured. */
export const SETTLE_LEASES = 4;

/** Ranges of sequence numbers of one origin that are over, and origins. Beyond, the oldest are forgotten. */
export const RANGES_MAX = 4_096;
export const ORIGINS_MAX = 1_024;
