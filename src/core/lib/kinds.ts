/**
 * The kinds of transport that a member has, as bits of its flags: two that have none in common cannot link. Who names
 * none may have any.
 */

import { hashOfText } from "./hash.ts";

/** Kinds with a bit of their own; those of others share what follows. */
const KNOWN = ["webrtc", "udp"];
const FIRST_BIT = 4;
const OTHER_BITS = 20;

const MASK = (2 ** (KNOWN.length + OTHER_BITS) - 1) * 2 ** FIRST_BIT;

export function bitOf(kind: string): number {
  const known = KNOWN.indexOf(kind);
  const other = Number.parseInt(hashOfText(kind).slice(0, 6), 16) % OTHER_BITS;
  return 2 ** (FIRST_BIT + (known >= 0 ? known : KNOWN.length + other));
}

export function bitsOf(kinds: readonly string[]): number {
  return kinds.reduce((bits, kind) => bits | bitOf(kind), 0);
}

/** The bits of kinds among a member's flags. */
export function kindsIn(flags: number): number {
  return flags & MASK;
}

/** Whether two members, by their flags, can link. */
export function canLink(flags: number, others: number): boolean {
  const [ours, theirs] = [kindsIn(flags), kindsIn(others)];
  return ours === 0 || theirs === 0 || (ours & theirs) !== 0;
}
