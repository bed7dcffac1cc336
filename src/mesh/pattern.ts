/**
 * Names with wildcards. Segments are separated by `.` or `:`; `*` stands for one segment, `**` for any number of
 * them, none included. `chat.*` matches `chat.message` and not `chat`; `chat.**` matches both.
 */

import { HearsayError } from "../errors.ts";

/** Characters of a name or key. Four bytes each still fit the wire's 256. */
const NAME_LENGTH_MAX = 64;

const SEPARATOR = /[.:]/;

/** @throws HearsayError `name:bad` for what is no name, or has wildcards in it */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== "string" || name === "" || name.length > NAME_LENGTH_MAX) {
    throw new HearsayError(
      "name:bad",
      `a name has 1 to ${NAME_LENGTH_MAX} characters: got ${show(name)}`,
    );
  }
  if (name.includes("*")) {
    throw new HearsayError(
      "name:bad",
      `* stands for others only where one listens: got ${show(name)}`,
    );
  }
}

/** @throws HearsayError `name:bad` */
export function matcherOf(pattern: unknown): (name: string) => boolean {
  if (typeof pattern !== "string" || pattern === "" || pattern.length > NAME_LENGTH_MAX) {
    throw new HearsayError(
      "name:bad",
      `a pattern has 1 to ${NAME_LENGTH_MAX} characters: got ${show(pattern)}`,
    );
  }
  if (!pattern.includes("*")) return (name) => name === pattern;
  const segments = pattern.split(SEPARATOR);
  return (name) => matches(segments, 0, name.split(SEPARATOR), 0);
}

function matches(
  pattern: readonly string[],
  p: number,
  name: readonly string[],
  n: number,
): boolean {
  const segment = pattern[p];
  if (segment === undefined) return n === name.length;
  if (segment === "**") {
    if (p === pattern.length - 1) return true;
    for (let skip = n; skip <= name.length; skip++) {
      if (matches(pattern, p + 1, name, skip)) return true;
    }
    return false;
  }
  if (n >= name.length || (segment !== "*" && segment !== name[n])) return false;
  return matches(pattern, p + 1, name, n + 1);
}

function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : typeof value;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
