/** Texts of other peers, made harmless to the layout. That they are no markup is ensured by `textContent`. */

/** Controls, and what reverses the direction of the text around it. */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const CONTROLS_BUT_NEWLINE = /[^\P{Cc}\n]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Accents piled up so high that they cover the lines above. */
const PILES = /(\p{M}{3})\p{M}+/gu;

/** One line of at most `lengthMax` characters. */
export function oneLine(text: string, lengthMax: number): string {
  const near = text.slice(0, lengthMax * 8).replace(/\s+/gu, " ");
  return clip(near.replace(CONTROLS, "").replace(PILES, "$1").trim(), lengthMax);
}

/** At most `lengthMax` characters; line breaks stay. */
export function paragraph(text: string, lengthMax: number): string {
  const near = text.slice(0, lengthMax * 8);
  return clip(near.replace(CONTROLS_BUT_NEWLINE, "").replace(PILES, "$1"), lengthMax);
}

function clip(text: string, lengthMax: number): string {
  const characters = Array.from(text);
  return characters.length <= lengthMax ? text : `${characters.slice(0, lengthMax - 1).join("")}…`;
}

export function timeOf(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
