/** Text from others on a terminal: what a peer chose as its name must not move the cursor or change the title. */

import process from "node:process";
import { styleText } from "node:util";

/** Controls, line separators, and what turns the direction of text around and so hides it. */
const HOSTILE = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** What one piece of foreign text may take on the screen, in characters. */
const SHOWN_LENGTH_MAX = 1_000;

export function harmless(text: string): string {
  const shown = text.slice(0, SHOWN_LENGTH_MAX).replace(HOSTILE, "\u{fffd}");
  return text.length > SHOWN_LENGTH_MAX ? `${shown}… (${text.length} characters)` : shown;
}

/** A line of JSON, valid as any and safe on a terminal as well. */
export function jsonLine(value: object): string {
  return JSON.stringify(value, plainValue).replace(
    HOSTILE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A value as people read it. */
export function shown(value: unknown): string {
  return harmless(JSON.stringify(value, plainValue) ?? "nothing");
}

/** JSON has neither bytes nor large integers. */
function plainValue(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  return typeof value === "bigint" ? String(value) : value;
}

type Style = Parameters<typeof styleText>[0];

/** Styled where a person looks at it and did not ask for plain text. */
export function styled(style: Style, text: string): string {
  const plain = !process.stdout.isTTY || (process.env["NO_COLOR"] ?? "") !== "";
  return plain ? text : styleText(style, text);
}
