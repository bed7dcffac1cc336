/**
 * Texts that two people carry by hand to link a newcomer without any server.
 *
 * ```
 * member                                newcomer
 * │ invitation: cluster, key, psk, offer ─▶ │
 * │ ◀─ reply: nonce, key, answer, MAC       │   the MAC under the psk shows that it saw the invitation
 * │ ◀═════════════ link ══════════════▶     │
 * ```
 *
 * The offer and the answer are complete and hold the fingerprints of both ends, so whoever carries the texts
 * unchanged links these two and nobody else. Minutes may pass between the steps. The handshake of the link uses the psk
 * of the invitation, once, in the place of what the cluster shares, and hands that over to the newcomer: so it needs
 * not to know the cluster's secret, and gets links with all others.
 */

import { Reader, Writer } from "../core/lib/bytes.ts";
import {
  bytes,
  type Codec,
  type Infer,
  struct,
  uint8,
  uint32,
  varint,
} from "../core/wire/schema.ts";
import { hmacSha256 } from "../session/crypto.ts";

const VERSION = 1;
const KEY_BYTES = 32;
const NONCE_BYTES = 16;
const PSK_BYTES = 32;
const MAC_BYTES = 32;
const SIGNAL_BYTES_MAX = 16_384;

/** A text longer than this is no invitation and not even looked at, characters. */
const TEXT_LENGTH_MAX = 32_768;

const INVITATION_PREFIX = "hearsay-invitation:";
const REPLY_PREFIX = "hearsay-reply:";

const invitation = struct({
  version: uint8,
  clusterHash: uint32,
  publicKey: bytes(KEY_BYTES),
  nonce: bytes(NONCE_BYTES),
  /** Wall clock of the inviter, ms since 1970. */
  expiresAt: varint,
  psk: bytes(PSK_BYTES),
  offer: bytes(SIGNAL_BYTES_MAX),
});
export type Invitation = Infer<typeof invitation>;

const reply = struct({
  version: uint8,
  clusterHash: uint32,
  /** The invitation that this answers. */
  invitationNonce: bytes(NONCE_BYTES),
  nonce: bytes(NONCE_BYTES),
  publicKey: bytes(KEY_BYTES),
  answer: bytes(SIGNAL_BYTES_MAX),
  mac: bytes(MAC_BYTES),
});
export type Reply = Infer<typeof reply>;

export type InvitationFlaw =
  /** Not such a text, or a damaged one. */
  | "malformed"
  /** Made by another version of the protocol. */
  | "version"
  /** For another cluster. */
  | "cluster"
  /** Too old. */
  | "expired"
  /** The reply was not made from this invitation, or was changed on the way. */
  | "forged";

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly flaw: InvitationFlaw };

export function writeInvitation(fields: Omit<Invitation, "version">): string {
  return INVITATION_PREFIX + toText(invitation, { version: VERSION, ...fields });
}

/** Total: any text gives an invitation or what is wrong with it. */
export function parseInvitation(
  text: string,
  clusterHash: number,
  wallMs: number,
): Parsed<Invitation> {
  const parsed = fromText(invitation, INVITATION_PREFIX, text, clusterHash);
  if (!parsed.ok) return parsed;
  const { publicKey, nonce, psk, expiresAt } = parsed.value;
  if (publicKey.length !== KEY_BYTES || nonce.length !== NONCE_BYTES || psk.length !== PSK_BYTES) {
    return { ok: false, flaw: "malformed" };
  }
  return expiresAt < wallMs ? { ok: false, flaw: "expired" } : parsed;
}

export async function writeReply(
  fields: Omit<Reply, "version" | "mac">,
  psk: Uint8Array,
): Promise<string> {
  const unsigned: Reply = { version: VERSION, ...fields, mac: new Uint8Array(0) };
  return REPLY_PREFIX + toText(reply, { ...unsigned, mac: await macOf(unsigned, psk) });
}

/** Total. `held` is the invitation that the reply must answer. */
export async function parseReply(
  text: string,
  held: { readonly clusterHash: number; readonly nonce: Uint8Array; readonly psk: Uint8Array },
): Promise<Parsed<Reply>> {
  const parsed = fromText(reply, REPLY_PREFIX, text, held.clusterHash);
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  const genuine =
    value.publicKey.length === KEY_BYTES &&
    equal(value.invitationNonce, held.nonce) &&
    equal(value.mac, await macOf({ ...value, mac: new Uint8Array(0) }, held.psk));
  return genuine ? parsed : { ok: false, flaw: "forged" };
}

function macOf(unsigned: Reply, psk: Uint8Array): Promise<Uint8Array> {
  return hmacSha256(psk, toBytes(reply, unsigned));
}

function toBytes<T>(codec: Codec<T>, value: T): Uint8Array {
  const w = new Writer();
  codec.write(w, value);
  return w.take();
}

function toText<T>(codec: Codec<T>, value: T): string {
  const binary = String.fromCharCode(...toBytes(codec, value));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromText<T extends { readonly version: number; readonly clusterHash: number }>(
  codec: Codec<T>,
  prefix: string,
  text: string,
  clusterHash: number,
): Parsed<T> {
  const packed = text.trim();
  if (packed.length > TEXT_LENGTH_MAX || !packed.startsWith(prefix)) {
    return { ok: false, flaw: "malformed" };
  }
  const base64 = packed.slice(prefix.length).replaceAll("-", "+").replaceAll("_", "/");
  if (!/^[A-Za-z0-9+/]+$/.test(base64) || base64.length % 4 === 1) {
    return { ok: false, flaw: "malformed" };
  }
  const r = new Reader(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
  const value = codec.read(r);
  if (value.version !== VERSION) return { ok: false, flaw: "version" };
  if (r.failed || r.remaining > 0) return { ok: false, flaw: "malformed" };
  return value.clusterHash === clusterHash ? { ok: true, value } : { ok: false, flaw: "cluster" };
}

/** In a time that does not tell where two MACs differ. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
