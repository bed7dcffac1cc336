/**
 * Parts of the core beyond its base, as the mesh uses them: what a part shows to the application, its face, is loaded
 * when it is first used, together with the part itself, and attached anew in each life.
 */

import type { Command, MemberId, MeshEvent } from "../core/machine.ts";
import type { MakePart, PartChange, PartName } from "../core/part.ts";
import type { StoreEntry } from "../store/store.ts";
import type { Peer } from "./peers.ts";

/** What parts keep over the end of a life, each under keys of its own. */
export interface PartStore {
  /** Names this store, for ever: random, and kept in it. */
  storeId(): Promise<Uint8Array>;
  /** All that a part has kept, in order, some at a time. */
  readPart(part: PartName): AsyncIterable<readonly StoreEntry[]>;
  /** All or nothing, durable when it resolves, in the order of the calls. */
  writePart(part: PartName, changes: readonly PartChange[]): Promise<void>;
}

/** What a face uses of its mesh. */
export interface PartMesh {
  /** A value's bytes, at most. */
  readonly valueBytesMax: number;
  readonly store: PartStore | undefined;
  readonly self: Peer;
  /** Who has this id, ourselves included, while it is known. */
  peer(id: MemberId): Peer | undefined;
  /** In a life, once. @throws HearsayError `mesh:left` */
  attach(make: MakePart): void;
  /** Gives the part's own events of this step, which are also told. @throws HearsayError `mesh:left` */
  command(command: unknown): readonly unknown[];
  /** Somebody whom nobody knows any more. */
  stranger(id: MemberId): Peer;
  /** A value of this name came from somebody, and cannot be read. */
  unreadable(from: Peer, name: string, reason: string): void;
  /** Something that the application is to know of, such as what its own code threw. */
  report(error: unknown): void;
}

/** What a part shows to the application. */
export interface PartFace {
  /** A life has begun: now the part is to be attached. */
  started(): void;
  /** The life is over: what was under way in it ends with `error`. */
  stopped(error: Error): void;
  /** The part tells this. */
  take(event: unknown): void;
}

export interface PartsContext extends Omit<PartMesh, "attach" | "command"> {
  command(command: Command): readonly MeshEvent[];
  attach(part: PartName, make: MakePart): void;
}

export class MeshParts {
  readonly #context: PartsContext;
  readonly #faces = new Map<PartName, PartFace>();
  readonly #loading = new Map<PartName, Promise<PartFace>>();
  #isRunning = false;

  constructor(context: PartsContext) {
    this.#context = context;
  }

  get valueBytesMax(): number {
    return this.#context.valueBytesMax;
  }

  readonly report = (error: unknown): void => this.#context.report(error);

  /** The face of a part, loaded by who asks first. What could not be loaded is tried again when it is next asked for. */
  face<F extends PartFace>(part: PartName, load: (mesh: PartMesh) => Promise<F>): Promise<F> {
    let loading = this.#loading.get(part);
    if (loading === undefined) {
      loading = this.#load(part, load);
      this.#loading.set(part, loading);
      loading.catch(() => this.#loading.delete(part));
    }
    return loading as Promise<F>;
  }

  started(): void {
    this.#isRunning = true;
    for (const face of this.#faces.values()) face.started();
  }

  stopped(error: Error): void {
    this.#isRunning = false;
    for (const face of this.#faces.values()) face.stopped(error);
  }

  take(part: PartName, event: unknown): void {
    this.#faces.get(part)?.take(event);
  }

  async #load(part: PartName, load: (mesh: PartMesh) => Promise<PartFace>): Promise<PartFace> {
    const { command, attach, ...rest } = this.#context;
    const face = await load({
      ...rest,
      attach: (make) => attach(part, make),
      command: (given) =>
        command({ type: "part", part, command: given }).flatMap((event) =>
          event.type === "part" && event.part === part ? [event.event] : [],
        ),
    });
    this.#faces.set(part, face);
    if (this.#isRunning) face.started();
    return face;
  }
}
