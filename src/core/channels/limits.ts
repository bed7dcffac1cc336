/** The bounds and paces of channels: names carry their unit, each says where it comes from. */

export const NAME_BYTES_MAX = 256;
/** Channels that one member publishes in or subscribes to; guess, unmeasured. */
export const CHANNELS_MAX = 1_024;
/** Publishers' lives that are remembered in one channel, members that are there aside; guess, unmeasured. */
export const LOGS_MAX = 1_024;
/** Who publishes sends to so many itself, and each of them to as many others. Source: 1,000 in two steps. */
export const FANOUT = 32;
/** On the way to one at once. Source: a link's own window is 128 KiB at first; guess, unmeasured. */
export const WINDOW_ENTRIES = 128;
export const WINDOW_BYTES = 262_144;
/** Of one message; a larger value goes alone. Source: what a link carries in a turn. */
export const BATCH_BYTES = 32_768;
/** Acknowledged at once after so many, else at the next tick. Guess, unmeasured. */
export const ACK_ENTRIES = 16;
export const ACK_BYTES = 65_536;
/** While anything is open it is looked at so often, ms. Guess, unmeasured. */
export const TICK_MS = 100;
/** What was not acknowledged is sent again after this, then twice as long each time. Above a stall of a busy link. */
export const RETRY_MS = 1_000;
export const RETRY_MS_MAX = 8_000;
/** Who brings nothing on is not waited for any longer by who publishes, ms. */
export const STALLED_MS = 2_000;
/** What is missing and nobody has after so many questions is given up, when its publisher is gone. */
export const QUESTIONS_MAX = 8;
/** What was published is kept for those who miss it: so long, and so much in a channel. As `payloadKeep…` are. */
export const KEEP_MS = 30_000;
export const KEEP_BYTES = 33_554_432;
/** Publishes that wait for their proof or a slow subscriber; beyond, they are refused. Source: `directMax`. */
export const WAITING_MAX = 1_024;
export const WAITING_BYTES = 16_777_216;
/** Subscribers compare what they have with one another: so soon after news, then twice as late each time. */
export const COMPARE_MS = 2_000;
export const COMPARE_MS_MAX = 30_000;
/** Logs that are compared at once, those with the latest news. */
export const COMPARED_MAX = 64;
/** So many who keep the past are asked for it, and waited for so long, ms: then it comes in the order of time. */
export const ASKED_MAX = 3;
export const ASKED_MS = 1_500;
export const HISTORY_MAX = 10_000;
export const HISTORY_MS_MAX = 3_600_000;
