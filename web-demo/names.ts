/** A friendly name for a tab, kept over a reload. */

const FIRST =
  "Amber Brave Calm Clever Dapper Eager Fancy Gentle Happy Jolly Kind Lively Lucky Mellow Merry Nimble Proud Quick Quiet Sunny Swift Tidy Witty Zesty";
const SECOND =
  "Badger Beaver Bison Crane Falcon Finch Fox Gecko Heron Ibex Koala Lark Lemur Lynx Magpie Marten Newt Otter Panda Puffin Robin Stoat Tern Wren";

const KEY = "hearsay-demo-name";

function any(words: string): string {
  const list = words.split(" ");
  return list[Math.floor(Math.random() * list.length)] ?? "";
}

/**
 * The name this tab had before its reload, or a new one. It is stored only while the page is away: a browser that
 * duplicates a tab copies its storage, and the copy would have the same name.
 */
export function takeName(): string {
  try {
    const stored = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    if (stored) return stored;
  } catch {
    // Storage may be forbidden. Then a reload gives another name.
  }
  return `${any(FIRST)} ${any(SECOND)}`;
}

export function keepName(name: string): void {
  try {
    sessionStorage.setItem(KEY, name);
  } catch {
    // As above.
  }
}
