/** What each peer has set, as a table that changes as they change it; and a form for our own. */

import { byId, element, setText } from "../dom.ts";
import type { People, Person } from "../people.ts";
import { preview } from "../preview.ts";
import type { Session } from "../session.ts";
import { count, oneLine } from "../text.ts";

/** Rows of one peer. It may hold ten thousand keys; nobody reads them here. */
const KEYS_MAX = 30;

/** How often the table follows: a cursor alone changes twenty times a second. */
const EVERY_MS = 150;

interface Row {
  readonly root: HTMLTableRowElement;
  readonly value: HTMLElement;
}

export function statePanel(session: Session, people: People): () => void {
  const { mesh } = session;
  const body = byId("state-rows", HTMLTableSectionElement);
  const table = new StateTable(body, (key) => mesh.delete(key));
  let asked = false;
  const refresh = (): void => {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      asked = false;
      table.show([people.self, ...people.here]);
    }, EVERY_MS);
  };
  mesh.know("**", refresh);
  stateForm(session, refresh);
  return refresh;
}

/** Rebuilt when peers or keys come and go; else only the values are written. */
class StateTable {
  readonly #body: HTMLTableSectionElement;
  readonly #remove: (key: string) => void;
  #shape = "";
  #rows = new Map<string, Row>();

  constructor(body: HTMLTableSectionElement, remove: (key: string) => void) {
    this.#body = body;
    this.#remove = remove;
  }

  show(people: readonly Person[]): void {
    const groups = people.map((person) => ({ person, keys: person.peer.keys().sort() }));
    const shape = JSON.stringify(
      groups.map(({ person, keys }) => [
        person.id,
        person.name,
        person.colour,
        keys.length,
        keys.slice(0, KEYS_MAX),
      ]),
    );
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#build(groups);
    }
    for (const { person, keys } of groups) {
      for (const key of keys.slice(0, KEYS_MAX)) {
        const row = this.#rows.get(`${person.id} ${key}`);
        if (row !== undefined) setText(row.value, preview(person.peer.get(key)));
      }
    }
  }

  #build(groups: readonly { readonly person: Person; readonly keys: readonly string[] }[]): void {
    const focused = document.activeElement?.getAttribute("data-key");
    this.#rows = new Map();
    this.#body.replaceChildren(...groups.flatMap(({ person, keys }) => this.#group(person, keys)));
    // Whoever deletes one key after another stays at the place with the keyboard.
    if (focused != null) {
      const buttons = [...this.#body.querySelectorAll<HTMLElement>("[data-key]")];
      const next = buttons.find((button) => (button.getAttribute("data-key") ?? "") >= focused);
      (next ?? buttons.at(-1) ?? byId("state-key", HTMLInputElement)).focus();
    }
  }

  #group(person: Person, keys: readonly string[]): HTMLTableRowElement[] {
    const shown = keys.slice(0, KEYS_MAX);
    const rest = keys.length - shown.length;
    const head = element("th", {
      text: person.self ? `${person.name} (you)` : person.name,
      attributes: {
        scope: "rowgroup",
        dir: "auto",
        "data-colour": String(person.colour),
        rowspan: String(Math.max(1, shown.length + (rest > 0 ? 1 : 0))),
      },
    });
    const rows = shown.map((key) => this.#row(person, key));
    if (rows.length === 0) rows.push(element("tr", {}, span("nothing yet")));
    if (rest > 0) rows.push(element("tr", {}, span(`and ${count(rest, "more key")}`)));
    rows[0]?.prepend(head);
    return rows;
  }

  #row(person: Person, key: string): HTMLTableRowElement {
    const value = element("td", { attributes: { dir: "auto" } });
    const shownKey = oneLine(key, 64);
    const root = element("tr", {}, element("td", { text: shownKey }), value, element("td"));
    if (person.self) {
      const button = element("button", {
        class: "button button-quiet",
        text: "✕",
        attributes: { type: "button", "aria-label": `Delete ${shownKey}`, "data-key": key },
      });
      button.addEventListener("click", () => this.#remove(key));
      root.lastElementChild?.append(button);
    }
    this.#rows.set(`${person.id} ${key}`, { root, value });
    return root;
  }
}

function span(text: string): HTMLTableCellElement {
  return element("td", { class: "none", text, attributes: { colspan: "3" } });
}

function stateForm({ mesh }: Session, refresh: () => void): void {
  const form = byId("state-form", HTMLFormElement);
  const key = byId("state-key", HTMLInputElement);
  const value = byId("state-value", HTMLInputElement);
  const problem = byId("state-error", HTMLParagraphElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      mesh.set(key.value.trim(), parse(value.value));
      problem.hidden = true;
      value.value = "";
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error);
      problem.hidden = false;
    }
    refresh();
  });
}

/** JSON where it is some, else the text itself. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
