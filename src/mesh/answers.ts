/** Promises that wait for an event with their number. */

export interface Answers {
  open(signal?: AbortSignal): { readonly id: number; readonly promise: Promise<void> };
  resolve(id: number): void;
  reject(id: number, error: Error): void;
  rejectAll(error: Error): void;
}

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

export function pendingAnswers(): Answers {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  const take = (id: number): Waiting | undefined => {
    const found = waiting.get(id);
    waiting.delete(id);
    return found;
  };
  return {
    open(signal) {
      const id = ++last;
      const promise = new Promise<void>((resolve, reject) => {
        const abort = (): void => take(id)?.reject(signal?.reason);
        const settle = (outcome: () => void): void => {
          signal?.removeEventListener("abort", abort);
          outcome();
        };
        waiting.set(id, {
          resolve: () => settle(resolve),
          reject: (error) => settle(() => reject(error)),
        });
        if (signal?.aborted) abort();
        else signal?.addEventListener("abort", abort, { once: true });
      });
      return { id, promise: unawaited(promise) };
    },
    resolve: (id) => take(id)?.resolve(),
    reject: (id, error) => take(id)?.reject(error),
    rejectAll(error) {
      for (const id of [...waiting.keys()]) take(id)?.reject(error);
    },
  };
}

/** An answer that is known at once. */
export function refused(error: Error): Promise<void> {
  return unawaited(Promise.reject(error));
}

/** Saying without awaiting is normal use: a failure then is nobody's unhandled rejection. */
function unawaited(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
