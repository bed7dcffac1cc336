/**
 * What peers set for the board, read from whatever they set:
 * `cursor` is `[x, y]`; `note.0` to `note.7` are `{ x, y, text }`; `ink.0` to `ink.23` are lists `[x, y, x, y, …]`.
 * The board has 1000 by 1000 units.
 */

import { paragraph } from "../text.ts";

export const BOARD_UNITS = 1_000;
export const NOTES_MAX = 8;
export const LINES_MAX = 24;
/** Numbers of one line: two for each point. */
export const LINE_LENGTH_MAX = 400;
export const NOTE_LENGTH_MAX = 200;

export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface Note extends Place {
  readonly text: string;
}

function isUnit(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= BOARD_UNITS;
}

export function readCursor(value: unknown): Place | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [x, y]: unknown[] = value;
  return isUnit(x) && isUnit(y) ? { x, y } : undefined;
}

export function readNote(value: unknown): Note | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { x, y, text }: { x?: unknown; y?: unknown; text?: unknown } = value;
  if (!isUnit(x) || !isUnit(y) || typeof text !== "string") return undefined;
  return { x, y, text: paragraph(text, NOTE_LENGTH_MAX) };
}

export function readLine(value: unknown): readonly number[] | undefined {
  if (!Array.isArray(value) || value.length < 2 || value.length > LINE_LENGTH_MAX) return undefined;
  const line: unknown[] = value;
  return line.length % 2 === 0 && line.every(isUnit) ? line : undefined;
}

export function numbered(prefix: string, many: number): readonly string[] {
  return Array.from({ length: many }, (_, i) => `${prefix}.${i}`);
}
