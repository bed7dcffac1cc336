/** The dialog by which two people link their tabs without any server. */

import type { Mesh } from "../../src/index.browser.ts";
import { byId } from "../dom.ts";
import { giveSide } from "./give-side.ts";
import { takeSide } from "./take-side.ts";

export interface InviteDialog {
  /** Opens it at the side of the newcomer. */
  take(invitation: string): void;
}

export function inviteDialog(mesh: Mesh): InviteDialog {
  const dialog = byId("invite", HTMLDialogElement);
  const giving = byId("invite-give", HTMLElement);
  const taking = byId("invite-take", HTMLElement);
  const radios = [...byId("invite-switch", HTMLFieldSetElement).querySelectorAll("input")];
  const give = giveSide(mesh);
  const take = takeSide(mesh);

  const turnTo = (side: "give" | "take"): void => {
    for (const radio of radios) radio.checked = radio.value === side;
    giving.hidden = side !== "give";
    taking.hidden = side !== "take";
    if (side === "give") give.open();
  };
  for (const radio of radios) {
    radio.addEventListener("change", () => turnTo(radio.value === "take" ? "take" : "give"));
  }
  byId("invite-open", HTMLButtonElement).addEventListener("click", () => {
    dialog.showModal();
    turnTo(radios.find(({ checked }) => checked)?.value === "take" ? "take" : "give");
  });
  for (const id of ["invite-close", "give-finish", "take-finish"]) {
    byId(id, HTMLButtonElement).addEventListener("click", () => dialog.close());
  }
  byId("give-again", HTMLButtonElement).addEventListener("click", () => give.open());
  // A click on what is behind closes it.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
  setInterval(() => {
    if (dialog.open) give.tick();
  }, 1_000);

  return {
    take(invitation) {
      if (!dialog.open) dialog.showModal();
      turnTo("take");
      take.take(invitation);
    },
  };
}
