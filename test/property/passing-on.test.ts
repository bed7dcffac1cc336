// Whatever its neighbours say, what a member says itself is sound: it decodes, and fits the lane that it takes.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Core } from "../../src/core/core.ts";
import { Rng } from "../../src/core/lib/rng.ts";
import type { Input, LinkId, MemberId } from "../../src/core/machine.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import {
  DATAGRAM_BYTES_MAX,
  FRAME_BYTES_MAX,
  type Message,
  type Update,
} from "../../src/core/wire/messages.ts";
import { messages } from "../support/any-messages.ts";
import { configOf, memberId, recordOf } from "../unit/core/support.ts";

const FRAMES = 40_000;
/** So many until all begin anew. */
const LIFE = 2_000;
const SAMPLES = 200;
const IDS = Array.from({ length: 16 }, (_, i) => memberId(i + 1));
const [OWN, ...OTHERS] = IDS as [MemberId, ...MemberId[]];
const NEIGHBOURS = OTHERS.slice(0, 3);
const config = configOf({}, { id: OWN });
const codec = frameCodec(config.clusterHash);
const record = (id: MemberId) => recordOf(id, { neighbours: [OWN] });

/** A member with three neighbours, who knows of more: so it passes on what it hears. */
class Relay {
  readonly unsound = new Map<string, number>();
  sentCount = 0;
  #core = new Core(config, 0);
  #now = 0;
  #cause = "";
  #lastLink = 0;
  readonly #links = new Map<MemberId, LinkId>();

  begin(): void {
    this.#core = new Core(config, this.#now);
    this.#links.clear();
    const updates = OTHERS.map((id): Update => ({ type: "record", record: record(id) }));
    this.hear(NEIGHBOURS[0] as MemberId, { type: "members", updates });
  }

  hear(from: MemberId, message: Message): void {
    if (this.#core.layers.stopped) this.begin();
    this.#now += 20;
    this.#cause = message.type;
    for (const id of NEIGHBOURS) if (!this.#links.has(id)) this.#greet(id);
    this.#packet(this.#links.get(from), message);
    while (this.#core.deadline <= this.#now) this.#step({ type: "deadline" });
  }

  #greet(id: MemberId): void {
    const link = ++this.#lastLink;
    this.#links.set(id, link);
    this.#step({ type: "linkUp", link, attempt: undefined, transport: "test", peer: id });
    this.#packet(link, { type: "hello", record: record(id), features: 0 });
  }

  #packet(link: LinkId | undefined, message: Message): void {
    if (link === undefined) return;
    this.#step({ type: "packet", link, lane: "reliable", bytes: codec.encode(message) });
  }

  #step(input: Input): void {
    for (const effect of this.#core.step(input, this.#now)) {
      if (effect.type === "disconnect") {
        for (const [id, link] of this.#links) if (link === effect.link) this.#links.delete(id);
      }
      if (effect.type !== "send") continue;
      const { link, lane, bytes } = effect;
      this.#look(lane, bytes);
      // All bulk leaves at once.
      if (lane !== "datagram") this.#step({ type: "writable", link, bytes: bytes.length });
    }
  }

  #look(lane: string, bytes: Uint8Array): void {
    this.sentCount++;
    const decoded = codec.decode(bytes);
    const what = decoded.ok ? decoded.message.type : decoded.reason;
    const max = lane === "datagram" ? DATAGRAM_BYTES_MAX : FRAME_BYTES_MAX;
    if (decoded.ok && bytes.length <= max) return;
    const fault = `${what}, ${lane}, ${bytes.length > max ? "too long, " : ""}after ${this.#cause}`;
    this.unsound.set(fault, (this.unsound.get(fault) ?? 0) + 1);
  }
}

/** The same message about members that are known, with numbers that are mostly plausible. */
function plausible(value: unknown, rng: Rng, field = ""): unknown {
  if (typeof value === "string" && /^[0-9a-f]{32}$/.test(value)) return IDS[rng.below(IDS.length)];
  if (Array.isArray(value)) return value.map((one) => plausible(one, rng, field));
  if (typeof value === "number") {
    const counts = /generation|version|incarnation|from|to|last|floor|sequence/i.test(field);
    return counts && rng.below(3) > 0 ? rng.below(4) : value;
  }
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const fields = Object.entries(value);
  return Object.fromEntries(fields.map(([name, one]) => [name, plausible(one, rng, name)]));
}

test("row 45: what a member passes on, others can read, whatever it was told", () => {
  const rng = Rng.fromSeed(1);
  const kinds = Object.keys(messages).filter((type) => type !== "bye" && type !== "fragment");
  const samples = kinds.map((type) => {
    const any = messages[type as Message["type"]] as fc.Arbitrary<Message>;
    return fc.sample(any, { numRuns: SAMPLES, seed: 1 });
  });
  const relay = new Relay();
  for (let i = 0; i < FRAMES; i++) {
    if (i % LIFE === 0) relay.begin();
    const one = samples[rng.below(samples.length)]?.[rng.below(SAMPLES)];
    const message = plausible(one, rng) as Message;
    const from = NEIGHBOURS[rng.below(NEIGHBOURS.length)] as MemberId;
    // What is unsound already is another test's matter.
    if (codec.decode(codec.encode(message)).ok) relay.hear(from, message);
  }
  expect(Object.fromEntries(relay.unsound)).toEqual({});
  expect(relay.sentCount).toBeGreaterThan(FRAMES / 4);
}, 60_000);
