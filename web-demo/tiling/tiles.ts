/** Pictures that are rendered tile by tile, and the queue of those jobs. Pure, and the same in tabs and in Node. */

import type { QueueOptions } from "../../src/index.browser.ts";

export const COLUMNS = 12;
export const ROWS = 8;
export const TILES = COLUMNS * ROWS;
/** Pixels, each a byte. */
export const TILE_SIDE = 64;
export const TILE_BYTES = TILE_SIDE * TILE_SIDE;

export const QUEUE = "work";
/** Said of a tile by who is at it. */
export const BEGUN = "work.begun";
export const DONE = "work.done";

/** Nobody needs a picture tomorrow: its jobs live in the memory of a few members. */
export const QUEUE_OPTIONS: QueueOptions = {
  kind: "queue",
  durable: false,
  // Long for a tile, short for who waits for one of a tab that is gone.
  leaseMs: 4_000,
  backoff: { minMs: 100 },
  // Where most of those that hold a job are gone, the others do not wait for them: a tile done twice is no harm.
  rehomeMs: 3_000,
};

interface Scene {
  readonly name: string;
  /** Of the middle. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly steps: number;
  /** Where the round of colours begins: after twice as many iterations it is half over. */
  readonly base: number;
  /** Of a Julia set. */
  readonly c?: readonly [number, number];
}

export const SCENES: readonly [Scene, ...Scene[]] = [
  { name: "A double spiral", x: -0.7452, y: 0.1082, width: 0.0011, steps: 2_400, base: 60 },
  { name: "Seahorse valley", x: -0.7458, y: 0.1127, width: 0.0115, steps: 1_500, base: 24 },
  { name: "The whole set", x: -0.68, y: 0, width: 3.2, steps: 1_200, base: 3 },
  { name: "A Julia set", x: 0, y: 0, width: 3.1, steps: 1_600, base: 5, c: [-0.8, 0.156] },
  { name: "Elephant valley", x: 0.2815, y: 0.0125, width: 0.0095, steps: 1_000, base: 14 },
];

/** Each pixel is the mean of so many by so many. */
const SAMPLES = 3;

/** Beyond this radius, squared, nothing comes back; larger than 4 for smooth colours. */
const ESCAPE = 256;

/** One byte for each pixel: 0 inside of the set, else a place in the round of colours, 1 to 255. */
export function renderTile(sceneIndex: number, tile: number): Uint8Array<ArrayBuffer> {
  const scene = SCENES[sceneIndex] ?? SCENES[0];
  const pixels = new Uint8Array(TILE_BYTES);
  const pixel = scene.width / (COLUMNS * TILE_SIDE);
  const left = scene.x - scene.width / 2 + (tile % COLUMNS) * TILE_SIDE * pixel;
  const top = scene.y - (ROWS * TILE_SIDE * pixel) / 2;
  const first = top + Math.floor(tile / COLUMNS) * TILE_SIDE * pixel;
  for (let i = 0; i < TILE_BYTES; i++) {
    const x = left + (i % TILE_SIDE) * pixel;
    const y = first + Math.floor(i / TILE_SIDE) * pixel;
    pixels[i] = shade(scene, x, y, pixel / SAMPLES);
  }
  return pixels;
}

function shade(scene: Scene, x: number, y: number, step: number): number {
  let sum = 0;
  let outside = 0;
  for (let i = 0; i < SAMPLES * SAMPLES; i++) {
    const steps = stepsOut(scene, x + (i % SAMPLES) * step, y + Math.floor(i / SAMPLES) * step);
    if (steps === undefined) continue;
    sum += steps;
    outside++;
  }
  if (outside * 2 < SAMPLES * SAMPLES) return 0;
  const turns = Math.max(0, Math.log2(sum / outside / scene.base) / 2);
  return 1 + (Math.floor(turns * 255) % 255);
}

/** After how many iterations a point is out, with a fraction; undefined: never, as far as we look. */
function stepsOut({ c, steps }: Scene, x: number, y: number): number | undefined {
  const [cx, cy] = c ?? [x, y];
  let [zx, zy] = [x, y];
  for (let n = 0; n < steps; n++) {
    const [xx, yy] = [zx * zx, zy * zy];
    if (xx + yy > ESCAPE) return Math.max(0, n + 1 - Math.log2(Math.log2(xx + yy) / 2));
    zy = 2 * zx * zy + cy;
    zx = xx - yy + cx;
  }
  return undefined;
}

/** Red, green and blue of each byte. */
export function palette(): readonly (readonly [number, number, number])[] {
  return Array.from({ length: 256 }, (_, byte) => (byte === 0 ? INSIDE : blend((byte - 1) / 255)));
}

const INSIDE = [8, 6, 20] as const;

/** Around once: the last is the first again. */
const STOPS: readonly (readonly [at: number, r: number, g: number, b: number])[] = [
  [0, 22, 16, 70],
  [0.2, 52, 86, 190],
  [0.42, 232, 246, 252],
  [0.62, 248, 178, 62],
  [0.82, 138, 34, 76],
  [1, 22, 16, 70],
];

function blend(at: number): readonly [number, number, number] {
  const next = Math.max(
    1,
    STOPS.findIndex(([stop]) => stop >= at),
  );
  const [to, ...after] = STOPS[next] as (typeof STOPS)[number];
  const [from, ...before] = STOPS[next - 1] as (typeof STOPS)[number];
  const share = (at - from) / (to - from);
  const mix = (i: 0 | 1 | 2): number => Math.round(before[i] + (after[i] - before[i]) * share);
  return [mix(0), mix(1), mix(2)];
}
