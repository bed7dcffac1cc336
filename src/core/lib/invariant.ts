/** A broken invariant is our bug, never the user's input: it throws, and the message says what was believed. */

class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** @throws InvariantError when `condition` is false. */
export function invariant(condition: unknown, belief: string): asserts condition {
  if (!condition) throw new InvariantError(belief);
}
