/** What happened, line by line: the events of the mesh as they come. */

import type { Mesh } from "../../src/index.browser.ts";
import { byId, element, setText } from "../dom.ts";
import type { People } from "../people.ts";
import { count, oneLine, timeOf } from "../text.ts";

const LINES_MAX = 300;
const KINDS = { peers: "Peers", links: "Links", server: "Server", health: "Health" } as const;

type Kind = keyof typeof KINDS;
type Tone = "good" | "warn" | "bad";

type Write = (kind: Kind, text: string, tone?: Tone) => void;

export function logPanel(mesh: Mesh, people: People, announce: (text: string) => void): void {
  const write = logLines();
  const name = (peer: Parameters<People["of"]>[0] | undefined): string =>
    peer === undefined ? "somebody" : people.of(peer).name;

  mesh.on("peer:join", (peer) => {
    const text = `${name(peer)} joined${peer.node ? " (Node process)" : ""}`;
    write("peers", text, "good");
    announce(text);
  });
  const away = new Set<string>();
  mesh.on("peer:asleep", (peer) => {
    away.add(peer.id);
    write("peers", `${name(peer)} is asleep: its browser or machine has stopped it`);
  });
  mesh.on("peer:up", (peer) => {
    if (away.delete(peer.id)) write("peers", `${name(peer)} is back`, "good");
  });
  mesh.on("peer:suspect", (peer) => write("peers", `${name(peer)} does not answer`, "warn"));
  mesh.on("peer:down", (peer) => {
    away.add(peer.id);
    write("peers", `${name(peer)} is gone without a word`, "bad");
    announce(`${name(peer)} is gone`);
  });
  mesh.on("peer:leave", (peer) => {
    write("peers", `${name(peer)} left`);
    announce(`${name(peer)} left`);
  });
  mesh.on("link:up", (peer, transport) =>
    write("links", `link with ${name(peer)} by ${oneLine(transport, 20)}`),
  );
  mesh.on("link:down", (peer, reason) =>
    write("links", `link with ${name(peer)} ended: ${oneLine(reason, 120)}`),
  );
  mesh.on("link:failed", (id, reason) => {
    write("links", `no link with ${name(mesh.peers.get(id))} yet: ${oneLine(reason, 120)}`, "warn");
  });
  mesh.on("gap", (peer, first, last) => {
    write("links", `${count(last - first + 1, "message")} of ${name(peer)} lost`, "bad");
  });
  mesh.on("refused", (_, why) =>
    write("links", `somebody was refused: ${oneLine(why, 200)}`, "warn"),
  );
  mesh.on("seed", ({ state, reason }) => {
    const why = reason === undefined || state === "up" ? "" : `: ${oneLine(reason, 100)}`;
    write("server", `server ${state}${why}`, state === "up" ? "good" : "warn");
  });
  mesh.on("health", ({ state, why }) => {
    write("health", `${state}: ${oneLine(why, 160)}`, state === "ok" ? "good" : "warn");
    announce(`Health: ${state}`);
  });
  mesh.on("identity:taken", () => write("health", "this identity is used elsewhere", "bad"));
}

function logLines(): Write {
  const list = byId("log-lines", HTMLOListElement);
  const note = byId("log-note", HTMLElement);
  const filters = byId("log-filters", HTMLFieldSetElement);
  const hidden = new Set<string>();
  for (const [kind, label] of Object.entries(KINDS)) {
    const box = element("input", { attributes: { type: "checkbox", checked: "" } });
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(kind);
      else hidden.add(kind);
      for (const line of list.querySelectorAll<HTMLElement>("li")) {
        line.hidden = hidden.has(line.dataset["kind"] ?? "");
      }
    });
    filters.append(element("label", {}, box, element("span", { text: label })));
  }
  let total = 0;
  return (kind, text, tone) => {
    const now = new Date();
    const line = element(
      "li",
      { attributes: { "data-kind": kind, ...(tone && { "data-tone": tone }) } },
      element("time", { text: timeOf(now), attributes: { datetime: now.toISOString() } }),
      element("span", { text, attributes: { dir: "auto" } }),
    );
    line.hidden = hidden.has(kind);
    // The newest stands first: what just happened is in sight without scrolling.
    list.prepend(line);
    while (list.childElementCount > LINES_MAX) list.lastElementChild?.remove();
    setText(note, count(++total, "event"));
  };
}
