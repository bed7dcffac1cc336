/** Two tabs with streams between them (`stream-page.ts`), as a test and a benchmark drive them. */

import { fileURLToPath } from "node:url";
import { allLinked } from "./actors.ts";
import { Stage, type TabActor } from "./stage.ts";
import type { bare, page } from "./stream-page.ts";

const PAGE = fileURLToPath(new URL("./stream-page.ts", import.meta.url));

type Methods<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

export interface StreamTab extends TabActor {
  readonly streams: Methods<typeof page>;
  readonly bare: Methods<typeof bare>;
}

/** Calls the methods of what the page has under this name. */
function inPage<T>(tab: TabActor, name: string): Methods<T> {
  return new Proxy({} as Methods<T>, {
    get:
      (_, method) =>
      (...args: unknown[]) =>
        tab.page.evaluate(([object, key, list]) => Reflect.get(globalThis, object)[key](...list), [
          name,
          String(method),
          args,
        ] as const),
  });
}

export async function streamTabs(stage: Stage): Promise<[StreamTab, StreamTab]> {
  await stage.startServer();
  const tabs = await Promise.all([stage.tab(), stage.tab()]);
  await allLinked(tabs);
  const [near, far] = tabs.map((tab) => ({
    ...tab,
    streams: inPage<typeof page>(tab, "page"),
    bare: inPage<typeof bare>(tab, "bare"),
  })) as [StreamTab, StreamTab];
  await Promise.all([near.streams.receive(), far.streams.receive()]);
  return [near, far];
}

export function streamStage(): Stage {
  return new Stage("streams", PAGE);
}
