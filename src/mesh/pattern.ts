/**
 * Names with wildcards. Segments are separated by `.` or `:`; `*` stands for one segment, `**` for any number of
 * them, none included. `chat.*` matches `chat.message` and not `chat`; `chat.**` matches both.
 */

import { RESERVED } from "../core/part.ts";
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
  if (name.startsWith(RESERVED)) {
    throw new HearsayError("name:bad", `a name does not begin with a NUL: got ${show(name)}`);
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
  return (name) => matches(segments, name.split(SEPARATOR));
}

/** Only the last `**` is ever tried again, so that no name makes this slow. */
function matches(pattern: readonly string[], name: readonly string[]): boolean {
  let p = 0;
  let n = 0;
  let afterStars = -1;
  let retryAt = 0;
  while (n < name.length) {
    const segment = pattern[p];
    if (segment === "**") {
      afterStars = ++p;
      retryAt = n;
    } else if (segment !== undefined && (segment === "*" || segment === name[n])) {
      p++;
      n++;
    } else if (afterStars < 0) {
      return false;
    } else {
      p = afterStars;
      n = ++retryAt;
    }
  }
  while (pattern[p] === "**") p++;
  return p === pattern.length;
}

function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : typeof value;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
