/** Draws the mesh: links below, then what runs along them, then the peers and their names. */

import { COLOURS, initials } from "../profile.ts";
import { type GraphLink, type GraphNode, NODE_RADIUS } from "./graph-model.ts";
import type { Pulse } from "./pulses.ts";

export interface Theme {
  readonly peers: readonly string[];
  readonly ink: string;
  readonly muted: string;
  readonly surface: string;
  readonly onPeer: string;
  readonly accent: string;
  readonly line: string;
  readonly font: string;
}

/** The colours of the style sheet, which follow light and dark. */
export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  return {
    peers: Array.from({ length: COLOURS }, (_, i) => value(`--peer-${i}`)),
    ink: value("--ink"),
    muted: value("--muted"),
    surface: value("--surface"),
    onPeer: value("--on-peer"),
    accent: value("--accent"),
    line: value("--line-strong"),
    font: value("--sans"),
  };
}

export interface Scene {
  readonly nodes: readonly GraphNode[];
  readonly links: readonly GraphLink[];
  readonly pulses: readonly Pulse[];
  readonly alone: boolean;
  readonly still: boolean;
  readonly now: number;
}

const BIRTH_MS = 450;

/** @param context its origin is the middle of the picture */
export function paint(context: CanvasRenderingContext2D, theme: Theme, scene: Scene): void {
  for (const link of scene.links) paintLink(context, theme, link);
  if (scene.alone && !scene.still) paintCall(context, theme, scene);
  for (const pulse of scene.pulses) paintPulse(context, theme, pulse, scene);
  for (const node of scene.nodes) paintNode(context, theme, node, scene);
}

function paintLink(context: CanvasRenderingContext2D, theme: Theme, link: GraphLink): void {
  const { source, target, own } = link;
  context.globalAlpha = own ? 0.85 : 0.5;
  context.strokeStyle = own ? theme.accent : theme.line;
  context.lineWidth = own ? 2.5 : 1.25;
  context.beginPath();
  context.moveTo(source.x, source.y);
  context.lineTo(target.x, target.y);
  context.stroke();
  context.globalAlpha = 1;
}

/** Rings around who is alone: it calls, and nobody is there yet. */
function paintCall(
  context: CanvasRenderingContext2D,
  theme: Theme,
  { nodes: [self], now }: Scene,
): void {
  if (self === undefined) return;
  context.strokeStyle = theme.accent;
  context.lineWidth = 1.5;
  for (const offset of [0, 0.5]) {
    const share = (now / 2_600 + offset) % 1;
    context.globalAlpha = 0.5 * (1 - share);
    context.beginPath();
    context.arc(self.x, self.y, NODE_RADIUS + share * 36, 0, Math.PI * 2);
    context.stroke();
  }
  context.globalAlpha = 1;
}

function paintPulse(
  context: CanvasRenderingContext2D,
  theme: Theme,
  { from, to, colour, size, startAt, endAt }: Pulse,
  { now, still }: Scene,
): void {
  const share = (now - startAt) / (endAt - startAt);
  // Without motion the link just lights up for the time that the way takes.
  if (share < 0 || share > 1) return;
  const eased = share * share * (3 - 2 * share);
  const [x, y] = [from.x + (to.x - from.x) * eased, from.y + (to.y - from.y) * eased];
  context.strokeStyle = theme.peers[colour] ?? theme.accent;
  context.fillStyle = context.strokeStyle;
  context.lineWidth = size;
  context.globalAlpha = still ? 0.9 : 0.55;
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(still ? to.x : x, still ? to.y : y);
  context.stroke();
  context.globalAlpha = 1;
  if (still) return;
  context.beginPath();
  context.arc(x, y, size * 1.7, 0, Math.PI * 2);
  context.fill();
}

function paintNode(
  context: CanvasRenderingContext2D,
  theme: Theme,
  { x, y, bornAt, person }: GraphNode,
  { now, still }: Scene,
): void {
  const age = still ? 1 : Math.min(1, (now - bornAt) / BIRTH_MS);
  const gone = person.state === "left" || person.state === "down";
  const radius = NODE_RADIUS * (0.4 + 0.6 * age);
  const colour = theme.peers[person.colour] ?? theme.accent;
  const asleep = person.state === "asleep";
  context.globalAlpha = gone || asleep ? 0.45 : age;

  if (person.self) {
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    shape(context, person.peer.node, x, y, radius + 4.5);
    context.stroke();
  }
  // A rim in the colour of the ground, so that links end before the peer.
  context.fillStyle = theme.surface;
  shape(context, person.peer.node, x, y, radius + 2.5);
  context.fill();
  context.fillStyle = gone ? theme.muted : colour;
  shape(context, person.peer.node, x, y, radius);
  context.fill();
  if (person.state === "suspect") {
    context.strokeStyle = theme.ink;
    context.lineWidth = 2;
    context.setLineDash([4, 4]);
    shape(context, person.peer.node, x, y, radius + 5);
    context.stroke();
    context.setLineDash([]);
  }

  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = theme.onPeer;
  context.font = `650 12px ${theme.font}`;
  context.fillText(initials(person.name), x, y + 0.5);
  if (asleep) paintSleep(context, theme, x + radius, y - radius);

  const name = person.self ? "you" : clip(person.name);
  context.font = `${person.self ? 650 : 500} 12px ${theme.font}`;
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = theme.surface;
  context.strokeText(name, x, y + radius + 14);
  context.fillStyle = gone || asleep ? theme.muted : theme.ink;
  context.fillText(name, x, y + radius + 14);
  context.globalAlpha = 1;
}

function paintSleep(context: CanvasRenderingContext2D, theme: Theme, x: number, y: number): void {
  context.globalAlpha = 1;
  context.fillStyle = theme.muted;
  for (const [step, size] of [13, 10].entries()) {
    context.font = `700 ${size}px ${theme.font}`;
    context.fillText("z", x + 9 * step, y - 6 * step);
  }
}

/** A circle for a tab, a hexagon for a Node process. */
function shape(
  context: CanvasRenderingContext2D,
  node: boolean,
  x: number,
  y: number,
  radius: number,
): void {
  context.beginPath();
  if (!node) {
    context.arc(x, y, radius, 0, Math.PI * 2);
    return;
  }
  for (let i = 0; i < 6; i++) {
    const angle = (i / 6) * Math.PI * 2 + Math.PI / 6;
    context.lineTo(x + Math.cos(angle) * radius * 1.08, y + Math.sin(angle) * radius * 1.08);
  }
  context.closePath();
}

function clip(name: string): string {
  const characters = Array.from(name);
  return characters.length <= 16 ? name : `${characters.slice(0, 15).join("")}…`;
}
