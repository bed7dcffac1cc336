/** Runs in a worker of the page, so that the page goes on while a tile is rendered. */

import { renderTile } from "./tiles.ts";

addEventListener("message", ({ data }: MessageEvent<readonly [scene: number, tile: number]>) => {
  const pixels = renderTile(...data);
  postMessage(pixels, { transfer: [pixels.buffer] });
});
