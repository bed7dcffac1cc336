/** The one agreement between the command line, the demo page and the examples: what a chat message looks like. */

export const CHAT = "chat";

export interface ChatMessage {
  readonly text: string;
}

/** The text of a chat message; undefined for what is none. */
export function chatText(data: unknown): string | undefined {
  const text = typeof data === "object" && data !== null && "text" in data ? data.text : data;
  return typeof text === "string" ? text : undefined;
}
