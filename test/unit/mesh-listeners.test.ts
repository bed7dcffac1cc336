import { beforeEach, describe, expect, test } from "vitest";
import { pendingAnswers } from "../../src/mesh/answers.ts";
import { Listeners, type Unlisten } from "../../src/mesh/listeners.ts";
import { read } from "../../src/mesh/reading.ts";

/** An AbortSignal that counts who listens to it. */
function countedSignal(): { signal: AbortSignal; abort(reason?: unknown): void; count(): number } {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  };
  return { signal, abort: (reason) => controller.abort(reason), count: () => count };
}

describe("handlers", () => {
  let listeners: Listeners<[string]>;
  let reported: unknown[];
  let heard: string[];
  beforeEach(() => {
    reported = [];
    heard = [];
    listeners = new Listeners((error) => reported.push(error));
  });
  const hear =
    (who: string) =>
    (what: string): unknown =>
      heard.push(`${who} ${what}`);

  test("hear in the order in which they were added, until they end", () => {
    const endA = listeners.add(hear("a"));
    listeners.add(hear("b"));
    listeners.tell("1");
    endA();
    endA();
    listeners.tell("2");
    expect(heard).toEqual(["a 1", "b 1", "b 2"]);
    expect(listeners.size).toBe(1);
  });

  test("the same function twice is two handlers", () => {
    const handler = hear("a");
    const end = listeners.add(handler);
    listeners.add(handler);
    listeners.tell("1");
    end();
    listeners.tell("2");
    expect(heard).toEqual(["a 1", "a 1", "a 2"]);
  });

  test("one that throws or rejects is reported, and the others still hear", async () => {
    const thrown = new Error("thrown");
    const rejected = new Error("rejected");
    listeners.add(() => {
      throw thrown;
    });
    listeners.add(() => Promise.reject(rejected));
    listeners.add(hear("b"));
    listeners.tell("1");
    await Promise.resolve();
    expect(heard).toEqual(["b 1"]);
    expect(reported).toEqual([thrown, rejected]);
  });

  test("what is added or ended while telling counts from the next time on", () => {
    const end = listeners.add(() => {
      end();
      listeners.add(hear("late"));
    });
    listeners.add(hear("b"));
    listeners.tell("1");
    listeners.tell("2");
    expect(heard).toEqual(["b 1", "b 2", "late 2"]);
  });

  test("an abort ends them; aborted before, they never begin", () => {
    const { signal, abort } = countedSignal();
    listeners.add(hear("a"), { signal });
    abort();
    listeners.add(hear("b"), { signal });
    listeners.tell("1");
    expect([heard, listeners.size]).toEqual([[], 0]);
  });

  test("ended, they let go of their signal", () => {
    const { signal, count } = countedSignal();
    const end = listeners.add(hear("a"), { signal });
    expect(count()).toBe(1);
    end();
    expect(count()).toBe(0);
  });

  test("what is no function is refused", () => {
    expect(() => listeners.add("handler" as never)).toThrow(TypeError);
  });
});

describe("iterators", () => {
  let push: (item: number) => void;
  let listening: number;
  const listen = (next: (item: number) => void): Unlisten => {
    listening++;
    push = next;
    return () => {
      listening--;
    };
  };
  beforeEach(() => {
    listening = 0;
  });

  test("give what was heard before and after it is asked for, in order", async () => {
    const items = read(listen);
    push(1);
    push(2);
    expect(await items.next()).toEqual({ done: false, value: 1 });
    expect(await items.next()).toEqual({ done: false, value: 2 });
    const waiting = [items.next(), items.next()];
    push(3);
    push(4);
    expect((await Promise.all(waiting)).map(({ value }) => value)).toEqual([3, 4]);
  });

  test("listen from the start, and end with the loop", async () => {
    const items = read(listen);
    expect(listening).toBe(1);
    push(1);
    push(2);
    for await (const item of items) {
      expect(item).toBe(1);
      break;
    }
    expect(listening).toBe(0);
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("row 33: hold so many for a slow reader, and drop the oldest", async () => {
    const items = read(listen);
    for (let i = 1; i <= 2_000; i++) push(i);
    expect(items.droppedCount).toBe(2_000 - 1_024);
    expect((await items.next()).value).toBe(2_000 - 1_024 + 1);
  });

  test.each([
    ["drop-oldest", [3, 4, 5]],
    ["drop-newest", [1, 2, 3]],
  ] as const)("row 33: full, do as they were told: %s", async (onFull, kept) => {
    const items = read(listen, { bufferMax: 3, onFull });
    for (const item of [1, 2, 3, 4, 5]) push(item);
    expect(items.droppedCount).toBe(2);
    for (const value of kept) expect(await items.next()).toEqual({ done: false, value });
    const next = items.next();
    push(6);
    expect((await next).value).toBe(6);
    expect(listening).toBe(1);
  });

  test("row 33: full, end with an error after what waits, once", async () => {
    const items = read(listen, { bufferMax: 2, onFull: "error" });
    for (const item of [1, 2, 3, 4]) push(item);
    expect(listening).toBe(0);
    expect([(await items.next()).value, (await items.next()).value]).toEqual([1, 2]);
    await expect(items.next()).rejects.toMatchObject({ code: "reader:slow" });
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("keep the order of what is read and heard in turns", async () => {
    const items = read(listen, { bufferMax: 100 });
    let pushed = 0;
    let expected = 0;
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 7; i++) push(pushed++);
      for (let i = 0; i < 6; i++) expect((await items.next()).value).toBe(expected++);
    }
    expect(items.droppedCount).toBe(0);
  });

  test("refuse wrong options", () => {
    for (const bufferMax of [0, 1.5, Number.NaN, 1e9]) {
      expect(() => read(listen, { bufferMax })).toThrow(RangeError);
    }
    expect(() => read(listen, { onFull: "wait" as never })).toThrow(RangeError);
    expect(() => read(listen, "handler" as never)).toThrow(TypeError);
    expect(listening).toBe(0);
  });

  test("an abort ends them for everyone who waits; what was heard before is still given", async () => {
    const { signal, abort } = countedSignal();
    const items = read(listen, { signal });
    const others = read(listen, { signal });
    const waiting = others.next();
    const pushOther = push;
    const first = read(listen, { signal });
    push(7);
    abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await first.next()).toEqual({ done: false, value: 7 });
    expect(await first.next()).toEqual({ done: true, value: undefined });
    expect(await items.next()).toEqual({ done: true, value: undefined });
    expect(listening).toBe(0);
    pushOther(1);
  });

  test("aborted before, they never listen", async () => {
    const items = read(listen, { signal: AbortSignal.abort() });
    expect(listening).toBe(0);
    expect((await items.next()).done).toBe(true);
  });

  test("ended, they let go of their signal", async () => {
    const { signal, count } = countedSignal();
    const items = read(listen, { signal });
    await items.return();
    expect([count(), listening]).toEqual([0, 0]);
  });
});

describe("answers", () => {
  test("come to the one that waits for their number, once", async () => {
    const answers = pendingAnswers();
    const a = answers.open();
    const b = answers.open();
    expect(a.id).not.toBe(b.id);
    answers.resolve(b.id);
    answers.reject(b.id, new Error("too late"));
    answers.resolve(99);
    await b.promise;
    answers.reject(a.id, new Error("no"));
    await expect(a.promise).rejects.toThrow("no");
  });

  test("end all at once, also those that come while they end", async () => {
    const answers = pendingAnswers();
    const all = [answers.open(), answers.open()];
    answers.rejectAll(new Error("left"));
    for (const { promise } of all) await expect(promise).rejects.toThrow("left");
  });

  test("are given up by their signal, with its reason, and let go of it when they come", async () => {
    const { signal, abort, count } = countedSignal();
    const answers = pendingAnswers();
    const early = answers.open(signal);
    const late = answers.open(signal);
    answers.resolve(early.id);
    await early.promise;
    expect(count()).toBe(1);
    abort(new Error("enough"));
    await expect(late.promise).rejects.toThrow("enough");
    answers.resolve(late.id);
    await expect(answers.open(signal).promise).rejects.toThrow("enough");
  });
});
