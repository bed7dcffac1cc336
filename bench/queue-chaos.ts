/**
 * Four tabs and three processes work through 10,000 jobs while one of them is killed and begins anew every second for a
 * minute: what became of each job. Ends with 1 when one that was acknowledged was lost, or was begun again after its end
 * had been confirmed.
 *
 *   npm run bench -- queue-chaos [--tabs 4] [--processes 3] [--jobs 10000] [--seconds 60] [--json]
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { chaos, inWords } from "../test/support/queue-chaos.ts";
import { percentile, print, rowOf } from "./support/report.ts";

const { values } = parseArgs({
  options: {
    tabs: { type: "string", default: "4" },
    processes: { type: "string", default: "3" },
    jobs: { type: "string", default: "10000" },
    seconds: { type: "string", default: "60" },
    json: { type: "boolean" },
  },
});

const report = await chaos({
  tabs: Number(values.tabs),
  children: Number(values.processes),
  jobs: Number(values.jobs),
  seconds: Number(values.seconds),
  patienceMs: 120_000,
});
if (!values.json) process.stdout.write(`${inWords(report)}\n`);
for (const one of report.broken) process.stderr.write(`${one}\n`);
print(
  "queue-chaos",
  [
    rowOf("published", "jobs", report.attempted),
    rowOf("acknowledged", "jobs", report.acknowledged),
    rowOf("handled", "jobs", report.handled),
    rowOf("repeated", "jobs", report.repeated),
    rowOf("dead", "jobs", report.dead),
    rowOf("lost", "jobs", report.lost.length),
    rowOf("killed and begun anew", "times", report.kills),
    rowOf("from publish to handled, p50", "ms", percentile(report.latencies, 0.5)),
    rowOf("from publish to handled, p99", "ms", percentile(report.latencies, 0.99)),
  ],
  values.json,
);
process.exit(report.lost.length + report.broken.length > 0 ? 1 : 0);
