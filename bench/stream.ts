/**
 * A stream of 100 MB between two tabs of Chromium beside a bare data channel between the same two, in turns in one run;
 * and how long pings and words take meanwhile.
 *
 *   npm run bench -- stream [--megabytes 100] [--rounds 3] [--json]
 */

import process from "node:process";
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
const WARM_UP_BYTES = 5_000_000;
const total = Number(values.megabytes) * 1_000_000;

async function bareMs(near: StreamTab, far: StreamTab): Promise<number> {
  await far.bare.receive(total);
  return await near.bare.send(total);
}

interface Round {
  readonly beside: number;
  readonly alone: number;
  readonly ours: number;
  readonly pings: number[];
  readonly unanswered: number;
  readonly late: number[];
}

async function round(near: StreamTab, far: StreamTab): Promise<Round> {
  const rate = (ms: number): number => total / ms / 1_000;
  const beside = rate(await bareMs(near, far));
  const alone = rate(await near.streams.send(far.id, total));
  await near.streams.talk();
  const ours = rate(await near.streams.send(far.id, total));
  const { pings, unanswered } = await near.streams.quiet();
  const { bytes = 0, right = false } = (await far.streams.received()) ?? {};
  if (bytes !== total || !right) throw new Error(`${bytes} bytes have come, right: ${right}`);
  return { beside, alone, ours, pings, unanswered, late: await far.streams.late() };
}

function rowsOf(rounds: readonly Round[]): Row[] {
  const size = `${values.megabytes} MB`;
  const beside = median(rounds.map((one) => one.beside));
  const delays = (what: string, all: readonly number[]): Row[] => [
    rowOf(`${what} meanwhile, p50`, "ms", percentile(all, 0.5)),
    rowOf(`${what} meanwhile, p99`, "ms", percentile(all, 0.99)),
    rowOf(`${what} meanwhile, max`, "ms", Math.max(...all)),
  ];
  return [
    rowOf(`a stream of ${size}`, "MB/s", median(rounds.map(({ alone }) => alone)), beside),
    rowOf(
      `a stream of ${size}, with a ping and a say each 25 ms`,
      "MB/s",
      median(rounds.map(({ ours }) => ours)),
      beside,
    ),
    ...delays(
      "a ping and its answer",
      rounds.flatMap(({ pings }) => pings),
    ),
    rowOf(
      "pings without an answer",
      "pings",
      rounds.reduce((sum, { unanswered }) => sum + unanswered, 0),
    ),
    ...delays(
      "a say",
      rounds.flatMap(({ late }) => late),
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
