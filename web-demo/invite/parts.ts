/** What both sides of the dialog do: copy, show a code, say how it went. */

import { setAttribute, setText } from "../dom.ts";

export type Outcome = (text: string, tone?: "good" | "bad") => void;

export function outcomeOf(line: HTMLElement): Outcome {
  return (text, tone) => {
    setText(line, text);
    setAttribute(line, "data-tone", tone);
  };
}

export function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Pages on insecure origins have no clipboard: there the text is selected, ready for the keyboard. */
export function copies(
  button: HTMLButtonElement,
  text: () => string,
  field: HTMLTextAreaElement,
): void {
  const label = button.textContent ?? "";
  button.addEventListener("click", async () => {
    let done = "Copied";
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      field.select();
      done = "Selected: press Ctrl+C";
    }
    setText(button, done);
    setTimeout(() => setText(button, label), 2_000);
  });
}
