/** The panel of shared work: the picture as it comes to be, how far it is, and who has done how much of it. */

import type { Mesh } from "../../src/index.browser.ts";
import { byId, element, setAttribute, setText } from "../dom.ts";
import type { People } from "../people.ts";
import { oncePerFrame } from "../repaint.ts";
import { count } from "../text.ts";
import { paintTiles } from "./paint.ts";
import { renderer } from "./renderer.ts";
import { SCENES, TILES } from "./tiles.ts";
import { type Picture, type Tile, type Worker, Workshop } from "./workshop.ts";

export function workPanel(
  mesh: Mesh,
  people: People,
  announce: (text: string) => void,
): () => void {
  const button = byId("work-render", HTMLButtonElement);
  const takesPart = byId("work-part", HTMLInputElement);
  const showsWho = byId("work-who", HTMLInputElement);
  const problem = byId("work-error", HTMLParagraphElement);
  const refresh = oncePerFrame(() => {
    const { picture, tiles, doneCount } = shop;
    byId("work-empty", HTMLParagraphElement).hidden = picture !== undefined;
    paintTiles(byId("work-picture", HTMLCanvasElement), tiles, showsWho.checked);
    setText(
      byId("work-title-now", HTMLElement),
      SCENES[picture?.scene ?? -1]?.name ?? "No picture yet",
    );
    byId("work-progress", HTMLProgressElement).value = doneCount;
    setText(byId("work-count", HTMLElement), progress(shop));
    showWorkers(tiles, people);
    setText(button, picture === undefined ? "Render a picture" : "Render another");
  });
  let told: Picture | undefined;
  const shop = new Workshop(mesh, people, renderer(), () => {
    refresh();
    if (shop.doneCount < TILES || told === shop.picture) return;
    told = shop.picture;
    announce(
      `The picture is done: ${count(TILES, "tile")} by ${count(workersOf(shop.tiles).length, "peer")}`,
    );
  });

  button.addEventListener("click", () => {
    problem.hidden = true;
    shop.begin().catch((error: unknown) => {
      setText(problem, error instanceof Error ? error.message : String(error));
      problem.hidden = false;
    });
  });
  takesPart.addEventListener("change", () => shop.pause(!takesPart.checked));
  showsWho.addEventListener("change", refresh);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
  return refresh;
}

function progress({ doneCount, orphanCount, beganAt, endedAt }: Workshop): string {
  const orphans = orphanCount > 0 ? ` · ${count(orphanCount, "tile")} taken over` : "";
  if (endedAt === undefined) return `${doneCount} of ${TILES} tiles${orphans}`;
  return `All ${TILES} tiles in ${((endedAt - beganAt) / 1_000).toFixed(1)} s${orphans}`;
}

interface Share {
  readonly worker: Worker;
  readonly count: number;
}

/** Who has done most comes first. */
function workersOf(tiles: readonly Tile[]): readonly Share[] {
  const shares = new Map<string, Share>();
  for (const tile of tiles) {
    if (tile.state !== "done") continue;
    const { by } = tile;
    shares.set(by.id, { worker: by, count: (shares.get(by.id)?.count ?? 0) + 1 });
  }
  return [...shares.values()].sort((a, b) => b.count - a.count);
}

function showWorkers(tiles: readonly Tile[], people: People): void {
  const here = new Map([people.self, ...people.here].map((person) => [person.id, person]));
  const list = byId("work-shares", HTMLUListElement);
  const shares = workersOf(tiles);
  while (list.childElementCount > shares.length) list.lastElementChild?.remove();
  for (const [i, share] of shares.entries()) {
    const person = here.get(share.worker.id);
    const { name, colour } = person ?? share.worker;
    const row = list.children[i] ?? list.appendChild(shareRow());
    const [label, bar, number] = row.children as unknown as [Element, HTMLElement, Element];
    setAttribute(row, "data-colour", String(colour));
    setText(label, person?.self ? `${name} (you)` : person === undefined ? `${name} (gone)` : name);
    bar.style.setProperty("--share", String(share.count / TILES));
    setText(number, String(share.count));
  }
}

function shareRow(): HTMLLIElement {
  return element(
    "li",
    { class: "work-share" },
    element("span", { class: "work-name", attributes: { dir: "auto" } }),
    element("i", { class: "work-bar" }),
    element("span", { class: "work-number" }),
  );
}
