/** The side of the newcomer: takes an invitation, shows the reply, waits for the link. */

import type { AcceptedInvitation, Mesh } from "../../src/index.browser.ts";
import { byId, setText } from "../dom.ts";
import { invitationIn } from "../settings.ts";
import { codeOf } from "./code.ts";
import { copies, outcomeOf, sentence } from "./parts.ts";
import { qrPicture } from "./qr.ts";

export interface TakeSide {
  /** Takes the invitation of a link. */
  take(text: string): void;
}

export function takeSide(mesh: Mesh): TakeSide {
  const text = byId("take-text", HTMLTextAreaElement);
  const code = byId("take-code", HTMLElement);
  const form = byId("take-form", HTMLFormElement);
  const answer = byId("take-answer", HTMLElement);
  const reply = byId("take-reply", HTMLTextAreaElement);
  const outcome = outcomeOf(byId("take-outcome", HTMLElement));
  let accepted: AcceptedInvitation | undefined;

  const showCode = (): void => {
    const given = invitationIn(text.value);
    setText(code, given === "" ? "" : codeOf(given));
  };
  const show = (made: AcceptedInvitation): void => {
    answer.hidden = false;
    reply.value = made.text;
    setText(byId("take-reply-code", HTMLElement), codeOf(made.text));
    const drawn = qrPicture(made.text, "The reply as a QR picture");
    byId("take-qr", HTMLElement).replaceChildren(...(drawn === undefined ? [] : [drawn]));
  };
  const linked = (): void => {
    byId("take-steps", HTMLElement).hidden = true;
    byId("take-done", HTMLElement).hidden = false;
    byId("take-finish", HTMLButtonElement).focus();
    outcome("Linked. You are in the mesh.", "good");
  };
  const accept = async (): Promise<void> => {
    const given = invitationIn(text.value);
    if (given === "") return outcome("Paste the invitation first.", "bad");
    accepted?.cancel();
    answer.hidden = true;
    byId("take-steps", HTMLElement).hidden = false;
    byId("take-done", HTMLElement).hidden = true;
    outcome("Making the reply …");
    try {
      const made = await mesh.acceptInvite(given);
      accepted = made;
      show(made);
      outcome("Waiting until who invited you has pasted the reply …");
      await made.linked;
      if (accepted === made) linked();
    } catch (error) {
      outcome(sentence(error), "bad");
    }
  };
  text.addEventListener("input", showCode);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    accept();
  });
  copies(byId("take-copy", HTMLButtonElement), () => reply.value, reply);

  return {
    take(invitation) {
      text.value = invitation;
      showCode();
      accept();
    },
  };
}
