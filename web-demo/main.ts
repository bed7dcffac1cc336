/** The demo of hearsay. It uses what every user can: the public entry. This file puts the panels together. */

import { announcer } from "./announcer.ts";
import { boardPanel } from "./board/board-panel.ts";
import { byId, setText } from "./dom.ts";
import { graphPanel } from "./graph/graph-panel.ts";
import { inviteDialog } from "./invite/invite-dialog.ts";
import { chatPanel } from "./panels/chat-panel.ts";
import { connectionPanel } from "./panels/connection-panel.ts";
import { logPanel } from "./panels/log-panel.ts";
import { peoplePanel } from "./panels/people-panel.ts";
import { statePanel } from "./panels/state-panel.ts";
import { views } from "./panels/views.ts";
import { People } from "./people.ts";
import { oncePerFrame } from "./repaint.ts";
import { openSession } from "./session.ts";
import { invitationIn, readSettings } from "./settings.ts";
import { workPanel } from "./tiling/work-panel.ts";

/** Round trips and links of others change without an event. */
const TICK_MS = 1_000;

const settings = readSettings(location);
const banner = byId("banner", HTMLParagraphElement);

function complain(text: string): void {
  setText(banner, text);
  banner.hidden = false;
}

/** An invitation in the address, taken out of it: a reload must not use it again. */
function takeInvitation(): string {
  const text = location.hash.startsWith("#invite=") ? invitationIn(location.hash) : "";
  if (text !== "") history.replaceState(null, "", `${location.pathname}${location.search}`);
  return text;
}

async function start(): Promise<void> {
  if (settings.problem !== undefined) complain(`In the address of this page: ${settings.problem}.`);
  const invitation = takeInvitation();
  const session = await openSession(settings, invitation !== "");
  const { mesh } = session;

  const refresh = oncePerFrame(() => {
    for (const panel of panels) panel();
  });
  const people = new People(session, refresh);
  const graph = graphPanel(mesh, people);
  const bar = views(refresh);
  const announce = announcer();
  const panels = [
    peoplePanel(session, people),
    graph.refresh,
    connectionPanel(session, refresh),
    boardPanel(session, people, (id) => graph.pulse(id, "set")),
    workPanel(mesh, people, announce),
    statePanel(session, people),
  ];
  logPanel(mesh, people, announce);
  chatPanel({
    session,
    people,
    onLine: (from) => {
      graph.pulse(from.id, "said");
      if (!from.self) bar.news("chat");
    },
  });
  byId("skip", HTMLAnchorElement).addEventListener("click", (event) => {
    event.preventDefault();
    bar.show("chat");
    byId("chat-input", HTMLTextAreaElement).focus();
  });
  const dialog = inviteDialog(mesh);
  if (invitation !== "") dialog.take(invitation);
  addEventListener("hashchange", () => {
    const text = takeInvitation();
    if (text !== "") dialog.take(text);
  });
  setInterval(refresh, TICK_MS);
  refresh();
}

for (const id of ["open-tab", "hint-open"]) {
  // Without an opener the new tab gets a storage of its own, and with it a name of its own.
  byId(id, HTMLButtonElement).addEventListener("click", () =>
    open(location.href, "_blank", "noopener"),
  );
}

// No form leaves the page, also while it starts.
addEventListener("submit", (event) => event.preventDefault());

start().catch((error: unknown) => {
  complain(error instanceof Error ? error.message : String(error));
});
