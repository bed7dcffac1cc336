/** Sums over many measurements. */

/** The value that a `share` of all does not exceed (nearest rank); null of nothing. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil(share * sorted.length)));
  return round(sorted[rank - 1] as number);
}

export function largest(values: readonly number[]): number | null {
  return percentile(values, 1);
}

/** Four digits after the point are enough for a figure. */
export function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
