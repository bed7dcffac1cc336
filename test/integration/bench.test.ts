// What the benchmarks print, as those read it who compare runs. Their figures are looked at by people.
import { expect, test } from "vitest";
import { type Program, runNode } from "./cli-support.ts";

const bench = (...args: string[]): Program => runNode(["scripts/bench.mjs", ...args]);

test("each prints with --json one line of the same shape", async () => {
  const quick = ["--rounds", "1", "--seconds", "0.1", "--clients", "50", "--json"];
  const program = bench("signaling", ...quick);
  expect(await program.exit()).toBe(0);
  const lines = program
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{"));
  expect(lines.length).toBe(1);
  const { name, rows, ...rest } = JSON.parse(lines[0] ?? "");
  expect([name, rest]).toEqual(["signaling", {}]);
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows) {
    expect(Object.keys(row)).toEqual(["row", "ours", "beside", "ratio", "unit"]);
    expect(row).toMatchObject({ row: expect.any(String), unit: expect.any(String) });
    // So short a run may find no memory taken; a ratio is of what is shown.
    expect(row.ours).toBeGreaterThanOrEqual(0);
    if (row.ours === 0 || row.beside === 0) continue;
    expect(Math.abs(row.ratio / (row.ours / row.beside) - 1)).toBeLessThan(0.05);
  }
  expect(rows.some(({ ours }: { ours: number }) => ours > 0)).toBe(true);
});

test("--list names them, and what there is not is an error that names them, too", async () => {
  const list = bench("--list");
  expect(await list.exit()).toBe(0);
  for (const name of ["link", "peers", "signaling", "stream"]) {
    expect(list.output()).toMatch(new RegExp(`^${name} +[A-Z]`, "m"));
  }
  const wrong = bench("signaling", "nonsense");
  expect(await wrong.exit()).toBe(2);
  expect(wrong.output()).toContain("there is no benchmark nonsense");
  expect(wrong.output()).toMatch(/one of .*link, .*signaling, .*stream/);
});
