/**
 * What two ends of a WebRTC connection tell each other before it exists, as bytes.
 *
 * A session description is a page of text of which a data channel needs six words. Only these travel: the
 * payload stays small enough for a link or a QR code, and what a stranger sends never reaches the parser of
 * the browser or of a native binding. Text, one line each:
 *
 *     1 offer <mid> <setup> <ufrag> <pwd> <sha-256 fingerprint in hex> <all | more>
 *     <foundation> <priority> <address> <port> <type>
 *
 * Without a description the first line is `1`. `all` says that no further candidates will follow.
 */

export interface Description {
  readonly type: "offer" | "answer";
  readonly mid: string;
  readonly setup: string;
  readonly ufrag: string;
  readonly pwd: string;
  /** SHA-256 of the certificate, 64 lower case hex digits. */
  readonly fingerprint: string;
  /** The candidates that come with it are all there are. */
  readonly complete: boolean;
}

/** An address where an end may be reached by UDP. */
export interface Candidate {
  readonly foundation: string;
  readonly priority: number;
  readonly address: string;
  readonly port: number;
  readonly type: string;
}

export interface Signal {
  readonly description?: Description;
  readonly candidates: readonly Candidate[];
}

export const SIGNAL_BYTES_MAX = 8_192;
export const SIGNAL_CANDIDATES_MAX = 32;

/** Above it a channel of ours never sends; browsers refuse more than this anyhow. */
const MESSAGE_BYTES_MAX = 262_144;
const PRIORITY_MAX = 2 ** 31 - 1;

const DESCRIPTION =
  /^1 (offer|answer) ([\w-]{1,16}) (actpass|active|passive) ([\w+/]{4,256}) ([\w+/]{22,256}) ([0-9a-f]{64}) (all|more)$/;
const CANDIDATE =
  /^([\w+/]{1,32}) (\d{1,10}) ([0-9A-Za-z.:-]{2,64}) (\d{1,5}) (host|srflx|prflx|relay)$/;
/** The same as browsers write it; what follows the type is left out. TCP candidates are of no use to us. */
const CANDIDATE_SDP = /^(?:a=)?candidate:(\S+) 1 udp (\d+) (\S+) (\d+) typ (\S+)/i;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
/** A name that a browser gives to hide a local address. No other names: looking one up tells its owner. */
const MDNS = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local$/i;

export function encodeSignal(signal: Signal): Uint8Array {
  const { description: d } = signal;
  const head = d
    ? `1 ${d.type} ${d.mid} ${d.setup} ${d.ufrag} ${d.pwd} ${d.fingerprint} ${d.complete ? "all" : "more"}`
    : "1";
  const candidates = signal.candidates.slice(0, SIGNAL_CANDIDATES_MAX).map(candidateLine);
  return new TextEncoder().encode([head, ...candidates].join("\n"));
}

/** @returns undefined for anything that {@link encodeSignal} would not have written */
export function decodeSignal(payload: Uint8Array): Signal | undefined {
  if (payload.length > SIGNAL_BYTES_MAX) return undefined;
  const [head = "", ...lines] = new TextDecoder().decode(payload).split("\n");
  if (lines.length > SIGNAL_CANDIDATES_MAX) return undefined;
  const candidates: Candidate[] = [];
  for (const line of lines) {
    const candidate = checkedCandidate(CANDIDATE.exec(line));
    if (candidate === undefined) return undefined;
    candidates.push(candidate);
  }
  if (head === "1") return { candidates };
  const description = decodeDescription(head);
  return description && { description, candidates };
}

function decodeDescription(line: string): Description | undefined {
  const match = DESCRIPTION.exec(line);
  if (match === null) return undefined;
  const [, type, mid = "", setup = "", ufrag = "", pwd = "", fingerprint = "", extent] = match;
  // Who offers leaves the choice of the DTLS role; who answers makes it.
  if ((type === "offer") !== (setup === "actpass")) return undefined;
  const complete = extent === "all";
  return {
    type: type === "offer" ? "offer" : "answer",
    mid,
    setup,
    ufrag,
    pwd,
    fingerprint,
    complete,
  };
}

function checkedCandidate(match: RegExpExecArray | null): Candidate | undefined {
  if (match === null) return undefined;
  const [, foundation = "", priority, address = "", port, type = ""] = match;
  const candidate = { foundation, priority: Number(priority), address, port: Number(port), type };
  const inRange =
    candidate.priority >= 1 &&
    candidate.priority <= PRIORITY_MAX &&
    candidate.port >= 1 &&
    candidate.port <= 65_535;
  return inRange && isAddress(address) ? candidate : undefined;
}

function isAddress(address: string): boolean {
  return IPV4.test(address) || MDNS.test(address) || (address.includes(":") && isIpv6(address));
}

function isIpv6(address: string): boolean {
  try {
    new URL(`http://[${address}]/`);
    return true;
  } catch {
    return false;
  }
}

function candidateLine(candidate: Candidate): string {
  const { foundation, priority, address, port, type } = candidate;
  return `${foundation} ${priority} ${address} ${port} ${type}`;
}

/** Reads what the own connection says about itself. Undefined if it is not a data channel's description. */
export function readDescription(
  type: "offer" | "answer",
  sdp: string,
  complete: boolean,
): Description | undefined {
  const attribute = (name: string): string | undefined =>
    new RegExp(`^a=${name}:(.*?)\\r?$`, "m").exec(sdp)?.[1];
  const fingerprint = attribute("fingerprint")
    ?.replace(/^sha-256 /i, "")
    .replaceAll(":", "")
    .toLowerCase();
  const line = [type, attribute("mid"), attribute("setup"), attribute("ice-ufrag")]
    .concat(attribute("ice-pwd"), fingerprint, complete ? "all" : "more")
    .join(" ");
  return decodeDescription(`1 ${line}`);
}

/** Reads a candidate of the own connection. Undefined for what we have no use for: TCP, odd addresses. */
export function readCandidate(text: string): Candidate | undefined {
  const match = CANDIDATE_SDP.exec(text);
  return match === null ? undefined : checkedCandidate(CANDIDATE.exec(match.slice(1, 6).join(" ")));
}

/** All candidates that stand in a session description. */
export function readCandidates(sdp: string): Candidate[] {
  return sdp.split(/\r?\n/).flatMap((line) => readCandidate(line) ?? []);
}

/** What a browser calls a candidate. */
export function writeCandidate(candidate: Candidate): string {
  const { foundation, priority, address, port, type } = candidate;
  // Firefox refuses the other kinds without a related address; it is used for nothing.
  const related = type === "host" ? "" : " raddr 0.0.0.0 rport 0";
  return `candidate:${foundation} 1 udp ${priority} ${address} ${port} typ ${type}${related}`;
}

/** The session description that `description` stands for. */
export function writeDescription(
  description: Description,
  candidates: readonly Candidate[],
): { readonly type: "offer" | "answer"; readonly sdp: string } {
  const { type, mid, setup, ufrag, pwd, complete } = description;
  const fingerprint = description.fingerprint.toUpperCase().replace(/..(?!$)/g, "$&:");
  const lines = [
    "v=0",
    "o=- 1 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${mid}`,
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    ...candidates.map((candidate) => `a=${writeCandidate(candidate)}`),
    complete ? "a=end-of-candidates" : "a=ice-options:trickle",
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    `a=setup:${setup}`,
    `a=mid:${mid}`,
    "a=sctp-port:5000",
    `a=max-message-size:${MESSAGE_BYTES_MAX}`,
    "",
  ];
  return { type, sdp: lines.join("\r\n") };
}
