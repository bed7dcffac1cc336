/** How a person appears: a name and one of a few colours, told to the others as `meta`. */

import type { Peer } from "../src/index.browser.ts";
import { oneLine } from "./text.ts";

export interface Profile {
  readonly name: string;
  /** 0 to COLOURS - 1: the variables --peer-0, … of the style sheet. */
  readonly colour: number;
}

/** What a tab tells of itself. */
export interface Told extends Profile {
  /** When it joined by its own clock, ms since 1970: of two with one colour the later one takes another. */
  readonly since: number;
}

export function sinceOf(meta: unknown): number {
  const since = typeof meta === "object" && meta !== null && "since" in meta ? meta.since : 0;
  return typeof since === "number" ? since : 0;
}

export const COLOURS = 8;
export const NAME_LENGTH_MAX = 28;

/** Peers may tell anything; who tells nothing (a Node process) has the name and a colour that follows from its id. */
export function profileOf({
  id,
  name: joinedAs,
  meta,
}: Pick<Peer, "id" | "name" | "meta">): Profile {
  const told: { name?: unknown; colour?: unknown } =
    typeof meta === "object" && meta !== null ? meta : {};
  const name = typeof told.name === "string" ? oneLine(told.name, NAME_LENGTH_MAX) : "";
  return {
    name: name || oneLine(joinedAs, NAME_LENGTH_MAX) || id.slice(0, 8),
    colour: isColour(told.colour) ? told.colour : Number.parseInt(id.slice(0, 6), 16) % COLOURS,
  };
}

export function isColour(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < COLOURS;
}

export function randomColour(): number {
  return Math.floor(Math.random() * COLOURS);
}

/** The first colour that nobody has, from `start` on; `start` if all are taken. */
export function freeColour(taken: ReadonlySet<number>, start: number): number {
  for (let i = 0; i < COLOURS; i++) {
    const colour = (start + i) % COLOURS;
    if (!taken.has(colour)) return colour;
  }
  return start;
}

/** One or two letters for the small pictures. */
export function initials(name: string): string {
  const words = name.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words
    .slice(0, 2)
    .map((word) => Array.from(word.replace(/[^\p{L}\p{N}]/gu, ""))[0]);
  return letters.join("").toUpperCase() || "?";
}
