/** Names that one page of an origin holds at a time, by Web Locks: they end with the page, however it ends. */

/** A page that is just being left may hold a lock a moment longer, ms. A duplicate waits so long. */
const LOCK_WAIT_MS = 1_000;

/** Holds a name until the returned function is called or the page ends. Undefined when it is not free. */
export async function holdLock(name: string): Promise<(() => void) | undefined> {
  // First without any time to wait: on a busy machine an answer alone may take longer.
  return (
    (await request(name, { ifAvailable: true })) ??
    (await request(name, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }))
  );
}

/**
 * The same, however long others hold it before: who waits longest is next.
 * @throws the reason of `signal`
 */
export async function awaitLock(name: string, signal?: AbortSignal): Promise<() => void> {
  const release = await request(name, signal === undefined ? {} : { signal });
  signal?.throwIfAborted();
  if (release === undefined) throw new Error(`no lock can be had: ${name}`);
  return release;
}

function request(name: string, options: LockOptions): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    const hold = (held: Lock | null): Promise<void> | undefined => {
      if (held !== null) return new Promise((release) => resolve(() => release()));
      resolve(undefined);
      return undefined;
    };
    navigator.locks.request(name, options, hold).catch(() => resolve(undefined));
  });
}
