/** Says to people who listen to the page what others see: who came, who went. */

import { byId } from "./dom.ts";

export function announcer(): (text: string) => void {
  const region = byId("announcer", HTMLElement);
  return (text) => {
    // A few lines, so that two pieces of news in one moment are both read.
    const line = document.createElement("p");
    line.textContent = text;
    region.append(line);
    while (region.childElementCount > 4) region.firstElementChild?.remove();
  };
}
