/**
 * A stream of 100 MB between two tabs of Chromium beside a bare data channel between the same two, in turns in one run;
 * and how long pings and words take meanwhile, beside how long they take without it.
 *
 *   npm run bench -- stream [--megabytes 100] [--rounds 3] [--json]
 */

import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type StreamTab, streamStage, streamTabs } from "../test/support/stream-tabs.ts";
import { median, percentile, print, type Row, rowOf } from "./support/report.ts";

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "100" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean" },
  },
});
const IDLE_MS = 3_000;
const WARM_UP_BYTES = 5_000_000;
const total = Number(values.megabytes) * 1_000_000;

async function bareMs(near: StreamTab, far: StreamTab): Promise<number> {
  await far.bare.receive(total);
  return await near.bare.send(total);
}

/** Round trips of pings, and how late words come, ms. */
interface Delays {
  readonly pings: number[];
  readonly unanswered: number;
  readonly late: number[];
  readonly stillMs: number;
}

interface Round {
  readonly beside: number;
  readonly alone: number;
  readonly ours: number;
  readonly idle: Delays;
  readonly busy: Delays;
}

async function delays(near: StreamTab, far: StreamTab, act: () => Promise<void>): Promise<Delays> {
  await near.streams.talk();
  await act();
  return { ...(await near.streams.quiet()), late: await far.streams.late() };
}

async function round(near: StreamTab, far: StreamTab): Promise<Round> {
  const rate = (ms: number): number => total / ms / 1_000;
  const beside = rate(await bareMs(near, far));
  const alone = rate(await near.streams.send(far.id, total));
  const idle = await delays(near, far, () => pause(IDLE_MS));
  let ours = 0;
  const busy = await delays(near, far, async () => {
    ours = rate(await near.streams.send(far.id, total));
  });
  const { bytes = 0, right = false } = (await far.streams.received()) ?? {};
  if (bytes !== total || !right) throw new Error(`${bytes} bytes have come, right: ${right}`);
  return { beside, alone, ours, idle, busy };
}

function rowsOf(rounds: readonly Round[]): Row[] {
  const size = `${values.megabytes} MB`;
  const beside = median(rounds.map((one) => one.beside));
  const rowsFor = (what: string, of: (delays: Delays) => number[]): Row[] => {
    const busy = rounds.flatMap((one) => of(one.busy));
    const idle = rounds.flatMap((one) => of(one.idle));
    const row = (name: string, share: number): Row =>
      rowOf(`${what} meanwhile, ${name}`, "ms", percentile(busy, share), percentile(idle, share));
    return [row("p50", 0.5), row("p99", 0.99), row("max", 1)];
  };
  return [
    rowOf(`a stream of ${size}`, "MB/s", median(rounds.map(({ alone }) => alone)), beside),
    rowOf(
      `a stream of ${size}, with a ping and a say each 25 ms`,
      "MB/s",
      median(rounds.map(({ ours }) => ours)),
      beside,
    ),
    ...rowsFor("a ping and its answer", ({ pings }) => pings),
    rowOf(
      "pings without an answer",
      "pings",
      rounds.reduce((sum, { busy }) => sum + busy.unanswered, 0),
    ),
    ...rowsFor("a say", ({ late }) => late),
    rowOf(
      "the speaking tab itself stood still meanwhile, max",
      "ms",
      Math.max(...rounds.map(({ busy }) => busy.stillMs)),
      Math.max(...rounds.map(({ idle }) => idle.stillMs)),
    ),
  ];
}

const stage = streamStage();
try {
  const [near, far] = await streamTabs(stage);
  await near.bare.complete(await far.bare.answer(await near.bare.offer()));
  // A new connection finds its pace first; so does a new link.
  await far.bare.receive(WARM_UP_BYTES);
  await near.bare.send(WARM_UP_BYTES);
  await near.streams.send(far.id, WARM_UP_BYTES);
  const rounds: Round[] = [];
  for (let i = 0; i < Number(values.rounds); i++) rounds.push(await round(near, far));
  print("stream", rowsOf(rounds), values.json);
} finally {
  await stage.close();
}
process.exit();
