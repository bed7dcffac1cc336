/** Checks that run inside of the page. Each stands alone: its source is sent there. */

/**
 * Visible texts whose contrast with what is behind them is below 4.5, or below 3 where they are large.
 * Whoever is shown in a colour is tried in each.
 */
export function faintTexts(): string[] {
  const coloured = [...document.querySelectorAll<HTMLElement>("[data-colour]")];
  const before = coloured.map(({ dataset }) => dataset["colour"]);
  type Rgba = readonly [number, number, number, number];
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("no canvas");
  const rgbaOf = (colour: string): Rgba => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0, alpha = 0] = context.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const groundOf = (element: Element | null): Rgba => {
    for (let at = element; at !== null; at = at.parentElement) {
      const ground = rgbaOf(getComputedStyle(at).backgroundColor);
      if (ground[3] > 0.99) return ground;
    }
    return [255, 255, 255, 1];
  };
  const luminance = (rgba: Rgba): number => {
    const [red = 0, green = 0, blue = 0] = rgba.slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const faint = new Set<string>();
  const check = (colour: number): void => {
    const dialog = document.querySelector("dialog[open]");
    for (const element of (dialog ?? document.body).querySelectorAll<HTMLElement>("*")) {
      const own = [...element.childNodes].some(
        (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== "",
      );
      const field = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
      if ((!own && !field) || !element.checkVisibility({ opacityProperty: true })) continue;
      if (element.closest(".hidden, .skip, .person[data-state=left], :disabled") !== null) continue;
      const style = getComputedStyle(element);
      const [light, dark] = [luminance(rgbaOf(style.color)), luminance(groundOf(element))].sort(
        (a, b) => b - a,
      ) as [number, number];
      const ratio = (light + 0.05) / (dark + 0.05);
      if (ratio < (Number.parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) {
        faint.add(`${element.className || element.tagName}, colour ${colour}: ${ratio.toFixed(2)}`);
      }
    }
  };
  for (let colour = 0; colour < 8; colour++) {
    for (const element of coloured) element.dataset["colour"] = String(colour);
    check(colour);
  }
  for (const [i, element] of coloured.entries()) element.dataset["colour"] = before[i];
  return [...faint];
}

/** Controls without a name for who cannot see them, and ids that stand twice. */
export function unnamedControls(): string[] {
  const found: string[] = [];
  for (const control of document.querySelectorAll<HTMLElement>("button, a, input, textarea")) {
    const labels =
      control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement
        ? [...(control.labels ?? [])].map(({ textContent }) => textContent)
        : [control.textContent];
    const name = control.getAttribute("aria-label") ?? labels.join("");
    if (name.trim() === "") found.push(`no name: ${control.outerHTML.slice(0, 120)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of ids) {
    if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`twice: ${id}`);
  }
  for (const element of document.querySelectorAll("[aria-labelledby]")) {
    for (const id of (element.getAttribute("aria-labelledby") ?? "").split(" ")) {
      if (!ids.includes(id)) found.push(`labelled by nothing: ${id}`);
    }
  }
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (document.documentElement.lang === "") found.push("no language");
  return found;
}
