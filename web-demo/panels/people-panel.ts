/** Who is here: one row for each, kept in place while what it shows changes. */

import { byId, element, setAttribute, setText } from "../dom.ts";
import type { People, Person } from "../people.ts";
import { initials, NAME_LENGTH_MAX } from "../profile.ts";
import type { Session } from "../session.ts";
import { count } from "../text.ts";

interface Row {
  readonly root: HTMLLIElement;
  show(person: Person): void;
}

const STATE_WORDS = {
  alive: "",
  suspect: "not answering",
  asleep: "asleep",
  down: "gone silent",
  left: "left",
};

/** From here on a silence is worth showing: a live peer's lasts so long in one of ten cases. */
const QUIET = 1;
const PHI = "φ, the suspicion: 1 means that so long a silence happens by chance in one of 10 cases";

export function peoplePanel(session: Session, people: People): () => void {
  const list = byId("people", HTMLUListElement);
  const note = byId("people-note", HTMLParagraphElement);
  const rows = new Map<string, Row>();
  return () => {
    const shown = people.shown;
    const present = new Set(shown.map(({ id }) => id));
    for (const [id, { root }] of rows) {
      if (present.has(id)) continue;
      root.remove();
      rows.delete(id);
    }
    for (const person of shown) {
      let row = rows.get(person.id);
      if (row === undefined) {
        row = person.self ? ownRow(session) : otherRow();
        rows.set(person.id, row);
        list.append(row.root);
      }
      row.show(person);
    }
    const { peerCount } = session.mesh.health;
    setText(note, peerCount === 0 ? "you" : `you and ${count(peerCount, "peer")}`);
  };
}

function frame(name: HTMLElement): {
  row: HTMLLIElement;
  avatar: HTMLElement;
  how: HTMLElement;
  end: HTMLElement;
} {
  const avatar = element("span", { class: "avatar", attributes: { "aria-hidden": "true" } });
  const how = element("p", { class: "person-how" });
  const end = element("span");
  const row = element("li", { class: "person" }, avatar, element("div", {}, name, how), end);
  return { row, avatar, how, end };
}

function otherRow(): Row {
  const name = element("p", { class: "person-name", attributes: { dir: "auto" } });
  const { row, avatar, how, end } = frame(name);
  return {
    root: row,
    show(person) {
      showAvatar(row, avatar, person);
      setText(name, person.name);
      const { rttMs, suspicion = 0, linked } = person.peer;
      setText(how, `${kindOf(person.peer)}${reach(person, linked)}`);
      const words = STATE_WORDS[person.state];
      const quiet = !words && suspicion >= QUIET;
      const trip = linked && rttMs !== undefined ? roundTrip(rttMs) : "";
      setText(end, words || (quiet ? `silent, φ ${suspicion.toFixed(1)}` : trip));
      setAttribute(end, "title", quiet ? PHI : !words && trip ? "round trip" : undefined);
      end.className = words ? "tag" : quiet ? "quiet" : "round-trip";
      setAttribute(end, "data-state", person.state);
    },
  };
}

function ownRow(session: Session): Row {
  const input = element("input", {
    class: "own-name",
    attributes: {
      "aria-label": "Your name",
      maxlength: String(NAME_LENGTH_MAX),
      autocomplete: "off",
      spellcheck: "false",
      title: "Your name: change it here",
    },
  });
  input.addEventListener("change", () => {
    session.rename(input.value);
    input.value = session.profile.name;
  });
  input.addEventListener("keydown", ({ key, isComposing }) => {
    if (key === "Escape") input.value = session.profile.name;
    if ((key === "Enter" && !isComposing) || key === "Escape") input.blur();
  });
  const { row, avatar, how, end } = frame(input);
  end.className = "tag";
  setText(end, "you");
  return {
    root: row,
    show(person) {
      showAvatar(row, avatar, person);
      if (document.activeElement !== input && input.value !== person.name) {
        input.value = person.name;
      }
      setText(how, "this tab");
    },
  };
}

function showAvatar(row: HTMLElement, avatar: HTMLElement, person: Person): void {
  setAttribute(row, "data-colour", String(person.colour));
  setAttribute(row, "data-state", person.state);
  setAttribute(avatar, "data-kind", person.peer.node ? "node" : "tab");
  setText(avatar, initials(person.name));
}

function kindOf({ node, mayFreeze }: Person["peer"]): string {
  if (node) return "Node process";
  return mayFreeze ? "hidden tab" : "browser tab";
}

function reach({ state }: Person, linked: boolean): string {
  if (state !== "alive" && state !== "suspect") return "";
  return linked ? " · linked with you" : " · reached over others";
}

function roundTrip(ms: number): string {
  return ms < 1 ? "< 1 ms" : `${Math.round(ms)} ms`;
}
