/** On a phone one view at a time: the bar below chooses it. On wide windows all are in sight and the bar is not. */

import { byId, setAttribute } from "../dom.ts";

export interface Views {
  /** Something new is in a view that is not in sight. */
  news(view: string): void;
}

export function views(shown: () => void): Views {
  const buttons = [...byId("views", HTMLElement).querySelectorAll("button")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      document.body.dataset["view"] = button.dataset["view"];
      button.removeAttribute("data-news");
      for (const other of buttons) {
        setAttribute(other, "aria-current", other === button ? "true" : undefined);
      }
      scrollTo(0, 0);
      shown();
    });
  }
  return {
    news(view) {
      if (document.body.dataset["view"] === view) return;
      const button = buttons.find(({ dataset }) => dataset["view"] === view);
      button?.setAttribute("data-news", "");
    },
  };
}
