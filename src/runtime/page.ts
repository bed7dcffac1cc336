/**
 * The life of a page. Hidden is not asleep: timers still run, once a second, and messages come in as ever. Frozen
 * is: nothing runs until `resume`. A page that is left is gone. The browser may say that it keeps it (`persisted`), to
 * show it again when the person goes back, but Chromium says so of every page and drops those with open connections:
 * measured, a linked one always. So it leaves in any case, and comes back when it is shown again.
 */

import type { Lifecycle } from "./lifecycle.ts";

interface Visible extends EventTarget {
  readonly visibilityState: DocumentVisibilityState;
}

/** Where the events come from: workers and servers have neither. */
interface PageTargets {
  readonly window: EventTarget | undefined;
  readonly document: Visible | undefined;
}

const PAGE: PageTargets = {
  get window() {
    return "addEventListener" in globalThis ? globalThis : undefined;
  },
  get document() {
    return globalThis.document;
  },
};

/** Follows the page's life; gives the end of that, after which no listener is left. */
export function watchPage(life: Lifecycle, { window, document }: PageTargets = PAGE): () => void {
  const listening = new AbortController();
  const on = (target: EventTarget | undefined, type: string, then: (event: Event) => void): void =>
    target?.addEventListener(type, then, { signal: listening.signal });
  const look = (): void => life.mayFreeze(document?.visibilityState === "hidden");
  on(document, "visibilitychange", look);
  on(document, "freeze", () => life.suspending());
  on(document, "resume", () => life.resumed());
  on(window, "pagehide", (event) => {
    life.ending();
    if (isPersisted(event)) window?.addEventListener("pageshow", show);
  });
  on(window, "online", () => life.online());
  const show = (event: Event): void => {
    window?.removeEventListener("pageshow", show);
    if (isPersisted(event)) life.returned();
  };
  look();
  return () => listening.abort();
}

function isPersisted(event: Event): boolean {
  return (event as PageTransitionEvent).persisted;
}
