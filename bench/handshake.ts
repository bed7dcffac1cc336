/**
 * What a session costs: the set-up of a link with its handshake beside the bare one's, handshakes beside their raw
 * operations by `node:crypto`, and the seal of a frame beside the bare cipher.
 *
 *   npm run bench -- handshake [--rounds 20] [--json]
 */

import {
  createCipheriv,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import process from "node:process";
import { parseArgs } from "node:util";
import { Greeting } from "../src/session/greeting.ts";
import { hashOfCluster, keyPair } from "../src/session/identity.ts";
import { primitives as noble } from "../src/session/primitives.noble.ts";
import { primitives as node } from "../src/session/primitives.node.ts";
import type { Primitives } from "../src/session/primitives.ts";
import { Sealer } from "../src/session/sealing.ts";
import { secured } from "../src/session/secured.ts";
import { makeSession, type Session } from "../src/session/session.ts";
import { LinkEnd } from "../src/testing/link-end.ts";
import { MemoryNetwork, memoryTransport } from "../src/transport/memory.ts";
import type { Transport } from "../src/transport/transport.ts";
import { udpTransport } from "../src/transport/udp/udp.ts";
import { webrtcTransport } from "../src/transport/webrtc.ts";
import { loadWrtc } from "../src/transport/wrtc.node.ts";
import { median, print, type Row, rowOf } from "./support/report.ts";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, json: { type: "boolean", default: false } },
});
const rounds = Number(options.rounds);

async function sessionBy(primitives: Primitives): Promise<Session> {
  const [keys, clusterHash] = await Promise.all([keyPair(), hashOfCluster("bench")]);
  return await makeSession({ keys, cluster: "bench", clusterHash, primitives });
}

const sessions = await Promise.all([sessionBy(node), sessionBy(node)]);

/** From the first call until both ends are open, ms. */
async function setUp(near: Transport, far: Transport): Promise<number> {
  const startedAt = performance.now();
  const ends = [new LinkEnd(near, { initiator: true }), new LinkEnd(far, { initiator: false })];
  const [one, other] = ends as [LinkEnd, LinkEnd];
  one.onSignal = (payload) => queueMicrotask(() => other.signal(payload));
  other.onSignal = (payload) => queueMicrotask(() => one.signal(payload));
  await Promise.all(ends.map((end) => end.opened()));
  const ms = performance.now() - startedAt;
  one.close();
  await Promise.all(ends.map((end) => end.closed()));
  return ms;
}

async function setUpRow(kind: string, make: () => Transport): Promise<Row> {
  const [near, far] = [make(), make()];
  const [nearSession, farSession] = sessions as [Session, Session];
  const [ours, beside]: [number[], number[]] = [[], []];
  for (let i = 0; i < rounds; i++) {
    beside.push(await setUp(near, far));
    ours.push(await setUp(secured(near, nearSession), secured(far, farSession)));
  }
  for (const transport of [near, far]) transport.close();
  return rowOf(
    `a link over ${kind}, both ends in this process`,
    "ms",
    median(ours),
    median(beside),
  );
}

/** Both ends of it. */
async function handshake(one: Session, other: Session): Promise<void> {
  const binding = new Uint8Array(64);
  const initiator = new Greeting(one, { initiator: true, binding });
  const responder = new Greeting(other, { initiator: false, binding });
  const answer = await responder.take(initiator.begin());
  if (answer.type !== "answer") throw new Error(answer.type);
  const last = await initiator.take(answer.frame);
  if (last.type !== "proven" || last.frame === undefined) throw new Error(last.type);
  const done = await responder.take(last.frame);
  if (done.type !== "proven") throw new Error(done.type);
}

/** What no handshake of this kind can do without: two new keys, six shared secrets, two signatures looked at. */
function rawOperations(): () => void {
  const make = () => generateKeyPairSync("x25519");
  const [a, b] = [make(), make()];
  const identity = generateKeyPairSync("ed25519");
  const data = randomBytes(64);
  const signature = sign(null, data, identity.privateKey);
  return () => {
    make();
    make();
    for (let i = 0; i < 6; i++) {
      diffieHellman({ privateKey: a.privateKey, publicKey: b.publicKey });
    }
    verify(null, data, identity.publicKey, signature);
    verify(null, data, identity.publicKey, signature);
  };
}

/** How often `act` goes into a second. */
async function perSecond(count: number, act: () => unknown): Promise<number> {
  for (let i = 0; i < count / 10; i++) await act();
  const startedAt = performance.now();
  for (let i = 0; i < count; i++) await act();
  return (count * 1_000) / (performance.now() - startedAt);
}

async function handshakeRows(): Promise<Row[]> {
  const [one, other] = sessions as [Session, Session];
  const raw = await perSecond(10 * rounds, rawOperations());
  const ours = await perSecond(10 * rounds, () => handshake(one, other));
  const [left, right] = await Promise.all([sessionBy(noble), sessionBy(noble)]);
  const plain = await perSecond(2 * rounds, () => handshake(left, right));
  return [
    rowOf("handshakes, both ends, beside their raw operations", "1/s", ours, raw),
    rowOf("… by the primitives of browsers, here", "1/s", plain),
  ];
}

async function sealRow(bytes: number): Promise<Row> {
  const key = new Uint8Array(randomBytes(32));
  const nonce = new Uint8Array(12);
  const frame = new Uint8Array(randomBytes(bytes));
  const sealer = new Sealer({ primitives: node, key, numbered: true });
  const raw = (): void => {
    const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
    cipher.update(frame);
    cipher.final();
    cipher.getAuthTag();
  };
  const count = 500 * rounds;
  const beside = 1e6 / (await perSecond(count, raw));
  const ours = 1e6 / (await perSecond(count, () => void sealer.seal(frame)));
  return rowOf(`the seal of a frame of ${bytes.toLocaleString("en")} bytes`, "µs", ours, beside);
}

const network = new MemoryNetwork();
const rows = [
  await setUpRow("memory", () => memoryTransport(network)),
  await setUpRow("UDP and TCP", () => udpTransport({ host: "127.0.0.1" })),
];
const { wrtc } = await loadWrtc();
if (wrtc !== undefined) {
  rows.push(await setUpRow("WebRTC", () => webrtcTransport({ wrtc, dialsPerMinuteMax: 1_000 })));
}
rows.push(...(await handshakeRows()));
for (const bytes of [100, 1_100, 16_000]) rows.push(await sealRow(bytes));
print("handshake", rows, options.json);
process.exit();
