/**
 * The messages between a member and the signaling server, and their parsers, shared by both.
 *
 * One WebSocket per member and cluster, at `ws(s)://host[:port]/CLUSTER`. Text frames are JSON control
 * messages; binary frames are relayed packets, which the server never looks into:
 *
 * ```
 * member → server   { type: "hello", protocol: 1, id, island? }      first frame, exactly once
 * server → member   { type: "welcome", peers: [id…], iceServers? }   up to 8 introducers, rotated
 * member → server   binary: 16-byte id of the receiver + packet      relayed, or answered by "gone"
 * server → member   binary: 16-byte id of the sender + packet
 * server → member   { type: "gone", id }                             that member is not here
 * member → server   { type: "island", id }                           the lowest live id it knows
 * server → member   { type: "introduce", peers: [id…] }              islands differ: please meet
 * server → member   { type: "ping", iceServers? }                    every 30 s, and with new credentials
 * member → server   { type: "pong" }                                 at once, from the message handler
 * ```
 *
 * `iceServers` are STUN and TURN servers, those of the last message count. A server that asks for tokens finds one in
 * the URL's query, `?token=…`.
 *
 * The ping is a message and not WebSocket's own, because a page never sees those: this one exchange tells the
 * server that the page runs, and the page that the server lives.
 *
 * Whatever breaks these rules ends the connection with one of the close codes below. Fields that are not
 * listed are ignored, so that they can be added; a message whose meaning changes raises the protocol number.
 * The parsers are total: they never throw, and say why they refuse.
 */

import { ID_BYTES, idFromBytes, idToBytes, isMemberId } from "../core/lib/ids.ts";

/** Raised when a message changes its meaning; a different one is refused with `version`. */
export const SIGNALING_PROTOCOL = 1;

/** A relayed packet: an SDP description with its envelope fits several times. Bytes. */
export const SIGNALING_PACKET_BYTES_MAX = 65_536;

/** A relayed packet with the id before it. Bytes. */
export const SIGNALING_FRAME_BYTES_MAX = ID_BYTES + SIGNALING_PACKET_BYTES_MAX;

/** A control message, in UTF-16 units: eight ids fit ten times. */
export const SIGNALING_TEXT_LENGTH_MAX = 4_096;

/** Peers named by one `welcome` or `introduce`. */
export const SIGNALING_PEERS_MAX = 8;

/** ICE servers named at once, URLs of each, and characters of each part: all of them fit a control message. */
export const ICE_SERVERS_MAX = 4;
const ICE_URLS_MAX = 4;
const ICE_TEXT_LENGTH_MAX = 200;

/** A cluster's name, decoded, in UTF-16 units. */
export const CLUSTER_NAME_LENGTH_MAX = 128;

/** Every member gets a message at least this often; twice that without an answer and it is cut off. Milliseconds. */
export const SIGNALING_PING_MS = 30_000;

/** How much may come at once (`burst`) and in the long run (`perSecond`). */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What one member may send; more is a flood. Bytes count relayed packets with their id. */
export const SIGNALING_MESSAGE_RATE: Rate = { perSecond: 20, burst: 100 };
export const SIGNALING_BYTE_RATE: Rate = { perSecond: 131_072, burst: 524_288 };

/** WebSocket close codes of the server (4000–4999 are the application's). */
export const CloseCode = {
  /** The server stops; come back later. The standard code. */
  goingAway: 1001,
  /** Not one of the messages above, or out of order. */
  malformed: 4400,
  /** No token, or not one for this cluster and this moment. */
  unauthorized: 4401,
  /** Another protocol version. */
  version: 4406,
  /** No hello in time, no answer to a ping, or too slow to read what it is sent. */
  timeout: 4408,
  /** The same id said hello on a newer socket: this one is superseded. */
  replaced: 4409,
  /** A message over the size limit. */
  tooLarge: 4413,
  /** More than the rates above. */
  flood: 4429,
  /** The room, or the server, is full. */
  full: 4503,
} as const;

export type ClientMessage =
  | { readonly type: "hello"; readonly id: string; readonly island?: string }
  | { readonly type: "island"; readonly id: string }
  | { readonly type: "pong" };

/** A STUN or TURN server, as `RTCPeerConnection` takes it. */
export interface IceServer {
  readonly urls: string | string[];
  readonly username?: string;
  readonly credential?: string;
}

interface WithIce {
  readonly iceServers?: readonly IceServer[];
}

export type ServerMessage =
  | ({ readonly type: "welcome"; readonly peers: readonly string[] } & WithIce)
  | { readonly type: "introduce"; readonly peers: readonly string[] }
  | { readonly type: "gone"; readonly id: string }
  | ({ readonly type: "ping" } & WithIce);

/** A packet and the member at its other end: the receiver on the way up, the sender on the way down. */
export interface Relay {
  readonly id: string;
  /** A view into the frame. */
  readonly packet: Uint8Array;
}

/** Why a connection ends, as WebSocket says it: the reason stays below its 123 bytes. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

const value = <T>(value: T): Parsed<T> => ({ ok: true, value });
const refuse = (code: number, reason: string): Parsed<never> => ({
  ok: false,
  refusal: { code, reason },
});
const malformed = (reason: string): Parsed<never> => refuse(CloseCode.malformed, reason);

/** The text of a control message. A member says its protocol in `hello` only. */
export function encodeMessage(message: ClientMessage | ServerMessage): string {
  return JSON.stringify(
    message.type === "hello" ? { ...message, protocol: SIGNALING_PROTOCOL } : message,
  );
}

/** What a member sent. A `hello` of another protocol is refused with {@link CloseCode.version}, whatever else it says. */
export function parseClientMessage(text: string): Parsed<ClientMessage> {
  const parsed = parseObject(text);
  if (!parsed.ok) return parsed;
  const { type, protocol, id, island } = parsed.value;
  switch (type) {
    case "hello":
      if (protocol !== SIGNALING_PROTOCOL) {
        const remedy = `this server speaks signaling protocol ${SIGNALING_PROTOCOL}: update the older side`;
        return refuse(CloseCode.version, remedy);
      }
      if (!isMemberId(id)) return malformed("hello needs an id of 32 lower-case hex digits");
      if (island === undefined) return value({ type, id });
      if (!isMemberId(island)) return malformed("hello has an island that is no member id");
      return value({ type, id, island });
    case "island":
      return isMemberId(id) ? value({ type, id }) : malformed("island needs a member id");
    case "pong":
      return value({ type });
    default:
      return malformed("unknown message type");
  }
}

/** What the server sent. */
export function parseServerMessage(text: string): Parsed<ServerMessage> {
  const parsed = parseObject(text);
  if (!parsed.ok) return parsed;
  const { type, peers, id, iceServers } = parsed.value;
  switch (type) {
    case "welcome":
    case "introduce":
      if (!isPeerList(peers)) {
        return malformed(`${type} needs up to ${SIGNALING_PEERS_MAX} different member ids`);
      }
      return type === "welcome" ? withIce({ type, peers }, iceServers) : value({ type, peers });
    case "gone":
      return isMemberId(id) ? value({ type, id }) : malformed("gone needs a member id");
    case "ping":
      return withIce({ type }, iceServers);
    default:
      return malformed("unknown message type");
  }
}

/** The binary frame that carries `packet` to or from `id`. */
export function encodeRelay(id: string, packet: Uint8Array): Parsed<Uint8Array<ArrayBuffer>> {
  if (!isMemberId(id)) return malformed("a packet goes to a member id");
  const size = checkPacketSize(packet.length);
  if (!size.ok) return size;
  const frame = new Uint8Array(ID_BYTES + packet.length);
  idToBytes(id, frame);
  frame.set(packet, ID_BYTES);
  return value(frame);
}

/** The parts of a binary frame. The packet is a view, not a copy. */
export function parseRelay(frame: Uint8Array): Parsed<Relay> {
  const size = checkPacketSize(frame.length - ID_BYTES);
  if (!size.ok) return size;
  return value({ id: idFromBytes(frame), packet: frame.subarray(ID_BYTES) });
}

/** The cluster in the path of a URL (`/demo`, percent-encoded), the same for both ends. */
export function parseClusterPath(path: string): Parsed<string> {
  if (!/^\/[^/]+$/.test(path)) return malformed("the path is /CLUSTER: one name, such as /demo");
  let name: string;
  try {
    name = decodeURIComponent(path.slice(1));
  } catch {
    return malformed("the cluster's name is not valid percent-encoding");
  }
  if (name.length > CLUSTER_NAME_LENGTH_MAX) {
    return malformed(`the cluster's name is over ${CLUSTER_NAME_LENGTH_MAX} characters`);
  }
  return /\p{Cc}/u.test(name)
    ? malformed("the cluster's name has control characters")
    : value(name);
}

/**
 * Takes `cost` from a budget: a token bucket whose whole state is one number, the time at which it is full again.
 * Starts at 0, full.
 *
 * @returns the next state, or `undefined` if the budget does not allow it; then the state stays as it was.
 */
export function spend(fullAt: number, nowMs: number, rate: Rate, cost = 1): number | undefined {
  const next = Math.max(fullAt, nowMs) + (cost * 1_000) / rate.perSecond;
  return next - nowMs > (rate.burst * 1_000) / rate.perSecond ? undefined : next;
}

type FieldName = "type" | "protocol" | "id" | "island" | "peers" | "iceServers";
type Fields = { readonly [name in FieldName]?: unknown };

function parseObject(text: string): Parsed<Fields> {
  if (text.length > SIGNALING_TEXT_LENGTH_MAX) {
    const limit = `a control message has at most ${SIGNALING_TEXT_LENGTH_MAX} characters`;
    return refuse(CloseCode.tooLarge, limit);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return malformed("not JSON");
  }
  return typeof json === "object" && json !== null ? value(json) : malformed("not a JSON object");
}

function isPeerList(list: unknown): list is string[] {
  return (
    Array.isArray(list) &&
    list.length <= SIGNALING_PEERS_MAX &&
    list.every(isMemberId) &&
    new Set(list).size === list.length
  );
}

function withIce<T extends object>(message: T, list: unknown): Parsed<T & WithIce> {
  if (list === undefined) return value(message);
  const servers = Array.isArray(list) && list.length <= ICE_SERVERS_MAX ? list.map(iceServer) : [];
  return servers.includes(undefined) || !Array.isArray(list) || servers.length < list.length
    ? malformed(`iceServers are up to ${ICE_SERVERS_MAX} STUN or TURN servers`)
    : value({ ...message, iceServers: servers as IceServer[] });
}

/** One wrong URL would keep every connection from being made, so each is looked at. */
const ICE_URL =
  /^(?:stuns?|(turns?)):(?:[\w.-]+|\[[\da-f:.]+\])(?::(\d{1,5}))?(\?transport=(?:udp|tcp))?$/i;

function iceServer(given: unknown): IceServer | undefined {
  const { urls, username, credential } = Object(given) as { readonly [name: string]: unknown };
  const list: unknown = typeof urls === "string" ? [urls] : urls;
  if (!Array.isArray(list) || list.length < 1 || list.length > ICE_URLS_MAX) return undefined;
  const texts = [...list, username ?? "", credential ?? ""];
  if (!texts.every((it) => typeof it === "string" && it.length <= ICE_TEXT_LENGTH_MAX)) {
    return undefined;
  }
  for (const url of list) {
    const [found, turn, port = "1", transport] = ICE_URL.exec(url) ?? [];
    if (found === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
    if (turn === undefined ? transport !== undefined : !(username && credential)) return undefined;
  }
  if (username === undefined && credential === undefined) return { urls: list };
  return { urls: list, username: String(username ?? ""), credential: String(credential ?? "") };
}

function checkPacketSize(bytes: number): Parsed<number> {
  if (bytes < 1) return malformed("a binary frame is an id of 16 bytes and a packet");
  return bytes > SIGNALING_PACKET_BYTES_MAX
    ? refuse(CloseCode.tooLarge, `a packet has at most ${SIGNALING_PACKET_BYTES_MAX} bytes`)
    : value(bytes);
}
