/**
 * Finding members on the local network: DNS service discovery (RFC 6763) by multicast DNS (RFC 6762).
 *
 * The service is `_hearsay._udp.local` with a subtype for each cluster, so that who looks for one hears of no other.
 * Anybody on the network can read and answer that: what is found is dialled, and proves itself as any other. All is
 * bounded, whatever comes.
 */

import { randomBytes } from "node:crypto";
import type { ResponsePacket } from "multicast-dns";
import { ENDPOINTS_MAX, type Endpoint, formatAddress, parseIpEndpoint } from "./address.ts";

const SERVICE = "_hearsay._udp.local";

type Answer = NonNullable<ResponsePacket["answers"]>[number];

/** Looked for at once, then after pauses that double from the one to the other, ms. */
const LOOK_MS = 1_000;
const LOOK_MS_MAX = 60_000;

/** One answer in this time, ms: it goes to all. */
const ANSWER_MS = 500;

/** Members that are told of in a minute. */
const FOUND_MAX = 64;
const FOUND_MS = 60_000;

/** How long others may keep our answer, s. */
const TTL_S = 120;

export interface DiscoveryOptions {
  /** Names the cluster: hex digits. */
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  /** Somebody is there, and has these addresses. May be told again. */
  found(addresses: readonly string[]): void;
}

/** Gives the end of it. Rejects where the optional package multicast-dns is missing, or its port cannot be used. */
export async function discover(options: DiscoveryOptions): Promise<() => void> {
  const { default: multicastDns } = await import("multicast-dns");
  const { found } = options;
  const subtype = `_${options.name}._sub.${SERVICE}`;
  const own = `${randomBytes(8).toString("hex")}.${SERVICE}`;
  const answers = answersOf(subtype, own, options.endpoints);
  const mdns = multicastDns();
  await new Promise<void>((resolve, reject) => {
    mdns.once("ready", resolve);
    mdns.once("error", reject);
  });
  let answeredAt = Number.NEGATIVE_INFINITY;
  let told = { count: 0, since: performance.now() };
  let pauseMs = LOOK_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    mdns.query([{ name: subtype, type: "PTR" }]);
    timer = setTimeout(look, pauseMs * (0.75 + Math.random() / 2));
    pauseMs = Math.min(2 * pauseMs, LOOK_MS_MAX);
  };
  mdns.on("error", () => {});
  mdns.on("query", ({ questions = [] }) => {
    const now = performance.now();
    const isMeant = questions.some(({ name, type }) => name === subtype && type === "PTR");
    if (!isMeant || answers.length === 0 || now - answeredAt < ANSWER_MS) return;
    answeredAt = now;
    mdns.respond({ answers: [...answers] });
  });
  mdns.on("response", ({ answers: said = [], additionals = [] }) => {
    const now = performance.now();
    if (now - told.since >= FOUND_MS) told = { count: 0, since: now };
    for (const addresses of membersIn(subtype, own, [...said, ...additionals])) {
      if (told.count++ < FOUND_MAX) found(addresses);
    }
  });
  look();
  return () => {
    clearTimeout(timer);
    mdns.destroy();
  };
}

function answersOf(subtype: string, own: string, endpoints: readonly Endpoint[]): Answer[] {
  const [first] = endpoints;
  if (first === undefined) return [];
  const [id = ""] = own.split(".");
  const target = `${id}.local`;
  return [
    { name: subtype, type: "PTR", ttl: TTL_S, data: own },
    { name: own, type: "SRV", ttl: TTL_S, data: { port: first.port, target } },
    ...endpoints.map(({ host }): Answer => {
      const type = host.includes(":") ? "AAAA" : "A";
      return { name: target, type, ttl: TTL_S, data: host };
    }),
  ];
}

/** The addresses of each member that an answer names, but for ourselves. */
function membersIn(subtype: string, own: string, answers: readonly Answer[]): string[][] {
  const members: string[][] = [];
  for (const pointer of answers) {
    if (pointer.type !== "PTR" || pointer.name !== subtype || pointer.data === own) continue;
    const service = answers.find((one) => one.type === "SRV" && one.name === pointer.data);
    if (service?.type !== "SRV") continue;
    const { port, target } = service.data;
    const addresses = answers.flatMap((one) => {
      if ((one.type !== "A" && one.type !== "AAAA") || one.name !== target) return [];
      const host = one.type === "AAAA" ? `[${one.data}]` : one.data;
      const endpoint = parseIpEndpoint(`${host}:${port}`);
      return endpoint === undefined ? [] : [formatAddress(endpoint)];
    });
    if (addresses.length > 0) members.push(addresses.slice(0, ENDPOINTS_MAX));
  }
  return members;
}
