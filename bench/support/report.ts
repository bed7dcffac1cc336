/** What every benchmark prints: rows for people, or with `--json` one line of the same shape for all of them. */

import process from "node:process";

export interface Row {
  readonly row: string;
  readonly ours: number;
  /** The same of what it is compared with, in the same run; null where there is nothing. */
  readonly beside: number | null;
  readonly ratio: number | null;
  readonly unit: string;
}

export function rowOf(row: string, unit: string, ours: number, beside: number | null = null): Row {
  const ratio = beside === null ? null : rounded(ours / beside);
  return {
    row,
    ours: rounded(ours),
    beside: beside === null ? null : rounded(beside),
    ratio,
    unit,
  };
}

export function print(name: string, rows: readonly Row[], json: boolean | undefined): void {
  if (json) return void process.stdout.write(`${JSON.stringify({ name, rows })}\n`);
  const width = Math.max(...rows.map(({ row }) => row.length));
  for (const { row, ours, beside, ratio, unit } of rows) {
    const other = beside === null ? "" : ` beside ${beside}`;
    const share = ratio === null ? "" : `, ratio ${ratio}`;
    process.stdout.write(`${row.padEnd(width)}  ${ours}${other} ${unit}${share}\n`);
  }
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
