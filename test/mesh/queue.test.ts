// Work queues among real tabs and processes: who publishes, keeps or does jobs is closed, killed, and comes back.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chaos, inWords } from "../support/queue-chaos.ts";
import { type Note, QueueCrew } from "../support/queue-crew.ts";

const crew = new QueueCrew("queues", {
  leaseMs: 3_000,
  rehomeMs: 3_000,
  backoff: { minMs: 50, maxMs: 200 },
});

beforeAll(() => crew.open(), 60_000);
afterAll(() => crew.close());

/** What was told of a job. */
function of(number: number, what: Note["what"]): Note[] {
  return crew.notes.filter((note) => note.what === what && Reflect.get(note, "number") === number);
}

const handled = (number: number): Promise<void> =>
  crew.until(`${number} is done`, () => of(number, "handled").length > 0);

describe("row 35: a publisher's tab that is closed right after publish resolved", () => {
  test("with replicas: the job is done by another", async () => {
    const keepers = [await crew.child(), await crew.child()];
    const tab = await crew.tab({ queue: { confirm: 2 } });
    await tab.worker.publish(1);
    await tab.close();
    await keepers[0]?.worker.work();
    await handled(1);
    for (const keeper of keepers) await keeper.worker.leave();
  });

  test("without: it is done when the tab returns", async () => {
    const tab = await crew.tab();
    await tab.worker.publish(2);
    await tab.kill();
    await tab.start();
    await tab.worker.work();
    await handled(2);
    expect(of(2, "begun")).toHaveLength(1);
    await tab.worker.leave();
  });
});

describe("row 35: members that are killed", () => {
  test("a consumer in the middle of its job: another does it when the lease is over", async () => {
    const [keeper, doer, tab] = [await crew.child(), await crew.child(), await crew.tab()];
    await doer.worker.work({ takesMs: -1 });
    await keeper.worker.publish(10);
    await crew.until("it is begun", () => of(10, "begun").length === 1);
    await doer.kill();
    await tab.worker.work();
    await handled(10);
    expect(of(10, "begun").map((note) => Reflect.get(note, "epoch"))[1]).toBeGreaterThan(1);
    await Promise.all([keeper.worker.leave(), tab.worker.leave()]);
  });

  test("all of them, again and again: nothing that was acknowledged is lost", async () => {
    const report = await chaos({
      tabs: 4,
      children: 3,
      jobs: 1_500,
      seconds: 15,
      patienceMs: 90_000,
    });
    process.stdout.write(`chaos: ${inWords(report)}\n`);
    expect(report.lost).toEqual([]);
    expect(report.broken).toEqual([]);
    expect(report.dead).toBe(0);
    // How many there are depends on how fast the machine starts them again.
    expect(report.kills).toBeGreaterThan(4);
    expect(report.acknowledged).toBeGreaterThan(0);
  }, 150_000);
});
