/** The shared board: cursors, lines and notes, all of them state that each peer sets for itself. */

import { byId } from "../dom.ts";
import type { People } from "../people.ts";
import { oncePerFrame } from "../repaint.ts";
import type { Session } from "../session.ts";
import { throttle } from "../throttle.ts";
import { cursors } from "./cursors.ts";
import { paintInk, pen } from "./ink.ts";
import { notes } from "./notes.ts";
import { BOARD_UNITS, type Place } from "./shapes.ts";

/** How often our cursor is told, ms. */
const CURSOR_EVERY_MS = 50;

export function boardPanel(
  { mesh }: Session,
  people: People,
  changed: (id: string) => void,
): () => void {
  const board = byId("board", HTMLDivElement);
  const canvas = byId("board-ink", HTMLCanvasElement);
  const empty = byId("board-empty", HTMLParagraphElement);
  const addNote = byId("note-add", HTMLButtonElement);

  const placeOf = ({ clientX, clientY }: PointerEvent): Place => {
    const { left, top, width, height } = board.getBoundingClientRect();
    const unit = (part: number): number => Math.round(Math.max(0, Math.min(1, part)) * BOARD_UNITS);
    return { x: unit((clientX - left) / width), y: unit((clientY - top) / height) };
  };
  const refresh = oncePerFrame(() => {
    const everybody = [people.self, ...people.here];
    showCursors(everybody);
    const drawn = paintInk(canvas, everybody);
    const written = showNotes.show(everybody) > 0;
    empty.hidden = drawn || written;
    addNote.disabled = false;
  });
  const ownChanged = (): void => {
    changed(mesh.self.id);
    refresh();
  };
  const showCursors = cursors();
  const showNotes = notes(mesh, placeOf, ownChanged);
  const ink = pen(mesh, ownChanged);

  const point = throttle<Place | undefined>(CURSOR_EVERY_MS, (at) => {
    if (at !== undefined) mesh.set("cursor", [at.x, at.y]);
    else if (mesh.get("cursor") !== undefined) mesh.delete("cursor");
    changed(mesh.self.id);
  });
  board.addEventListener("pointermove", (event) => {
    const at = placeOf(event);
    point(at);
    if (event.buttons !== 0) ink.move(at);
  });
  board.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || (event.target as Element).closest(".note") !== null) return;
    board.setPointerCapture(event.pointerId);
    const at = placeOf(event);
    point(at);
    ink.begin(at);
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    board.addEventListener(end, (event) => {
      ink.end();
      // A finger that is lifted points nowhere; a mouse still does.
      if (event.pointerType !== "mouse") point(undefined);
    });
  }
  board.addEventListener("pointerleave", () => point(undefined));
  addEventListener("blur", () => point(undefined));

  addNote.addEventListener("click", () => {
    if (!showNotes.add()) addNote.disabled = true;
  });
  byId("board-clear", HTMLButtonElement).addEventListener("click", () => {
    ink.clear();
    showNotes.clear();
  });

  for (const pattern of ["cursor", "ink.*", "note.*"]) {
    mesh.know(pattern, (peer) => {
      changed(peer.id);
      refresh();
    });
  }
  new ResizeObserver(refresh).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
  return refresh;
}
