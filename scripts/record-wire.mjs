// Records frames of each message as this version writes them, into test/support/wire-vN.json: once for each major
// version, when it is released. Later versions are tested against them.
//   npx tsx scripts/record-wire.mjs
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { frameCodec, WIRE_VERSION } from "../src/core/wire/codec.ts";
import { messages } from "../test/support/any-messages.ts";

const CLUSTER_HASH = 0x5ea5a7;
const EACH = 4;
const BYTES_MAX = 600;

const codec = frameCodec(CLUSTER_HASH);
/** @type {Record<string, string[]>} */
const frames = {};
for (const [type, arbitrary] of Object.entries(messages)) {
  const made = fc.sample(/** @type {fc.Arbitrary<any>} */ (arbitrary), { seed: 1, numRuns: 200 });
  const encoded = made.map((message) => Buffer.from(codec.encode(message)));
  const short = encoded.filter(({ length }) => length <= BYTES_MAX);
  // The longest of what is short: with most in it.
  short.sort((a, b) => b.length - a.length);
  frames[type] = short.slice(0, EACH).map((frame) => frame.toString("hex"));
}
const recorded = { version: WIRE_VERSION, clusterHash: CLUSTER_HASH, frames };
const file = new URL(`../test/support/wire-v${WIRE_VERSION}.json`, import.meta.url);
writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
