/** Any value in one short line. Work and length are bounded, whatever a peer has set. */

const DEPTH_MAX = 3;
const ITEMS_MAX = 8;

export function preview(value: unknown, lengthMax = 120): string {
  const text = show(value, 0, lengthMax);
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…` : text;
}

function show(value: unknown, depth: number, room: number): string {
  if (typeof value === "string") {
    const shown = value.slice(0, room + 1);
    return depth === 0 ? shown.replace(/\p{Cc}+/gu, " ") : JSON.stringify(shown);
  }
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "a date" : value.toISOString();
  if (typeof value !== "object" || value === null) return String(value);
  if (depth >= DEPTH_MAX) return "…";
  return Array.isArray(value) ? showList(value, depth, room) : showObject(value, depth, room);
}

function showList(list: readonly unknown[], depth: number, room: number): string {
  const items = list.slice(0, ITEMS_MAX).map((item) => show(item, depth + 1, room));
  return `[${items.join(", ")}${list.length > ITEMS_MAX ? `, … ${list.length} in all` : ""}]`;
}

function showObject(value: object, depth: number, room: number): string {
  const items: string[] = [];
  for (const key in value) {
    if (items.length === ITEMS_MAX) {
      items.push("…");
      break;
    }
    if (!Object.hasOwn(value, key)) continue;
    const item = show(Reflect.get(value, key), depth + 1, room);
    items.push(`${key.slice(0, room)}: ${item}`);
  }
  return items.length === 0 ? "{}" : `{ ${items.join(", ")} }`;
}
