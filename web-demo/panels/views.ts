/** On a phone one view at a time: the bar below chooses it. On wide windows all are in sight and the bar is not. */

import { byId, setAttribute } from "../dom.ts";

export interface Views {
  show(view: string): void;
  /** Something new is in a view that is not in sight. */
  news(view: string): void;
}

export function views(shown: () => void): Views {
  const buttons = [...byId("views", HTMLElement).querySelectorAll("button")];
  const show = (view: string | undefined): void => {
    document.body.dataset["view"] = view;
    for (const button of buttons) {
      const current = button.dataset["view"] === view;
      setAttribute(button, "aria-current", current ? "true" : undefined);
      if (current) button.removeAttribute("data-news");
    }
    scrollTo(0, 0);
    shown();
  };
  for (const button of buttons) {
    button.addEventListener("click", () => show(button.dataset["view"]));
  }
  return {
    show,
    news(view) {
      if (document.body.dataset["view"] === view) return;
      const button = buttons.find(({ dataset }) => dataset["view"] === view);
      button?.setAttribute("data-news", "");
    },
  };
}
