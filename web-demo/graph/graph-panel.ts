/** The picture of the mesh. It is painted while something moves, and not otherwise. */

import type { Mesh } from "../../src/index.browser.ts";
import { byId, setText } from "../dom.ts";
import type { People } from "../people.ts";
import { count } from "../text.ts";
import { GraphModel, type GraphNode } from "./graph-model.ts";
import { paint, readTheme } from "./graph-paint.ts";
import { type Pulse, pulsesFrom } from "./pulses.ts";

export interface GraphPanel {
  refresh(): void;
  /** Something of this peer travels through the mesh. */
  pulse(id: string, kind: "said" | "set"): void;
}

const PULSE_SIZE = { said: 4, set: 1.8 };

/** Between two pulses of one peer's state, ms: a moving cursor is no fireworks. */
const SET_EVERY_MS = 700;

export function graphPanel(mesh: Mesh, people: People): GraphPanel {
  const canvas = byId("graph", HTMLCanvasElement);
  const note = byId("mesh-note", HTMLParagraphElement);
  const hint = byId("hint", HTMLElement);
  const model = new GraphModel();
  const wantsStill = matchMedia("(prefers-reduced-motion: reduce)");
  let theme = readTheme();
  let pulses: Pulse[] = [];
  let asked = false;
  let size = { width: 0, height: 0 };
  const setAt = new Map<string, number>();

  const draw = (now: number): void => {
    asked = false;
    const context = canvas.getContext("2d");
    if (context === null || size.width === 0) return;
    pulses = pulses.filter(({ endAt }) => endAt > now);
    if (model.moving) {
      if (wantsStill.matches) model.settle();
      else model.tick();
    }
    const scale = devicePixelRatio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const middle = hint.hidden ? 0 : -52;
    context.setTransform(scale, 0, 0, scale, canvas.width / 2, canvas.height / 2 + middle * scale);
    const { nodes, links } = model;
    const young = nodes.some(({ bornAt }) => now - bornAt < 500);
    const alone = !hint.hidden;
    paint(context, theme, { nodes, links, pulses, alone, still: wantsStill.matches, now });
    const calls = alone && !wantsStill.matches;
    if (model.moving || pulses.length > 0 || young || calls) ask();
  };
  const ask = (): void => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(draw);
  };

  new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (width === 0) return;
    size = { width, height };
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    model.resize(width, height);
    ask();
  }).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    theme = readTheme();
    ask();
  });
  dragging(canvas, model, ask);

  return {
    refresh() {
      model.update(people.shown, performance.now());
      const links = model.links.length;
      hint.hidden = model.nodes.length > 1;
      // Who was among others was not the first.
      if (hint.hidden) setText(byId("hint-title", HTMLElement), "Nobody else is here now.");
      setText(note, links === 0 ? "No link yet" : `${count(links, "link")} over WebRTC`);
      ask();
    },
    pulse(id, kind) {
      const now = performance.now();
      const origin = model.nodes.find((node) => node.id === id);
      if (origin === undefined || (id !== mesh.self.id && mesh.peers.get(id) === undefined)) return;
      if (kind === "set") {
        if (now - (setAt.get(id) ?? Number.NEGATIVE_INFINITY) < SET_EVERY_MS) return;
        setAt.set(id, now);
      }
      if (pulses.length < 400)
        pulses.push(...pulsesFrom(origin, model.links, now, PULSE_SIZE[kind]));
      ask();
    },
  };
}

/** Peers can be taken and moved about. It changes nothing, it is only nice. */
function dragging(canvas: HTMLCanvasElement, model: GraphModel, ask: () => void): void {
  let held: GraphNode | undefined;
  const place = ({ clientX, clientY }: PointerEvent): { x: number; y: number } => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return { x: clientX - left - width / 2, y: clientY - top - height / 2 };
  };
  canvas.addEventListener("pointerdown", (event) => {
    const { x, y } = place(event);
    held = model.nodeAt(x, y);
    if (held !== undefined) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = place(event);
    canvas.style.cursor = (held ?? model.nodeAt(at.x, at.y)) ? "grab" : "";
    if (held === undefined) return;
    model.drag(held, at);
    ask();
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(end, () => {
      if (held !== undefined) model.drag(held, undefined);
      held = undefined;
      ask();
    });
  }
}
