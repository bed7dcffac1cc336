/** The side of who invites: shows the invitation, takes the reply. */

import type { Invitation, Mesh } from "../../src/index.browser.ts";
import { byId, setText } from "../dom.ts";
import { invitationLink } from "../settings.ts";
import { codeOf } from "./code.ts";
import { copies, outcomeOf, sentence } from "./parts.ts";
import { qrPicture } from "./qr.ts";

export interface GiveSide {
  /** Makes an invitation unless one is open. */
  open(): Promise<void>;
  tick(): void;
}

export function giveSide(mesh: Mesh): GiveSide {
  const text = byId("give-text", HTMLTextAreaElement);
  const link = byId("give-link", HTMLAnchorElement);
  const expiry = byId("give-expiry", HTMLParagraphElement);
  const reply = byId("give-reply", HTMLTextAreaElement);
  const replyCode = byId("give-reply-code", HTMLElement);
  const form = byId("give-form", HTMLFormElement);
  const outcome = outcomeOf(byId("give-outcome", HTMLElement));
  let invitation: Invitation | undefined;

  const show = (made: Invitation | undefined): void => {
    invitation = made;
    text.value = made?.text ?? "";
    setText(byId("give-code", HTMLElement), made === undefined ? "" : codeOf(made.text));
    link.hidden = made === undefined;
    const picture = byId("give-qr", HTMLElement);
    picture.replaceChildren();
    if (made === undefined) return;
    link.href = invitationLink(location, made.text);
    const drawn = qrPicture(link.href, "The invitation link as a QR picture");
    if (drawn !== undefined) picture.append(drawn);
  };
  /** Linked: the steps make room for what can be done next. */
  const done = (is: boolean): void => {
    byId("give-steps", HTMLElement).hidden = is;
    byId("give-done", HTMLElement).hidden = !is;
    if (is) byId("give-finish", HTMLButtonElement).focus();
  };
  copies(byId("give-copy", HTMLButtonElement), () => text.value, text);
  copies(byId("give-copy-link", HTMLButtonElement), () => link.href, text);

  const tick = (): void => {
    if (invitation === undefined) return setText(expiry, "");
    const left = Math.max(0, Math.round((invitation.expiresAt - Date.now()) / 1_000));
    if (left === 0) {
      show(undefined);
      setText(expiry, "");
      return outcome(
        "The invitation has expired. Close this and open it again for a new one.",
        "bad",
      );
    }
    const seconds = String(left % 60).padStart(2, "0");
    setText(expiry, `For one newcomer; holds for ${Math.floor(left / 60)}:${seconds}`);
  };

  reply.addEventListener("input", () => {
    const given = reply.value.trim();
    setText(replyCode, given === "" ? "" : codeOf(given));
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = reply.value.trim();
    if (given === "") return outcome("Paste the reply first.", "bad");
    if (invitation === undefined) return outcome("There is no open invitation any more.", "bad");
    outcome("Linking …");
    try {
      await invitation.complete(given);
    } catch (error) {
      return outcome(sentence(error), "bad");
    }
    show(undefined);
    reply.value = "";
    setText(replyCode, "");
    tick();
    done(true);
    outcome("Linked. The newcomer is in the mesh.", "good");
  });

  return {
    tick,
    async open() {
      if (invitation !== undefined) return;
      done(false);
      outcome("Making an invitation …");
      try {
        show(await mesh.invite());
        outcome("");
        tick();
      } catch (error) {
        outcome(sentence(error), "bad");
      }
    },
  };
}
