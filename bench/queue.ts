/**
 * Durable work queues beside the bare storage below them, in Node and in Chromium: publishes and whole cycles a second
 * with 64 at once, the time from publish to handler, and the memory that waiting jobs take. Raw is each durable write by
 * itself, as LevelDB (`sync`) and IndexedDB (`strict`) have it.
 *
 *   npm run bench -- queue [--seconds 4] [--jobs 100000] [--json]
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ClassicLevel } from "classic-level";
import { diskStore, join, memoryStore } from "../src/index.node.ts";
import { Stage, servePage } from "../test/support/stage.ts";
import { fill, latencies, type Platform, type Rates, rates } from "./support/queue-side.ts";
import { percentile, print, type Row, rowOf } from "./support/report.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    jobs: { type: "string", default: "100000" },
    json: { type: "boolean" },
  },
});
const ms = Number(values.seconds) * 1_000;
const waiting = Number(values.jobs);
const LATENCIES = 500;
const PAGE = fileURLToPath(new URL("./support/queue-page.ts", import.meta.url));
const folder = mkdtempSync(pathOf(tmpdir(), "hearsay-bench-queue-"));

const node: Platform = {
  join,
  storeOf: (name) => diskStore(pathOf(folder, name)),
  async raw(name) {
    const level = new ClassicLevel<string, Uint8Array>(pathOf(folder, name), {
      valueEncoding: "view",
    });
    await level.open();
    return {
      put: (key, value) => level.put(key, value, { sync: true }),
      remove: (key) => level.del(key, { sync: true }),
      close: () => level.close(),
    };
  },
};

/** Without a disk: what is left is our own work. */
const memory: Platform = {
  join,
  storeOf: () => memoryStore(),
  async raw() {
    const store = await memoryStore()();
    return {
      put: (key, value) => store.write([{ key, value }]),
      remove: (key) => store.write([{ key, value: undefined }]),
      close: () => store.close(),
    };
  },
};

function rowsOf(where: string, { publishes, puts, cycles, rawCycles }: Rates): Row[] {
  return [
    rowOf(`${where}: durable publishes, beside writes`, "/s", publishes, puts),
    rowOf(`${where}: whole cycles, beside three writes each`, "/s", cycles, rawCycles),
  ];
}

function latencyRows(where: string, times: readonly number[]): Row[] {
  return [
    rowOf(`${where}: from publish to the handler of another, p50`, "ms", percentile(times, 0.5)),
    rowOf(`${where}: from publish to the handler of another, p99`, "ms", percentile(times, 0.99)),
  ];
}

async function inChromium(): Promise<Row[]> {
  const stage = new Stage("bench");
  const server = await servePage(PAGE);
  try {
    const page = await (await stage.openBrowser()).newPage();
    const address = server.address();
    await page.goto(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`);
    const call = <T>(name: string, argument: number): Promise<T> =>
      page.evaluate(([what, given]) => Reflect.get(globalThis, what)(given), [
        name,
        argument,
      ] as const) as Promise<T>;
    const measured = await call<Rates>("rates", ms);
    const times = await call<number[]>("latencies", LATENCIES);
    return [...rowsOf("Chromium", measured), ...latencyRows("Chromium", times)];
  } finally {
    server.close();
    await stage.close();
  }
}

/** What a waiting job takes in memory, bytes. */
async function memoryRow(): Promise<Row> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  await fill(node, waiting);
  const each = (used() - before) / waiting;
  return rowOf(`Node: memory for each of ${waiting} waiting jobs of 100 bytes`, "bytes", each);
}

try {
  const rows = [
    ...rowsOf("Node", await rates(node, ms)),
    ...rowsOf("Node, store in memory", await rates(memory, ms)).map(({ row, unit, ours }) =>
      rowOf(row.replace(/, beside.*/, ""), unit, ours),
    ),
    ...latencyRows("Node", await latencies(node, LATENCIES)),
    await memoryRow(),
    ...(await inChromium()),
  ];
  print("queue", rows, values.json);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
