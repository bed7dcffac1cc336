/** What is connected: the health of the mesh in words, and the signaling server with its plug. */

import type { HealthState, Seed } from "../../src/index.browser.ts";
import { byId, setAttribute, setText } from "../dom.ts";
import type { Session } from "../session.ts";
import { count, oneLine } from "../text.ts";

export function connectionPanel({ mesh, server }: Session, refresh: () => void): () => void {
  const badge = byId("health-badge", HTMLSpanElement);
  const words = byId("health-text", HTMLSpanElement);
  const dot = byId("server-dot", HTMLElement);
  const state = byId("server-state", HTMLSpanElement);
  const host = byId("server-host", HTMLSpanElement);
  if (server !== undefined) setText(host, ` ${new URL(server).host}`);
  const note = byId("server-note", HTMLSpanElement);
  const button = byId("server-button", HTMLButtonElement);
  button.addEventListener("click", () => {
    if (server !== undefined) mesh.addSeed(server) || mesh.seeds.forEach(act);
    refresh();
  });
  mesh.on("seed", refresh);
  mesh.on("health", refresh);
  return () => {
    const { health } = mesh;
    const [seed] = mesh.seeds;
    setAttribute(badge, "data-state", health.state);
    setText(badge, health.state);
    setText(words, healthWords(health.state, health.linkCount, health.peerCount, health.why));
    setAttribute(dot, "data-state", seed?.state ?? "none");
    setText(state, serverWords(seed));
    setText(note, serverNote(seed, health.linkCount));
    button.hidden = server === undefined;
    setText(button, BUTTON[seed?.state ?? "closed"]);
  };
}

const BUTTON: Record<Seed["state"], string> = {
  connecting: "Disconnect server",
  up: "Disconnect server",
  waiting: "Try again now",
  refused: "Try again now",
  self: "Disconnect server",
  paused: "Connect server",
  closed: "Connect server",
};

function act(seed: Seed): void {
  if (seed.state === "paused") return seed.resume();
  const again = seed.state === "waiting" || seed.state === "refused";
  seed.pause();
  if (again) seed.resume();
}

function healthWords(state: HealthState, links: number, peers: number, why: string): string {
  if (links > 0) {
    const linked = `Linked with ${links === peers ? count(peers, "peer") : `${links} of ${peers} peers`}`;
    return state === "ok" ? linked : `${linked}, without the server: the mesh lives on`;
  }
  if (state === "alone") return "Connected to the server; nobody else is here yet";
  return why.charAt(0).toUpperCase() + why.slice(1);
}

function serverWords(seed: Seed | undefined): string {
  switch (seed?.state) {
    case undefined:
      return "not used";
    case "up":
      return "connected";
    case "connecting":
      return "connecting …";
    case "waiting":
      return "not reachable, trying again";
    case "refused":
      return `refused us: ${oneLine(seed.reason ?? "no reason given", 80)}`;
    default:
      return "disconnected";
  }
}

function serverNote(seed: Seed | undefined, links: number): string {
  if (seed?.state === "up") {
    return links > 0
      ? "It only introduces newcomers. Disconnect it: chat, board and links live on."
      : "It introduces newcomers, and carries nothing of what they say.";
  }
  if (links > 0)
    return "Nobody needs it: try the chat. New links are arranged through the mesh itself.";
  return "An invitation works without it.";
}
