/**
 * One picture that all tabs render together. Which one it is stands in `mesh.config`; its tiles are jobs of a queue, so
 * each is done by somebody, and by another when that one is closed in the middle. Who has rendered a tile says so to all,
 * and its pixels with it; who comes later asks one of those that were there.
 */

import type { Mesh, Peer, Queue } from "../../src/index.browser.ts";
import type { People } from "../people.ts";
import { isColour, NAME_LENGTH_MAX } from "../profile.ts";
import { oneLine } from "../text.ts";
import type { Render } from "./renderer.ts";
import { BEGUN, DONE, QUEUE, QUEUE_OPTIONS, SCENES, TILE_BYTES, TILES } from "./tiles.ts";

const PICTURE = "work.picture";
const WANTED = "work.wanted";

/** While one tile is rendered the next is on its way. */
const AT_A_TIME = 2;

/** The latest counts. */
export interface Picture {
  /** When it was begun, ms since 1970; later than the one before for sure. */
  readonly at: number;
  /** The id of who began it. */
  readonly by: string;
  readonly scene: number;
}

/** Who did a tile: as it was then, for it may be gone by now. */
export interface Worker {
  readonly id: string;
  readonly name: string;
  readonly colour: number;
}

export type Tile =
  | { readonly state: "waiting" }
  | { readonly state: "begun"; readonly by: Worker }
  | { readonly state: "done"; readonly by: Worker; readonly pixels: Uint8Array };

const WAITING: Tile = { state: "waiting" };

export class Workshop {
  picture: Picture | undefined;
  readonly tiles: Tile[] = [];
  /** Since the picture was begun, as far as we know, and until its last tile. */
  beganAt = 0;
  endedAt: number | undefined;
  /** Tiles that somebody had begun who then went. */
  orphanCount = 0;
  /** Somebody has told us what was done before we knew of the picture. */
  #isAnswered = false;
  readonly #mesh: Mesh;
  readonly #people: People;
  readonly #queue: Queue;
  readonly #render: Render;
  readonly #changed: () => void;

  constructor(mesh: Mesh, people: People, render: Render, changed: () => void) {
    this.#mesh = mesh;
    this.#people = people;
    this.#queue = mesh.channel(QUEUE, QUEUE_OPTIONS);
    this.#render = render;
    this.#changed = changed;
    mesh.config.on(PICTURE, (value) => void this.#isShown(pictureIn(value)));
    mesh.hear(BEGUN, (data, from) => this.#onBegun(fieldsOf(data), from));
    mesh.hear(DONE, (data, from) => this.#onDone(fieldsOf(data), from));
    mesh.hear(WANTED, (data, from) => this.#tell(pictureIn(fieldsOf(data)["picture"]), from));
    mesh.on("peer:up", (peer) => this.#ask(peer));
    mesh.on("peer:leave", (peer) => this.#onGone(peer));
    mesh.on("peer:down", (peer) => this.#onGone(peer));
    this.#queue.subscribe(({ data }) => this.#work(fieldsOf(data)), { concurrency: AT_A_TIME });
  }

  get doneCount(): number {
    return this.tiles.filter(({ state }) => state === "done").length;
  }

  /** Another picture, for all. Resolves when all of its tiles are in the queue. */
  async begin(): Promise<void> {
    const { at = 0, scene = -1 } = this.picture ?? {};
    const picture = {
      at: Math.max(Date.now(), at + 1),
      by: this.#mesh.self.id,
      scene: (scene + 1) % SCENES.length,
    };
    this.#mesh.config.set(PICTURE, picture);
    this.#isShown(picture);
    // What still waits of the one before, nobody wants.
    await this.#queue.purge();
    const key = (tile: number): string => `${picture.at}.${picture.by.slice(0, 8)}.${tile}`;
    await Promise.all(
      this.tiles.map((_, tile) => this.#queue.publish({ picture, tile }, { key: key(tile) })),
    );
  }

  pause(isPaused: boolean): void {
    if (isPaused) this.#queue.pause();
    else this.#queue.resume();
  }

  /** False when there is a later one. News of a picture may come before that there is one. */
  #isShown(picture: Picture | undefined): picture is Picture {
    if (picture === undefined) return false;
    const { at = 0, by = "" } = this.picture ?? {};
    if (picture.at === at && picture.by === by) return true;
    if (picture.at < at || (picture.at === at && picture.by < by)) return false;
    this.picture = picture;
    this.tiles.splice(0, TILES, ...Array.from({ length: TILES }, () => WAITING));
    this.beganAt = performance.now();
    this.endedAt = undefined;
    this.orphanCount = 0;
    this.#isAnswered = picture.by === this.#mesh.self.id;
    const tabs = this.#mesh.peers.live.filter(({ node }) => !node);
    const first = tabs.find(({ linked }) => linked) ?? tabs[0];
    if (first !== undefined) this.#ask(first);
    this.#changed();
    return true;
  }

  async #work(job: Fields): Promise<void> {
    const picture = pictureIn(job["picture"]);
    const tile = job["tile"];
    // Nobody looks at it any more: then it is done.
    if (!this.#isShown(picture) || !isTile(tile)) return;
    const { id, name, colour } = this.#people.self;
    const by = { id, name, colour };
    this.#begun(tile, by);
    await this.#mesh.say(BEGUN, { picture, tile });
    const pixels = await this.#render(picture.scene, tile);
    if (this.#isShown(picture)) this.#done(tile, by, pixels);
    // Who returns has done it: first the others have the pixels.
    await this.#mesh.say(DONE, { picture, tile, pixels });
  }

  #onBegun({ picture, tile }: Fields, from: Peer): void {
    if (this.#isShown(pictureIn(picture)) && isTile(tile)) this.#begun(tile, this.#workerOf(from));
  }

  #begun(tile: number, by: Worker): void {
    if (this.tiles[tile]?.state !== "done") this.#set(tile, { state: "begun", by });
  }

  #onDone({ picture, tile, pixels, by }: Fields, from: Peer): void {
    if (!isTile(tile) || !(pixels instanceof Uint8Array) || pixels.length !== TILE_BYTES) return;
    if (!this.#isShown(pictureIn(picture))) return;
    const worker = workerIn(by);
    if (worker !== undefined) this.#isAnswered = true;
    this.#done(tile, worker ?? this.#workerOf(from), pixels);
  }

  #done(tile: number, by: Worker, pixels: Uint8Array): void {
    // The first counts: what comes twice is the same.
    if (this.tiles[tile]?.state === "done") return;
    this.#set(tile, { state: "done", by, pixels });
    if (this.doneCount < TILES) return;
    this.endedAt = performance.now();
    this.#changed();
  }

  #onGone({ id }: Peer): void {
    for (const [tile, what] of this.tiles.entries()) {
      if (what.state !== "begun" || what.by.id !== id) continue;
      this.orphanCount++;
      this.#set(tile, WAITING);
    }
  }

  #set(tile: number, what: Tile): void {
    this.tiles[tile] = what;
    this.#changed();
  }

  /** For what was done before we came. */
  #ask(peer: Peer): void {
    const { picture } = this;
    if (picture === undefined || peer.node || this.#isAnswered) return;
    this.#mesh.send(peer, WANTED, { picture }).catch(() => undefined);
  }

  #tell(picture: Picture | undefined, to: Peer): void {
    if (!this.#isShown(picture)) return;
    for (const [tile, what] of this.tiles.entries()) {
      if (what.state !== "done") continue;
      const { by, pixels } = what;
      this.#mesh.send(to, DONE, { picture, tile, pixels, by }).catch(() => undefined);
    }
  }

  #workerOf(peer: Peer): Worker {
    const { id, name, colour } = this.#people.of(peer);
    return { id, name, colour };
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Peers may say anything. */
function fieldsOf(data: unknown): Fields {
  return typeof data === "object" && data !== null ? (data as Fields) : {};
}

function isTile(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < TILES;
}

/** Of one from the far future no later one could be made. */
const AHEAD_MS = 86_400_000;

function pictureIn(value: unknown): Picture | undefined {
  const { at, by, scene } = fieldsOf(value);
  if (!Number.isInteger(at) || Number(at) > Date.now() + AHEAD_MS) return undefined;
  if (typeof by !== "string" || by.length > 64) return undefined;
  if (typeof scene !== "number" || SCENES[scene] === undefined) return undefined;
  return { at: Number(at), by, scene };
}

function workerIn(value: unknown): Worker | undefined {
  const { id, name, colour } = fieldsOf(value);
  if (typeof id !== "string" || typeof name !== "string") return undefined;
  if (!isColour(colour)) return undefined;
  return { id, name: oneLine(name, NAME_LENGTH_MAX), colour };
}
