/**
 * A member that floods. Two honest members send each other messages, one after another, while a third, which has the
 * secret, sends one of them 10,000 frames a second of one kind: how many answers come in that time beside a calm one,
 * and when it is cut off. All in one process, so that what the flood takes is taken from them.
 *
 *   npm run bench -- flood [--perSecond 10000] [--seconds 6] [--json]
 */

import process from "node:process";
import { parseArgs } from "node:util";
import type { Message } from "../src/core/wire/messages.ts";
import { join, MemoryNetwork, type Mesh, memoryTransport } from "../src/index.node.ts";
import { Intruder } from "../test/support/intruder.ts";
import { print, type Row, rowOf } from "./support/report.ts";

const { values } = parseArgs({
  options: {
    perSecond: { type: "string", default: "10000" },
    seconds: { type: "string", default: "6" },
    json: { type: "boolean" },
  },
});
const PER_SECOND = Number(values.perSecond);
const SECONDS = Number(values.seconds);
/** Messages to one member are borne for longer. */
const SECONDS_OF_DIRECT = 25;
const TICK_MS = 10;
const STRANGER = "ab".repeat(16);

type Make = (intruder: Intruder, n: number) => Message;
const value = new Uint8Array(100);
const fingerprints = { membersHigh: 1, membersLow: 2, stateHigh: 3, stateLow: 4, shared: 5 };
const payloadId = { origin: STRANGER, generation: 1, sequence: 1 };

/** What a member can send by the thousand. */
const FLOODS: Readonly<Record<string, Make>> = {
  ping: (_, n) => ({ type: "ping", sequence: n, echo: 0, mayFreeze: false }),
  ack: (_, n) => ({ type: "ack", sequence: n, mayFreeze: false, fingerprints }),
  members: (intruder) => ({
    type: "members",
    updates: [{ type: "record", record: intruder.record() }],
  }),
  memberDigest: () => ({ type: "memberDigest", count: 1, parts: [0], entries: [], answer: true }),
  memberParts: () => ({ type: "memberParts", hashes: [1, 2] }),
  stateDigest: () => ({ type: "stateDigest", entries: [], count: 1, parts: [0], answer: true }),
  stateParts: () => ({ type: "stateParts", hashes: [1, 2] }),
  stateWant: (_, n) => ({ type: "stateWant", number: n, entries: [] }),
  stateDelta: (intruder, n) =>
    intruder.state({
      type: "stateDelta",
      owner: intruder.id,
      generation: 1,
      ...{ from: n, to: n + 1, last: n + 1, floor: 0 },
      entries: [{ key: "key", version: n + 1, value, lifeMs: 0 }],
    }),
  payload: (intruder, n) =>
    intruder.payload({
      type: "payload",
      id: { origin: intruder.id, generation: 1, sequence: n + 1 },
      ...{ hop: 0, flood: false, name: "flood", value },
    }),
  "a payload without proof": (intruder, n) => ({
    type: "payload",
    id: { origin: intruder.id, generation: 1, sequence: n + 1 },
    ...{ hop: 0, flood: false, name: "flood", value },
  }),
  direct: (_, n) => ({
    type: "local",
    inner: { type: "direct", generation: 1, sequence: n + 1, name: "flood", value },
  }),
  routeSearch: ({ id }, n) => ({
    type: "routeSearch",
    path: [id],
    target: STRANGER,
    number: n,
    hops: 8,
  }),
  iHave: () => ({ type: "iHave", ids: [payloadId] }),
  graft: () => ({ type: "graft", ids: [payloadId], once: true }),
  baselines: () => ({ type: "baselines", ids: [payloadId] }),
  sharedParts: () => ({ type: "sharedParts", clockMs: 1, settled: true, hashes: [1, 2] }),
  sharedWant: () => ({ type: "sharedWant", keys: ["ckey"] }),
  credit: (_, n) => ({ type: "credit", total: n, whole: 0 }),
};

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Messages from one to the other and their acknowledgements, as many as there are in so long; a second. */
async function answersPerSecond(from: Mesh, to: Mesh, ms: number): Promise<number> {
  const end = performance.now() + ms;
  let count = 0;
  while (performance.now() < end) {
    await from.send(to.self.id, "ping", count++);
    // In memory nothing else would have its turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return (count / ms) * 1_000;
}

/** Gives the intruder's frames away, tick by tick, until it is cut off or the time is over. */
async function flood(intruder: Intruder, frames: readonly Uint8Array[]): Promise<void> {
  const perTick = (PER_SECOND * TICK_MS) / 1_000;
  const start = performance.now();
  for (let sent = 0; sent < frames.length && intruder.end.link.state === "open"; ) {
    const due = Math.min(frames.length, ((performance.now() - start) / TICK_MS) * perTick);
    for (; sent < due; sent++) intruder.end.send("reliable", frames[sent] as Uint8Array);
    await wait(TICK_MS);
  }
}

/** @param directPerSecond what two honest members allow each other; undefined: the default */
async function pair(
  network: MemoryNetwork,
  directPerSecond: number | undefined,
): Promise<[Mesh, Mesh]> {
  const options = {
    cluster: "flood",
    secret: "bench",
    transport: () => memoryTransport(network),
    ...(directPerSecond !== undefined && { limits: { directPerSecond } }),
  };
  const [one, other] = [await join(options), await join(options)];
  const invitation = await one.invite();
  await invitation.complete((await other.acceptInvite(invitation.text)).text);
  await one.send(other.self.id, "hello", 1);
  return [one, other];
}

const rows: Row[] = [];
for (const [name, make] of Object.entries(FLOODS)) {
  const network = new MemoryNetwork();
  // Answers are not to be held back by their own bound; but that is what ends a flood of messages to one member.
  const isDirect = name === "direct";
  const seconds = isDirect ? SECONDS_OF_DIRECT : SECONDS;
  const [one, other] = await pair(network, isDirect ? undefined : 1_000_000);
  const intruder = await Intruder.at(one, network);
  const seen = one.once("link:up");
  intruder.end.send("reliable", intruder.frame(intruder.hello()));
  await seen;
  const frames = Array.from({ length: PER_SECOND * seconds }, (_, n) =>
    intruder.frame(make(intruder, n)),
  );
  await answersPerSecond(one, other, 500);
  const calm = await answersPerSecond(one, other, (SECONDS * 1_000) / 2);
  const start = performance.now();
  let cutOffMs = Number.NaN;
  one.on("peer:misbehaved", () => {
    cutOffMs = performance.now() - start;
  });
  const flooding = flood(intruder, frames);
  const busy = await answersPerSecond(one, other, seconds * 1_000);
  await flooding;
  if (process.env["TRACE"])
    console.error(name, Math.round(calm), Math.round(busy), Math.round(cutOffMs));
  if (!isDirect) rows.push(rowOf(`${name}: answers while it floods`, "/s", busy, calm));
  rows.push(rowOf(`${name}: cut off after`, "ms", cutOffMs));
  intruder.end.close();
  await Promise.all([one.leave(), other.leave()]);
}
print("flood", rows, values.json);
process.exit();
