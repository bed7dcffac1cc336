/** Draws the picture: its tiles as they are done, and who is at which. */

import { COLOURS } from "../profile.ts";
import { COLUMNS, palette, ROWS, TILE_SIDE } from "./tiles.ts";
import type { Tile } from "./workshop.ts";

const colours = palette();
const FRAME = 4;
const MARK = 17;

/** What each tile is shown as: one that has not changed is not drawn again. */
const drawn = new WeakMap<HTMLCanvasElement, { readonly looks: string; readonly tiles: Tile[] }>();

/** @param showsWho each tile carries the colour of who has done it */
export function paintTiles(
  canvas: HTMLCanvasElement,
  tiles: readonly Tile[],
  showsWho: boolean,
): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const style = getComputedStyle(canvas);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  const theme = Array.from({ length: COLOURS }, (_, i) => value(`--peer-${i}`));
  const looks = [showsWho, ...theme].join();
  const before = drawn.get(canvas);
  const known = before?.looks === looks ? before.tiles : [];
  for (let i = 0; i < COLUMNS * ROWS; i++) {
    const tile = tiles[i] ?? { state: "waiting" };
    if (known[i] === tile) continue;
    known[i] = tile;
    const x = (i % COLUMNS) * TILE_SIDE;
    const y = Math.floor(i / COLUMNS) * TILE_SIDE;
    context.clearRect(x, y, TILE_SIDE, TILE_SIDE);
    if (tile.state === "done") context.putImageData(imageOf(tile.pixels), x, y);
    if (tile.state === "waiting" || (tile.state === "done" && !showsWho)) continue;
    const colour = theme[tile.by.colour] ?? "";
    if (tile.state === "done") mark(context, colour, x, y);
    else frame(context, colour, x, y);
  }
  drawn.set(canvas, { looks, tiles: known });
}

function imageOf(pixels: Uint8Array): ImageData {
  const image = new ImageData(TILE_SIDE, TILE_SIDE);
  for (const [i, byte] of pixels.entries()) image.data.set([...(colours[byte] ?? []), 255], i * 4);
  return image;
}

/** Somebody is at it. */
function frame(context: CanvasRenderingContext2D, colour: string, x: number, y: number): void {
  context.globalAlpha = 0.16;
  context.fillStyle = colour;
  context.fillRect(x, y, TILE_SIDE, TILE_SIDE);
  context.globalAlpha = 1;
  context.strokeStyle = colour;
  context.lineWidth = FRAME;
  const inset = FRAME / 2 + 2;
  context.strokeRect(x + inset, y + inset, TILE_SIDE - 2 * inset, TILE_SIDE - 2 * inset);
}

/** Done: a breath of the colour over it, and a corner in full. */
function mark(context: CanvasRenderingContext2D, colour: string, x: number, y: number): void {
  context.globalAlpha = 0.22;
  context.fillStyle = colour;
  context.fillRect(x, y, TILE_SIDE, TILE_SIDE);
  context.globalAlpha = 1;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + MARK, y);
  context.lineTo(x, y + MARK);
  context.fill();
  // Seen also where the picture has that colour.
  context.beginPath();
  context.moveTo(x + MARK + 1, y);
  context.lineTo(x, y + MARK + 1);
  context.strokeStyle = "rgb(255 255 255 / 75%)";
  context.lineWidth = 2;
  context.stroke();
}
