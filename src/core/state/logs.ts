/**
 * Keys whose changes are all kept, in order, instead of the latest alone. Each change is an entry of its own, with its
 * number in the log, the version at which the log began, and the number of the oldest that its owner still kept: so
 * everybody drops the same ones, without a tombstone for each. The application is shown a change when all before it
 * are here or known to be gone: those are its gap.
 */

import type { StateEntry } from "../wire/messages.ts";
import { type Item, weightOf } from "./items.ts";

export interface Log {
  readonly begun: number;
  first: number;
  /** The number that was shown last. */
  shown: number;
  /** The application has a value of this key: of this log, or from before. */
  visible: boolean;
  bytes: number;
  /** Ascending. */
  readonly items: Item[];
}

/** A change of a log: its number, and how many before it are gone and were never shown. */
export interface LogChange {
  readonly number: number;
  readonly missed: number;
}

export class Logs {
  readonly #logs = new Map<string, Log>();
  /** Keys of logs with changes that were not shown yet. */
  readonly #unshown = new Set<string>();

  get(key: string): Log | undefined {
    return this.#logs.get(key);
  }

  /** What has been shown of a key, oldest first. */
  shown(key: string): Item[] {
    const log = this.#logs.get(key);
    return log?.items.filter((item) => numberOf(item) <= log.shown) ?? [];
  }

  newest(key: string): Item | undefined {
    const log = this.#logs.get(key);
    return log?.items.findLast((item) => numberOf(item) <= log.shown);
  }

  keys(): string[] {
    return [...this.#logs].flatMap(([key, { visible }]) => (visible ? key : []));
  }

  /** Whether a change is neither here, nor older than what is kept. */
  isNews({ key, log: place }: StateEntry): boolean {
    const log = this.#logs.get(key);
    if (log === undefined || place === undefined || place.begun > log.begun) return true;
    if (place.begun < log.begun || place.number < log.first) return false;
    const before = log.items.findLast((item) => numberOf(item) <= place.number);
    return before === undefined || numberOf(before) < place.number;
  }

  /** Gives the changes that go in its stead. `visible`: the application has a value of this key. */
  put(item: Item, visible: boolean): readonly Item[] {
    const { key, log: place } = item;
    if (place === undefined) return this.#logs.get(key)?.items.slice() ?? [];
    let log = this.#logs.get(key);
    let gone: Item[] = [];
    if (log === undefined || log.begun < place.begun) {
      gone = log?.items ?? [];
      log = { begun: place.begun, first: 1, shown: 0, visible, bytes: 0, items: [] };
      this.#logs.set(key, log);
    }
    const { items } = log;
    let at = items.length;
    while (at > 0 && numberOf(items[at - 1] as Item) > place.number) at--;
    items.splice(at, 0, item);
    log.bytes += weightOf(item);
    log.first = Math.max(log.first, place.first);
    this.#unshown.add(key);
    const { first } = log;
    return [
      ...gone,
      ...items.slice(
        0,
        items.findIndex((one) => numberOf(one) >= first),
      ),
    ];
  }

  remove(item: Item): void {
    const log = this.#logs.get(item.key);
    const at = log?.items.indexOf(item) ?? -1;
    if (log === undefined || at < 0) return;
    log.items.splice(at, 1);
    log.bytes -= weightOf(item);
    if (log.items.length === 0) this.#logs.delete(item.key);
  }

  /** Shows what is complete by now that everything up to `version` is here. */
  show(version: number, shown: (item: Item, change: LogChange) => void): void {
    for (const key of this.#unshown) {
      const log = this.#logs.get(key);
      const items = log?.items ?? [];
      let at = items.length;
      while (at > 0 && numberOf(items[at - 1] as Item) > (log?.shown ?? 0)) at--;
      for (; log !== undefined && at < items.length; at++) {
        const item = items[at] as Item;
        if (item.version > version) break;
        const number = numberOf(item);
        const missed = number - log.shown - 1;
        log.shown = number;
        log.visible = true;
        shown(item, { number, missed });
      }
      if (at >= items.length) this.#unshown.delete(key);
    }
  }
}

/** What the owner's next change of a log says of its place, with as many before it as there is room for. */
export function nextPlace(
  log: Log | undefined,
  version: number,
  max: number,
  spare: { bytes: number; entries: number },
): StateEntry["log"] {
  const number = numberOf(log?.items.at(-1)) + 1;
  let { bytes, entries } = spare;
  let first = Math.max(log?.first ?? 1, number - max + 1);
  for (const item of log?.items ?? []) {
    if (numberOf(item) >= first && bytes >= 0 && entries >= 0) break;
    first = Math.max(first, numberOf(item) + 1);
    bytes += weightOf(item);
    entries++;
  }
  if (bytes < 0 || entries < 0) return undefined;
  return { begun: log?.begun ?? version, number, first };
}

function numberOf(item: Item | undefined): number {
  return item?.log?.number ?? 0;
}
