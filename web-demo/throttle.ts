/** Calls `run` at most once in `ms`, the first time at once, and always with what was last asked for. */
export function throttle<T>(
  ms: number,
  run: (value: T) => void,
): { (value: T): void; cancel(): void } {
  let waiting: { readonly value: T } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const next = (): void => {
    timer = undefined;
    if (waiting === undefined) return;
    const { value } = waiting;
    waiting = undefined;
    timer = setTimeout(next, ms);
    run(value);
  };
  const call = (value: T): void => {
    waiting = { value };
    if (timer === undefined) next();
  };
  call.cancel = (): void => {
    waiting = undefined;
    clearTimeout(timer);
    timer = undefined;
  };
  return call;
}
