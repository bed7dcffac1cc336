/** The few assertions that the suites need, so that they depend on no test runner. */

export function expect(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

export function equal<T>(actual: T, wanted: T, what: string): void {
  expect(Object.is(actual, wanted), `${what}: ${String(actual)} in place of ${String(wanted)}`);
}

export function throwsRangeError(act: () => void): void {
  try {
    act();
  } catch (error) {
    expect(error instanceof RangeError, `it threw ${error} in place of a RangeError`);
    return;
  }
  throw new Error("it threw nothing in place of a RangeError");
}

/** Bytes that say which frame they belong to and where in it they stand. */
export function patterned(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i + (i >> 8) + seed * 31;
  return bytes;
}

export function samePattern(bytes: Uint8Array, size: number, seed: number): void {
  equal(bytes.length, size, `length of frame ${seed}`);
  for (let i = 0; i < size; i++) {
    if (bytes[i] !== ((i + (i >> 8) + seed * 31) & 255)) {
      throw new Error(`frame ${seed} differs at byte ${i}`);
    }
  }
}
