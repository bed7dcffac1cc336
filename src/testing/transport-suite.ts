/**
 * What every transport must do, as a list of checks for any test runner:
 *
 *     for (const check of transportChecks(() => ({ near: myTransport(), far: myTransport() }))) {
 *       test(check.name, check.run);
 *     }
 */

import {
  type ConnectOptions,
  DATAGRAM_BYTES_MAX,
  FRAME_BYTES_MAX,
  type Lane,
  SEAL_BYTES,
  type Transport,
  UNORDERED_BYTES_MAX,
} from "../transport/transport.ts";
import { equal, expect, patterned, samePattern, throwsRangeError } from "./expectations.ts";
import { hostileSignals } from "./hostile-signals.ts";
import { LinkEnd } from "./link-end.ts";

/** Two transports that can reach each other; one and the same may stand for both. */
export interface TransportPair {
  readonly near: Transport;
  readonly far: Transport;
}

export interface TransportCheck {
  readonly name: string;
  /** Rejects with what went wrong. Takes a few seconds at most on a sound transport. */
  run(): Promise<void>;
}

interface LinkPair {
  readonly near: LinkEnd;
  readonly far: LinkEnd;
}

type Check = (pair: TransportPair) => Promise<void>;

/**
 * @param makePair makes a fresh pair for each check, which closes it in the end. It must allow some hundred
 *   links within a minute and 16 at a time.
 */
export function transportChecks(
  makePair: () => TransportPair | Promise<TransportPair>,
): readonly TransportCheck[] {
  return Object.entries(checks).map(([name, check]) => ({
    name,
    async run() {
      const pair = await makePair();
      try {
        await check(pair);
      } finally {
        pair.near.close();
        pair.far.close();
      }
    },
  }));
}

const checks: Record<string, Check> = {
  async "opens once at both ends, and names the channel alike there and nowhere else"(pair) {
    const one = await openLink(pair);
    const two = await openLink(pair);
    equal(one.near.openCount + one.far.openCount, 2, "opens");
    equal(one.near.link.state, "open", "state");
    const [a, b, other] = [one.near, one.far, two.near].map((end) => end.link.binding.join());
    equal(a, b, "binding at both ends");
    expect(a !== "" && a !== other, "the binding is empty or not the link's own");
    await finish(one);
    await finish(two);
  },

  async "carries frames both ways on all lanes"(pair) {
    const link = await openLink(pair);
    for (const [from, to] of [directions(link), directions(link).reverse()] as LinkEnd[][]) {
      for (const lane of ["reliable", "unordered", "datagram"] as const) {
        await deliver(from as LinkEnd, to as LinkEnd, lane, patterned(100, 7));
      }
    }
    await finish(link);
  },

  async "keeps the boundaries of frames of every size"(pair) {
    const link = await openLink(pair);
    const reliable = [0, 1, 2, 3, 255, 256, DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MAX + 1];
    for (const edge of [16_384, 32_768, 49_152]) {
      for (let off = -7; off <= 4; off++) reliable.push(edge + off);
    }
    reliable.push(0, FRAME_BYTES_MAX - 1, FRAME_BYTES_MAX, 0, FRAME_BYTES_MAX, 1);
    for (const [index, size] of reliable.entries()) {
      link.near.send("reliable", patterned(size, index));
    }
    await link.far.until("all frames", () => link.far.frames.length === reliable.length);
    for (const [index, { bytes }] of link.far.frames.entries()) {
      samePattern(bytes, reliable[index] as number, index);
    }
    for (const size of [0, 1, DATAGRAM_BYTES_MAX - 1, DATAGRAM_BYTES_MAX]) {
      await deliver(link.near, link.far, "datagram", patterned(size, size));
    }
    const unordered = [0, 1, 2, 3, 4, 8_000, 8_001, 8_192, 16_380, 16_381, 16_383, 16_384];
    const before = link.far.frames.length;
    for (const size of unordered) link.near.send("unordered", patterned(size, size));
    const arrived = () => link.far.frames.slice(before).filter(({ lane }) => lane === "unordered");
    await link.far.until("all frames", () => arrived().length === unordered.length);
    const frames = arrived().sort((a, b) => a.bytes.length - b.bytes.length);
    for (const [index, { bytes }] of frames.entries()) {
      const size = unordered[index] as number;
      samePattern(bytes, size, size);
    }
    await finish(link);
  },

  async "refuses frames over the size of their lane, and goes on"(pair) {
    const link = await openLink(pair);
    for (const [lane, bytesMax] of limits(pair)) {
      throwsRangeError(() => link.near.send(lane, new Uint8Array(bytesMax + 1)));
    }
    await deliver(link.near, link.far, "reliable", patterned(10, 1));
    equal(link.near.link.stats().sentFrames, 1, "frames counted as sent");
    for (const [lane, bytesMax] of limits(pair)) {
      await deliver(link.near, link.far, lane, patterned(bytesMax, 1));
    }
    await finish(link);
  },

  async "gives every frame bytes of its own"(pair) {
    const link = await openLink(pair);
    for (let i = 0; i < 20; i++) link.near.send("reliable", patterned(50, i));
    await link.far.until("all frames", () => link.far.frames.length === 20);
    for (const { bytes } of link.far.frames) {
      expect(bytes.buffer.byteLength <= 4096, "a kept small frame holds a large buffer");
    }
    link.far.frames[3]?.bytes.fill(0);
    for (const [i, { bytes }] of link.far.frames.entries()) {
      if (i !== 3) samePattern(bytes, 50, i);
    }
    await finish(link);
  },

  async "keeps the order of the reliable lane, whatever the datagrams do"(pair) {
    const link = await openLink(pair);
    const count = 5_000;
    let next = 0;
    link.far.onFrame = ({ lane, bytes }) => {
      if (lane === "reliable") samePattern(bytes, (next * 37) % 700, next++);
    };
    for (let i = 0; i < count; i++) {
      link.near.send("reliable", patterned((i * 37) % 700, i));
      if (i % 10 === 0) link.near.send("datagram", patterned(30, i));
    }
    await link.far.until("all frames", () => next === count);
    await finish(link);
  },

  async "drains exactly what was sent"(pair) {
    const link = await openLink(pair);
    let sentBytes = 0;
    for (let i = 0; i < 2_000; i++) {
      const frame = patterned((i * 7919) % 3_000, i);
      link.near.send(i % 3 === 0 ? "unordered" : "reliable", frame);
      sentBytes += frame.length;
    }
    equal(link.near.drainedBytes, 0, "bytes drained inside of send");
    equal(link.near.link.stats().bufferedBytes, sentBytes, "bytes buffered");
    await link.far.until("all frames", () => link.far.frames.length === 2_000);
    await link.near.until("all drained", () => link.near.drainedBytes >= sentBytes);
    equal(link.near.drainedBytes, sentBytes, "bytes drained");
    equal(link.near.link.stats().bufferedBytes, 0, "bytes buffered in the end");
    await finish(link);
    equal(link.near.drainedBytes, sentBytes, "bytes drained after the end");
  },

  async "carries 20 MB whole when paced by drain alone"(pair) {
    const link = await openLink(pair);
    await carryBulk(link, { totalBytes: 20_000_000, frameBytes: 16_000, windowBytes: 1_000_000 });
    await finish(link);
  },

  async "carries 20 MB whole with a window of two frames"(pair) {
    const link = await openLink(pair);
    await carryBulk(link, { totalBytes: 20_000_000, frameBytes: 60_000, windowBytes: 120_000 });
    await finish(link);
  },

  async "loses and doubles nothing of 20 MB on the unordered lane, beside reliable frames"(pair) {
    const link = await openLink(pair);
    await carryUnordered(link, { count: 1_400, frameBytes: 14_000, windowBytes: 1_000_000 });
    await finish(link);
  },

  async "loses nothing of 64 MB that are sent without waiting"(pair) {
    const link = await openLink(pair);
    const windowBytes = Number.POSITIVE_INFINITY;
    await carryBulk(link, { totalBytes: 64_000_000, frameBytes: 64_000, windowBytes });
    await finish(link);
  },

  async "closes once at both ends, after what was sent before"(pair) {
    const link = await openLink(pair);
    for (let i = 0; i < 20; i++) {
      link.near.send(i % 2 === 0 ? "reliable" : "unordered", patterned(1_000, i));
    }
    link.near.close();
    link.near.close();
    equal(link.near.link.state, "closed", "state");
    equal((await link.near.closed()).code, "local", "code here");
    equal((await link.far.closed()).code, "remote", "code there");
    equal(link.far.frames.length, 20, "frames sent just before the close");
    link.far.close();
    await finish(link);
  },

  async "closes both ends at the same time"(pair) {
    const link = await openLink(pair);
    link.near.close();
    link.far.close();
    await finish(link);
  },

  async "drops what is sent on a link that is not open"(pair) {
    const early = new LinkEnd(pair.near, { initiator: true });
    early.send("reliable", patterned(10, 1));
    early.send("datagram", patterned(10, 1));
    early.close();
    early.send("reliable", patterned(10, 1));
    equal((await early.closed()).code, "local", "code");
    equal(early.link.stats().sentFrames, 0, "frames counted as sent");
    blameless(early);
  },

  async "can be closed at any moment of opening"(pair) {
    for (let step = 0; step < 6; step++) {
      const link = startLink(pair);
      const { near, far } = link;
      const steps = [
        () => true,
        () => near.signals.length > 0,
        () => far.signals.length > 0,
        () => near.signals.length > 0 && far.signals.length > 0,
        () => near.openCount > 0,
        () => far.openCount > 0,
      ];
      const closer = step === 2 || step === 5 ? far : near;
      await closer.until(`step ${step}`, steps[step] as () => boolean);
      closer.close();
      equal((await closer.closed()).code, "local", "code");
      (closer === near ? far : near).close();
      await finish(link);
    }
  },

  async "gives up when nobody answers"(pair) {
    const end = new LinkEnd(pair.near, { initiator: true, openTimeoutMs: 150 });
    const other = new LinkEnd(pair.far, { initiator: false, openTimeoutMs: 150 });
    for (const silent of [end, other]) {
      const reason = await silent.closed();
      equal(reason.code, "timeout", "code");
      expect(reason.message.length > 20, "the reason says too little");
      blameless(silent);
    }
  },

  async "needs one signal each way without trickle"(pair) {
    const link = startLink(pair, { trickle: false });
    await opened(link);
    equal(link.near.signals.length, 1, "signals from the initiator");
    equal(link.far.signals.length, 1, "signals from the other end");
    await deliver(link.near, link.far, "reliable", patterned(10, 1));
    await finish(link);
  },

  async "opens when signals come twice and in the wrong order"(pair) {
    const near = new LinkEnd(pair.near, { initiator: true });
    const far = new LinkEnd(pair.far, { initiator: false });
    const relay = (from: LinkEnd, to: LinkEnd) => {
      from.onSignal = () => {
        for (const payload of [...from.signals].reverse()) queueMicrotask(() => to.signal(payload));
      };
    };
    relay(near, far);
    relay(far, near);
    for (const payload of near.signals) far.signal(payload);
    await opened({ near, far });
    await finish({ near, far });
  },

  async "does not open between two initiators, nor between none"(pair) {
    for (const initiator of [true, false]) {
      const near = new LinkEnd(pair.near, { initiator, openTimeoutMs: 250 });
      const far = new LinkEnd(pair.far, { initiator, openTimeoutMs: 250 });
      join(near, far);
      equal((await near.closed()).code, "timeout", "code");
      equal((await far.closed()).code, "timeout", "code");
      blameless(near);
      blameless(far);
    }
  },

  async "survives hostile signals, and still connects"(pair) {
    const sample = await openLink(pair);
    const real = [...sample.near.signals, ...sample.far.signals];
    await finish(sample);
    const payloads = hostileSignals(real, 10_000);
    for (let round = 0; round < 5; round++) {
      const ends = Array.from({ length: 10 }, (_, i) => {
        const transport = i % 2 === 0 ? pair.near : pair.far;
        return new LinkEnd(transport, { initiator: i % 2 === 0, openTimeoutMs: 250 });
      });
      for (const end of ends) {
        for (const payload of payloads.splice(0, 200)) end.signal(payload);
      }
      for (const end of ends) {
        await end.closed();
        for (const payload of real) end.signal(payload);
        blameless(end);
      }
    }
    const link = await openLink(pair);
    for (const payload of real) link.near.signal(payload);
    await deliver(link.near, link.far, "reliable", patterned(10, 1));
    await finish(link);
  },

  async "carries several links at once"(pair) {
    const links = await Promise.all(Array.from({ length: 6 }, () => openLink(pair)));
    await Promise.all(
      links.map((link, i) => deliver(link.near, link.far, "reliable", patterned(5_000, i))),
    );
    for (const link of links) await finish(link);
  },

  async "closes all its links, and makes no new ones"(pair) {
    const link = await openLink(pair);
    const opening = new LinkEnd(pair.near, { initiator: true });
    pair.near.close();
    pair.near.close();
    equal((await link.near.closed()).code, "local", "code of an open link");
    equal((await opening.closed()).code, "local", "code of an opening link");
    const late = new LinkEnd(pair.near, { initiator: true });
    equal((await late.closed()).code, "unsupported", "code of a late link");
    blameless(late);
    await finish(link);
  },
};

/** The largest frame of each lane; what does not encrypt takes it with a seal. */
function limits({ near }: TransportPair): [Lane, number][] {
  const sealBytes = near.encrypted ? 0 : SEAL_BYTES;
  return [
    ["reliable", FRAME_BYTES_MAX + sealBytes],
    ["unordered", UNORDERED_BYTES_MAX + sealBytes],
    ["datagram", DATAGRAM_BYTES_MAX + sealBytes],
  ];
}

function startLink(pair: TransportPair, options: Omit<ConnectOptions, "initiator"> = {}): LinkPair {
  const near = new LinkEnd(pair.near, { ...options, initiator: true });
  const far = new LinkEnd(pair.far, { ...options, initiator: false });
  join(near, far);
  return { near, far };
}

function join(one: LinkEnd, two: LinkEnd): void {
  const relay = (to: LinkEnd) => (payload: Uint8Array) => queueMicrotask(() => to.signal(payload));
  one.onSignal = relay(two);
  two.onSignal = relay(one);
}

async function opened(link: LinkPair): Promise<void> {
  await Promise.all([link.near.opened(), link.far.opened()]);
}

async function openLink(pair: TransportPair): Promise<LinkPair> {
  const link = startLink(pair);
  await opened(link);
  return link;
}

/** Closes what is open, and sees that everything went by the contract. */
async function finish(link: LinkPair): Promise<void> {
  link.near.close();
  await Promise.all([link.near.closed(), link.far.closed()]);
  blameless(link.near);
  blameless(link.far);
}

function blameless(end: LinkEnd): void {
  equal(end.closes.length, 1, "calls of close");
  equal(end.misdeeds.join("; "), "", "misdeeds");
  equal(end.link.state, "closed", "state");
}

function directions(link: LinkPair): LinkEnd[] {
  return [link.near, link.far];
}

/** Sends a frame and waits for it; a datagram again and again, because it may be lost. */
async function deliver(from: LinkEnd, to: LinkEnd, lane: Lane, frame: Uint8Array): Promise<void> {
  const seen = to.frames.length;
  const heard = () => to.frames.slice(seen).find((it) => it.lane === lane);
  from.send(lane, frame);
  const again = setInterval(() => lane === "datagram" && from.send(lane, frame), 50);
  try {
    await to.until(`a ${lane} frame of ${frame.length} bytes`, () => heard() !== undefined);
  } finally {
    clearInterval(again);
  }
  const bytes = heard()?.bytes ?? new Uint8Array();
  equal(bytes.length, frame.length, `length of a ${lane} frame`);
  expect(
    bytes.every((byte, i) => byte === frame[i]),
    `a ${lane} frame came changed`,
  );
}

/** The same without order: frames begin with their number. A reliable one goes with every tenth of them. */
async function carryUnordered(
  link: LinkPair,
  bulk: { count: number; frameBytes: number; windowBytes: number },
): Promise<void> {
  const seen = new Set<number>();
  let received = 0;
  let reliable = 0;
  let sent = 0;
  let sentBytes = 0;
  link.far.onFrame = ({ lane, bytes }) => {
    if (lane === "reliable") return samePattern(bytes, 100, reliable++);
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    samePattern(bytes.slice(4), bulk.frameBytes - 4, number);
    seen.add(number);
    received++;
  };
  const send = (lane: Lane, frame: Uint8Array) => {
    sentBytes += frame.length;
    link.near.send(lane, frame);
  };
  const fill = () => {
    while (sent < bulk.count && sentBytes - link.near.drainedBytes < bulk.windowBytes) {
      const frame = new Uint8Array(bulk.frameBytes);
      new DataView(frame.buffer).setUint32(0, sent);
      frame.set(patterned(bulk.frameBytes - 4, sent), 4);
      send("unordered", frame);
      if (sent++ % 10 === 0) send("reliable", patterned(100, (sent - 1) / 10));
    }
  };
  link.near.onDrain = fill;
  fill();
  const all = () => received >= bulk.count && reliable === Math.ceil(bulk.count / 10);
  await link.far.until("all frames", all);
  equal(seen.size, bulk.count, "frames of their own");
  equal(received, bulk.count, "frames received");
  equal(link.near.drainedBytes, sentBytes, "bytes drained");
}

/** Sends frames with at most `windowBytes` not yet drained, and sees that all of them arrive unchanged. */
async function carryBulk(
  link: LinkPair,
  bulk: { totalBytes: number; frameBytes: number; windowBytes: number },
): Promise<void> {
  const count = Math.ceil(bulk.totalBytes / bulk.frameBytes);
  let received = 0;
  let sent = 0;
  link.far.onFrame = ({ bytes }) => samePattern(bytes, bulk.frameBytes, received++);
  const fill = () => {
    const bound = () => sent * bulk.frameBytes - link.near.drainedBytes + bulk.frameBytes;
    while (sent < count && bound() <= bulk.windowBytes) {
      link.near.send("reliable", patterned(bulk.frameBytes, sent++));
    }
  };
  link.near.onDrain = fill;
  fill();
  await link.far.until("all frames", () => received === count);
  equal(link.near.drainedBytes, count * bulk.frameBytes, "bytes drained");
}
