/** Lines drawn on the board: each is one value of who drew it, written again as it grows. */

import type { Mesh } from "../../src/index.browser.ts";
import type { Person } from "../people.ts";
import { COLOURS } from "../profile.ts";
import { throttle } from "../throttle.ts";
import {
  BOARD_UNITS,
  LINE_LENGTH_MAX,
  LINES_MAX,
  numbered,
  type Place,
  readLine,
} from "./shapes.ts";

const KEYS = numbered("ink", LINES_MAX);

/** Points closer than this add nothing to a line, units. */
const STEP = 5;
const EVERY_MS = 60;

export interface Pen {
  begin(at: Place): void;
  move(at: Place): void;
  end(): void;
  clear(): void;
}

/** @param drawn called after every own change, which is painted at once */
export function pen(mesh: Mesh, drawn: () => void): Pen {
  let slot = -1;
  let line: number[] = [];
  const write = throttle<{ readonly key: string; readonly line: readonly number[] }>(
    EVERY_MS,
    ({ key, line }) => {
      mesh.set(key, line);
      drawn();
    },
  );
  const grow = ({ x, y }: Place): void => {
    line.push(x, y);
    const key = KEYS[slot];
    if (key !== undefined) write({ key, line: [...line] });
  };
  const begin = (at: Place): void => {
    // When all slots are used the oldest line makes room.
    slot = (slot + 1) % LINES_MAX;
    line = [];
    grow(at);
  };
  return {
    begin,
    move(at) {
      if (line.length === 0) return;
      const [x = 0, y = 0] = line.slice(-2);
      if (Math.hypot(at.x - x, at.y - y) < STEP) return;
      grow(at);
      if (line.length >= LINE_LENGTH_MAX) begin(at);
    },
    end() {
      line = [];
    },
    clear() {
      write.cancel();
      for (const key of KEYS) if (mesh.get(key) !== undefined) mesh.delete(key);
      slot = -1;
      line = [];
      drawn();
    },
  };
}

/** @returns whether there is any line */
export function paintInk(canvas: HTMLCanvasElement, people: readonly Person[]): boolean {
  const context = canvas.getContext("2d");
  const side = Math.round(canvas.clientWidth * devicePixelRatio);
  if (context === null || side === 0) return false;
  if (canvas.width !== side) {
    canvas.width = side;
    canvas.height = side;
  }
  const style = getComputedStyle(document.documentElement);
  const colours = Array.from({ length: COLOURS }, (_, i) => style.getPropertyValue(`--peer-${i}`));
  context.setTransform(side / BOARD_UNITS, 0, 0, side / BOARD_UNITS, 0, 0);
  context.clearRect(0, 0, BOARD_UNITS, BOARD_UNITS);
  context.lineCap = "round";
  context.lineJoin = "round";
  context.lineWidth = Math.max(6, (3 * BOARD_UNITS) / canvas.clientWidth);
  let any = false;
  for (const { peer, colour } of people) {
    context.strokeStyle = colours[colour] ?? "";
    for (const key of KEYS) {
      const line = readLine(peer.get(key));
      if (line === undefined) continue;
      any = true;
      stroke(context, line);
    }
  }
  return any;
}

function stroke(context: CanvasRenderingContext2D, line: readonly number[]): void {
  const [x = 0, y = 0] = line;
  context.beginPath();
  context.moveTo(x, y);
  // Through the middles of the points, so that a quick hand draws curves and no corners.
  for (let i = 2; i + 3 < line.length; i += 2) {
    const [px = 0, py = 0, nx = 0, ny = 0] = line.slice(i, i + 4);
    context.quadraticCurveTo(px, py, (px + nx) / 2, (py + ny) / 2);
  }
  const [lastX = x, lastY = y] = line.slice(-2);
  context.lineTo(lastX, lastY);
  context.stroke();
}
