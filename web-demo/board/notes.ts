/** Notes on the board: everybody reads them, and only who wrote one can change, move and delete it. */

import type { Mesh } from "../../src/index.browser.ts";
import { byId, element, setAttribute, setText } from "../dom.ts";
import type { Person } from "../people.ts";
import { throttle } from "../throttle.ts";
import {
  BOARD_UNITS,
  NOTE_LENGTH_MAX,
  NOTES_MAX,
  type Note,
  numbered,
  type Place,
  readNote,
} from "./shapes.ts";

const KEYS = numbered("note", NOTES_MAX);
const EVERY_MS = 100;

/** How far an arrow key moves a note, units. */
const KEY_STEP = 25;

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface Shown {
  readonly root: HTMLLIElement;
  show(note: Note, person: Person): void;
}

export interface Notes {
  /** @returns how many there are */
  show(people: readonly Person[]): number;
  /** False when all our notes are in use. */
  add(): boolean;
  clear(): void;
}

export function notes(
  mesh: Mesh,
  placeOf: (event: PointerEvent) => Place,
  changed: () => void,
): Notes {
  const list = byId("board-notes", HTMLUListElement);
  const shown = new Map<string, Shown>();
  return {
    show(people) {
      const present = new Set<string>();
      for (const person of people) {
        for (const key of KEYS) {
          const note = readNote(person.peer.get(key));
          if (note === undefined) continue;
          const id = `${person.id} ${key}`;
          present.add(id);
          let made = shown.get(id);
          if (made === undefined) {
            made = person.self ? ownNote(mesh, key, placeOf, changed) : otherNote();
            shown.set(id, made);
            list.append(made.root);
          }
          made.show(note, person);
        }
      }
      for (const [id, { root }] of shown) {
        if (present.has(id)) continue;
        root.remove();
        shown.delete(id);
      }
      return present.size;
    },
    add() {
      const key = KEYS.find((key) => mesh.get(key) === undefined);
      if (key === undefined) return false;
      const at = (): number => Math.round(80 + Math.random() * 560);
      mesh.set(key, { x: at(), y: at(), text: "" });
      this.show([{ id: mesh.self.id, peer: mesh.self, self: true } as Person]);
      changed();
      return true;
    },
    clear() {
      for (const key of KEYS) if (mesh.get(key) !== undefined) mesh.delete(key);
      changed();
    },
  };
}

function place(root: HTMLElement, note: Place, person: Person): void {
  root.style.setProperty("--x", String(note.x));
  root.style.setProperty("--y", String(note.y));
  setAttribute(root, "data-colour", String(person.colour));
}

function otherNote(): Shown {
  const by = element("span", { class: "note-by", attributes: { dir: "auto" } });
  const text = element("p", { class: "note-text", attributes: { dir: "auto" } });
  const head = element("div", { class: "note-head" }, by);
  const root = element("li", { class: "note" }, head, text);
  return {
    root,
    show(note, person) {
      place(root, note, person);
      setText(by, person.name);
      setText(text, note.text || "…");
    },
  };
}

function ownNote(
  mesh: Mesh,
  key: string,
  placeOf: (event: PointerEvent) => Place,
  changed: () => void,
): Shown {
  const move = element("button", {
    class: "note-move",
    text: "your note",
    attributes: { type: "button", title: "Drag it, or use the arrow keys" },
  });
  move.setAttribute("aria-label", "Your note: move it with the arrow keys");
  const close = element("button", {
    text: "✕",
    attributes: { type: "button", "aria-label": "Delete your note" },
  });
  const text = element("textarea", {
    class: "note-text",
    attributes: {
      "aria-label": "Text of your note",
      maxlength: String(NOTE_LENGTH_MAX),
      rows: "3",
      placeholder: "Write …",
    },
  });
  const head = element("div", { class: "note-head" }, move, close);
  const root = element("li", { class: "note note-own" }, head, text);

  let at: Place = { x: 0, y: 0 };
  const save = throttle<Note>(EVERY_MS, (note) => {
    mesh.set(key, note);
    changed();
  });
  const moveTo = (x: number, y: number): void => {
    const clamp = (n: number): number => Math.round(Math.max(0, Math.min(BOARD_UNITS - 160, n)));
    at = { x: clamp(x), y: clamp(y) };
    root.style.setProperty("--x", String(at.x));
    root.style.setProperty("--y", String(at.y));
    save({ ...at, text: text.value });
  };
  text.addEventListener("input", () => save({ ...at, text: text.value }));
  close.addEventListener("click", () => {
    save.cancel();
    mesh.delete(key);
    changed();
    byId("note-add", HTMLButtonElement).focus();
  });
  move.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    moveTo(at.x + step[0] * KEY_STEP, at.y + step[1] * KEY_STEP);
  });
  let grip: Place | undefined;
  move.addEventListener("pointerdown", (event) => {
    const { x, y } = placeOf(event);
    grip = { x: x - at.x, y: y - at.y };
    move.setPointerCapture(event.pointerId);
  });
  move.addEventListener("pointermove", (event) => {
    if (grip === undefined) return;
    const { x, y } = placeOf(event);
    moveTo(x - grip.x, y - grip.y);
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    move.addEventListener(end, () => {
      grip = undefined;
    });
  }
  let fresh = true;
  return {
    root,
    show(note, person) {
      if (fresh) {
        fresh = false;
        at = note;
        text.value = note.text;
        queueMicrotask(() => text.focus({ preventScroll: true }));
      }
      place(root, at, person);
    },
  };
}
