/** The chat: what we say, what we hear, and who came and went between. */

import { byId, element, setText } from "../dom.ts";
import type { People, Person } from "../people.ts";
import type { Session } from "../session.ts";
import { count, paragraph, timeOf } from "../text.ts";

const NAME = "chat.message";
const LENGTH_MAX = 2_000;
const LINES_MAX = 300;

/** News of one line, characters. */
const EVENTS_LENGTH_MAX = 160;

/** A line of the same sender within this time has no head of its own, ms. */
const TOGETHER_MS = 60_000;

interface Line {
  readonly from: Person;
  readonly text: string;
  readonly fate: string;
}

export interface ChatOptions {
  readonly session: Session;
  readonly people: People;
  /** Somebody said something: for the pulse in the picture, and for who looks elsewhere. */
  readonly onLine: (from: Person) => void;
}

export function chatPanel({ session, people, onLine }: ChatOptions): void {
  const { mesh } = session;
  const lines = chatLines();
  const input = byId("chat-input", HTMLTextAreaElement);
  const form = byId("chat-form", HTMLFormElement);

  mesh.hear("chat.message", (data, peer) => {
    const text = textOf(data);
    if (text === undefined) return;
    const from = people.of(peer);
    lines.say({ from, text, fate: "" });
    onLine(from);
  });
  mesh.on("peer:join", (peer) => lines.tell(`${people.of(peer).name} is here`));
  mesh.on("peer:leave", (peer) => lines.tell(`${people.of(peer).name} left`));
  mesh.on("peer:down", (peer) => lines.tell(`${people.of(peer).name} is gone`));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = paragraph(input.value, LENGTH_MAX).trim();
    if (text === "") return;
    const hearers = mesh.peers.live.length;
    let fate = hearers === 0 ? "nobody else is here to hear it" : "";
    try {
      mesh.say(NAME, { text });
    } catch (error) {
      fate = `not said: ${error instanceof Error ? error.message : error}`;
    }
    lines.say({ from: people.self, text, fate: fate || `said to ${count(hearers, "peer")}` }, true);
    onLine(people.self);
    input.value = "";
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

function textOf(data: unknown): string | undefined {
  if (typeof data !== "object" || data === null || !("text" in data)) return undefined;
  if (typeof data.text !== "string") return undefined;
  return paragraph(data.text, LENGTH_MAX).trim() || undefined;
}

interface Lines {
  say(line: Line, follow?: boolean): void;
  tell(event: string): void;
}

function chatLines(): Lines {
  const list = byId("chat-lines", HTMLOListElement);
  const scroll = byId("chat-scroll", HTMLElement);
  const empty = byId("chat-empty", HTMLParagraphElement);
  const newer = byId("chat-newer", HTMLButtonElement);
  let last: { readonly id: string; readonly at: number } | undefined;

  /** The end is in sight, and so are new lines when they come. */
  let following = true;
  const atEnd = (): boolean => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 48;
  const toEnd = (): void => {
    scroll.scrollTop = scroll.scrollHeight;
    newer.hidden = true;
    following = true;
  };
  /** Who reads earlier lines is not torn away from them. */
  const add = (line: HTMLLIElement, follow: boolean): void => {
    list.append(line);
    while (list.childElementCount > LINES_MAX) list.firstElementChild?.remove();
    if (follow || following) toEnd();
    else newer.hidden = false;
  };
  newer.addEventListener("click", toEnd);
  scroll.addEventListener("scroll", () => {
    following = atEnd();
    if (following) newer.hidden = true;
  });
  // Lines that came while the chat was not shown, or had another size.
  new ResizeObserver(() => {
    if (following) toEnd();
  }).observe(scroll);

  return {
    say({ from, text, fate }, follow = false) {
      empty.hidden = true;
      const now = new Date();
      const more = last?.id === from.id && now.getTime() - last.at < TOGETHER_MS;
      last = { id: from.id, at: now.getTime() };
      const attributes = { "data-colour": String(from.colour) };
      const name = from.self ? `${from.name} (you)` : from.name;
      const head = element(
        "p",
        { class: "chat-head" },
        element("span", { class: "chat-name", text: name, attributes: { dir: "auto" } }),
        element("time", {
          text: timeOf(now).slice(0, 5),
          attributes: { datetime: now.toISOString() },
        }),
      );
      const said = element("p", { class: "chat-text", text, attributes: { dir: "auto" } });
      const line = element("li", { class: "chat-line", attributes }, head, said);
      if (more) line.classList.add("chat-more");
      if (fate !== "") line.append(element("p", { class: "chat-fate", text: fate }));
      add(line, follow);
    },
    tell(event) {
      last = undefined;
      // What happens in a row takes one line.
      const line = list.lastElementChild;
      const text = line?.classList.contains("chat-event")
        ? `${line.textContent} · ${event}`
        : event;
      if (line !== null && text !== event && text.length < EVENTS_LENGTH_MAX) setText(line, text);
      else add(element("li", { class: "chat-event", text: event }), false);
    },
  };
}
