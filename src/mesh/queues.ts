/** The work queues of a mesh: the application's side of the core's part "queue". Loaded with the first queue. */

import type { MakePart } from "../core/part.ts";
import type { QueueCommand, QueueEvent, QueuePartOptions } from "../core/queue/contract.ts";
import type { HearsayError } from "../errors.ts";
import { leftBefore } from "./mesh-errors.ts";
import type { PartFace, PartMesh } from "./parts.ts";
import type { QueueOptions } from "./queue.ts";
import { type Answer, type Question, QueueChannel } from "./queue-channel.ts";
import { settingsOf, storeFailed } from "./queue-options.ts";

/** How many jobs a store takes in comparison with others: a process stays, a tab may go. */
const WEIGHT_OF_NODE = 4;
const WEIGHT_OF_TAB = 1;

interface Asked {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export class Queues implements PartFace {
  readonly #mesh: PartMesh;
  readonly #makePart: (options: QueuePartOptions) => MakePart;
  readonly #channels = new Map<string, QueueChannel>();
  readonly #asked = new Map<number, Asked>();
  #lastTicket = 0;
  /** Counts the lives. */
  #life = 0;
  #isRunning = false;
  #isAttached = false;
  #attaching: Promise<void> | undefined;

  constructor(mesh: PartMesh, makePart: (options: QueuePartOptions) => MakePart) {
    this.#mesh = mesh;
    this.#makePart = makePart;
  }

  /** @throws HearsayError `options:…` */
  open(name: string, options: QueueOptions): QueueChannel {
    const settings = settingsOf(options);
    const known = this.#channels.get(name);
    if (known !== undefined) {
      known.settings = settings;
      return known;
    }
    const queues = this;
    const channel = new QueueChannel(name, settings, {
      hasStore: this.#mesh.store !== undefined,
      get isAttached() {
        return queues.#isAttached;
      },
      peer: (id) => this.#mesh.peer(id),
      report: (error) => this.#mesh.report(error),
      command: (command) => this.#command(command),
      ask: (question, signal) => this.#ask(question, signal),
      forget: () => this.#channels.delete(name),
    });
    this.#channels.set(name, channel);
    if (this.#isAttached) channel.attached();
    return channel;
  }

  started(): void {
    this.#isRunning = true;
    this.#life++;
    // Who uses a queue is told.
    this.#attached().catch((error) => this.#mesh.report(error));
  }

  stopped(error: HearsayError): void {
    this.#isRunning = false;
    this.#isAttached = false;
    this.#attaching = undefined;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of asked) reject(error);
    for (const channel of this.#channels.values()) channel.stopped(error);
  }

  take(told: unknown): void {
    const event = told as QueueEvent;
    if (!("ticket" in event)) return this.#channels.get(event.channel)?.take(event);
    const asked = this.#asked.get(event.ticket);
    this.#asked.delete(event.ticket);
    asked?.resolve(event);
  }

  #command(command: QueueCommand): void {
    if (!this.#isAttached) throw leftBefore();
    this.#mesh.command(command);
  }

  async #ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    await this.#attached();
    const ticket = ++this.#lastTicket;
    const answered = new Promise<Answer>((resolve, reject) => {
      const abort = (): void => {
        this.#asked.delete(ticket);
        if (question.type === "drain") this.#command({ type: "undrain", ticket });
        reject(signal?.reason);
      };
      const settle = (then: () => void): void => {
        signal?.removeEventListener("abort", abort);
        then();
      };
      this.#asked.set(ticket, {
        resolve: (answer) => settle(() => resolve(answer)),
        reject: (error) => settle(() => reject(error)),
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
    try {
      this.#command({ ...question, ticket } as QueueCommand);
    } catch (error) {
      this.#asked.get(ticket)?.reject(error as Error);
      this.#asked.delete(ticket);
    }
    return await answered;
  }

  /** Resolves when the part is attached in this life; what has failed is tried again. */
  async #attached(): Promise<void> {
    if (this.#isAttached) return;
    if (!this.#isRunning) throw leftBefore();
    const life = this.#life;
    this.#attaching ??= this.#attach(life).catch((error) => {
      if (life === this.#life) this.#attaching = undefined;
      throw storeFailed(error);
    });
    await this.#attaching;
    if (!this.#isAttached) throw leftBefore();
  }

  async #attach(life: number): Promise<void> {
    const { store, self } = this.#mesh;
    const entries: (readonly [string, Uint8Array])[] = [];
    let storeId: string | undefined;
    if (store !== undefined) {
      storeId = hexOf(await store.storeId());
      for await (const page of store.readPart("queue")) {
        for (const { key, value } of page) entries.push([key, value]);
      }
    }
    if (life !== this.#life || !this.#isRunning) return;
    const weight = self.node ? WEIGHT_OF_NODE : WEIGHT_OF_TAB;
    this.#mesh.attach(this.#makePart({ storeId, entries, weight }));
    this.#isAttached = true;
    for (const channel of this.#channels.values()) channel.attached();
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
