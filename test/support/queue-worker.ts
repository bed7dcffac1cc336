/**
 * A member that publishes and does jobs, and tells the test of each step before it goes on: who is killed has told all
 * that counts. The same in a tab and in a process; arguments and results are plain.
 */

import type {
  Job,
  Join,
  JoinOptions,
  Mesh,
  OpenStore,
  Queue,
  QueueOptions,
  QueueStats,
  SubscribeOptions,
} from "../../src/index.ts";

export interface WorkerOptions extends Pick<JoinOptions, "cluster" | "seeds" | "name" | "backoff"> {
  /** A folder, or the name of a database; none: it has no store. */
  readonly storeName?: string;
  readonly queue?: Partial<QueueOptions>;
}

/** What a job carries here. */
export interface Work {
  readonly number: number;
}

export type Report =
  | { readonly what: "publishing"; readonly number: number }
  | { readonly what: "published"; readonly number: number; readonly job: string }
  | { readonly what: "refused"; readonly number: number; readonly why: string }
  | {
      readonly what: "begun" | "handled" | "acknowledged";
      readonly number: number;
      readonly job: string;
      readonly epoch: number;
      readonly attempt: number;
    }
  | { readonly what: "dead"; readonly job: string; readonly why: string }
  | { readonly what: "lost"; readonly number: number; readonly why: string }
  | { readonly what: "error"; readonly why: string };

/** Who tells it, and when by its own clock, ms since 1970. */
export type Told = Report & { readonly at: number };

interface DoOptions extends SubscribeOptions {
  /** How long each job takes, ms; 0 for none at all. Less than 0: for ever. */
  readonly takesMs?: number;
  /** Fails jobs of these numbers. */
  readonly fails?: readonly number[];
}

const NAME = "work";

export class QueueWorker {
  readonly #join: Join;
  readonly #storeOf: (name: string) => OpenStore;
  readonly #tell: (told: Told) => Promise<void>;
  #mesh: Mesh | undefined;
  #queue: Queue<Work> | undefined;
  #end: (() => void) | undefined;

  constructor(
    join: Join,
    storeOf: (name: string) => OpenStore,
    tell: (told: Told) => Promise<void>,
  ) {
    this.#join = join;
    this.#storeOf = storeOf;
    this.#tell = tell;
  }

  /** Resolves with the id. */
  async join({ storeName, queue = {}, ...options }: WorkerOptions): Promise<string> {
    const mesh = await this.#join({
      ...options,
      ...(storeName !== undefined && { store: this.#storeOf(storeName) }),
    });
    this.#mesh = mesh;
    mesh.on("error", (error) => this.#say({ what: "error", why: String(error) }));
    this.#queue = mesh.channel(NAME, { kind: "queue", ...queue }) as Queue<Work>;
    this.#queue.on("dead", (job, why, detail) => {
      this.#say({ what: "dead", job, why: `${why} ${detail}` });
    });
    this.#queue.on("lost", ({ data }, why) => {
      this.#say({ what: "lost", number: data.number, why });
    });
    return mesh.self.id;
  }

  async leave(): Promise<void> {
    await this.#mesh?.leave();
  }

  /** Publishes a job; what came of it is also told. */
  async publish(number: number, options: { key?: string; delayMs?: number } = {}): Promise<string> {
    await this.#say({ what: "publishing", number });
    try {
      const job = await this.#own().publish({ number }, options);
      await this.#say({ what: "published", number, job });
      return job;
    } catch (error) {
      await this.#say({ what: "refused", number, why: String(error) });
      throw error;
    }
  }

  /** Publishes these, so many at a time. Resolves when each was published, or was refused. */
  async publishAll(from: number, count: number, atOnce = 16): Promise<void> {
    let next = from;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (next < from + count) await this.publish(next++).catch(() => undefined);
      }),
    );
  }

  async work({ takesMs = 0, fails = [], ...options }: DoOptions = {}): Promise<void> {
    this.#end = this.#own().subscribe(async (job: Job<Work>) => {
      const about = {
        number: job.data.number,
        job: job.id,
        epoch: job.epoch,
        attempt: job.attempt,
      };
      await this.#say({ what: "begun", ...about });
      if (fails.includes(about.number)) throw new Error(`cannot do ${about.number}`);
      if (takesMs !== 0) await this.#busy(takesMs);
      await this.#say({ what: "handled", ...about });
      await job.ack();
      await this.#say({ what: "acknowledged", ...about });
    }, options);
  }

  /** Takes no more. */
  async rest(): Promise<void> {
    this.#end?.();
  }

  async stats(): Promise<QueueStats> {
    return await this.#own().stats();
  }

  async drain(): Promise<void> {
    await this.#own().drain();
  }

  async purge(): Promise<number> {
    return await this.#own().purge();
  }

  /** Why each was given up, by its number. */
  async deadLetters(): Promise<[number, string][]> {
    const letters = await this.#own().deadLetters();
    return letters.map(({ data, reason, detail }) => [data.number, `${reason}: ${detail}`]);
  }

  /** Resolves with the ids of the members that are there. */
  async peers(): Promise<string[]> {
    return this.#mesh?.peers.live.map(({ id }) => id) ?? [];
  }

  #busy(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (ms > 0) this.#mesh?.after(ms, resolve);
    });
  }

  #own(): Queue<Work> {
    if (this.#queue === undefined) throw new Error("this worker has not joined");
    return this.#queue;
  }

  async #say(report: Report): Promise<void> {
    await this.#tell({ ...report, at: performance.timeOrigin + performance.now() });
  }
}
