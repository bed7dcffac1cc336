/**
 * Proofs of who wrote what: processor time for 1,000 messages of 256 bytes at one end and the other, in a stream (one
 * signature for up to 64) and each by itself. Beside it: a signature checked for each message by @noble/curves.
 *
 *   npm run bench -- proofs [--rounds 5] [--json]
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Claimed } from "../src/core/machine.ts";
import { Contents } from "../src/core/proof/contents.ts";
import { type KeyPair, keyPair } from "../src/session/identity.ts";
import { Notary } from "../src/session/notary.ts";
import { primitives } from "../src/session/primitives.node.ts";
import { median, print, type Row, rowOf } from "./support/report.ts";

const MESSAGES = 1_000;
const BYTES = 256;
const BATCH = 64;
const CLUSTER = 1;
/** Until the engine has compiled what runs always: a member runs for hours. */
const WARM_UP_ROUNDS = 15;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, json: { type: "boolean" } },
});

/** Processor time of this process, ms. */
async function cpuMs(run: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function payloads(keys: KeyPair, contents: Contents): Uint8Array[] {
  const value = new Uint8Array(BYTES).fill(7);
  return Array.from({ length: MESSAGES }, (_, i) => {
    const id = { origin: keys.id, generation: 1, sequence: i + 1 };
    return contents.payload({ id, name: "chat.message", value });
  });
}

/** Signs in batches of `count`, checks at another member as each comes; ms for all, there and here. */
async function round(count: number): Promise<{ signMs: number; checkMs: number }> {
  const [keys, other] = await Promise.all([keyPair(), keyPair()]);
  const notary = new Notary(keys, CLUSTER, primitives);
  const judge = new Notary(other, CLUSTER, primitives);
  let claims: Claimed[] = [];
  const signMs = await cpuMs(async () => {
    const made = payloads(keys, new Contents(notary.digest));
    for (let i = 0; i < MESSAGES; i += count) {
      const batch = made.slice(i, i + count);
      const proofs = await notary.prove(batch, false);
      claims = claims.concat(
        batch.map((content, n) => ({ by: keys.id, content, proof: proofs[n] as Uint8Array })),
      );
    }
  });
  const contents = new Contents(judge.digest);
  const checkMs = await cpuMs(async () => {
    payloads(keys, contents);
    for (const claim of claims) {
      const [good] = await judge.check([claim]);
      if (good !== true) throw new Error("a proof does not hold");
    }
  });
  return { signMs, checkMs };
}

/** A signature for each message, checked without the platform: what a page without WebCrypto could do. */
function besideMs(): Promise<number> {
  const secretKey = ed25519.utils.randomSecretKey();
  const publicKey = ed25519.getPublicKey(secretKey);
  const message = new Uint8Array(BYTES);
  const signature = ed25519.sign(message, secretKey);
  return cpuMs(() => {
    for (let i = 0; i < MESSAGES; i++) ed25519.verify(signature, message, publicKey);
  });
}

const streams: { signMs: number; checkMs: number }[] = [];
const isolated: { signMs: number; checkMs: number }[] = [];
const beside: number[] = [];
for (let i = 0; i < WARM_UP_ROUNDS; i++) await round(BATCH);
for (let i = 0; i < Number(values.rounds); i++) {
  streams.push(await round(BATCH));
  isolated.push(await round(1));
  beside.push(await besideMs());
}
const per = "ms of processor time per 1,000 messages";
const row = (name: string, all: readonly number[]): Row =>
  rowOf(name, per, median(all), median(beside));
const rows = [
  row(
    "check, in a stream",
    streams.map(({ checkMs }) => checkMs),
  ),
  row(
    "sign, in a stream",
    streams.map(({ signMs }) => signMs),
  ),
  row(
    "check, each by itself",
    isolated.map(({ checkMs }) => checkMs),
  ),
  row(
    "sign, each by itself",
    isolated.map(({ signMs }) => signMs),
  ),
];
print("proofs", rows, values.json);
