/** Where the others point. A cursor is a value of its owner: it goes when its owner goes. */

import { byId, element, icon, setAttribute, setText } from "../dom.ts";
import type { Person } from "../people.ts";
import { readCursor } from "./shapes.ts";

const ARROW = "M3 2.5 20 11.5 12.2 13.4 8.6 20.8Z";

export function cursors(): (people: readonly Person[]) => void {
  const layer = byId("board-cursors", HTMLElement);
  const shown = new Map<string, { readonly root: HTMLElement; readonly name: HTMLElement }>();
  return (people) => {
    const present = new Set<string>();
    for (const person of people) {
      const at = person.self ? undefined : readCursor(person.peer.get("cursor"));
      if (at === undefined) continue;
      present.add(person.id);
      let cursor = shown.get(person.id);
      if (cursor === undefined) {
        const name = element("span", { attributes: { dir: "auto" } });
        const root = element("div", { class: "cursor" }, icon(ARROW), name);
        cursor = { root, name };
        shown.set(person.id, cursor);
        layer.append(root);
      }
      const { root, name } = cursor;
      setText(name, person.name);
      setAttribute(root, "data-colour", String(person.colour));
      setAttribute(root, "data-side", at.x > 740 ? "left" : undefined);
      root.style.setProperty("--x", String(at.x));
      root.style.setProperty("--y", String(at.y));
    }
    for (const [id, { root }] of shown) {
      if (present.has(id)) continue;
      root.remove();
      shown.delete(id);
    }
  };
}
