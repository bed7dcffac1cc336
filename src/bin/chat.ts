/** The one agreement with the demo page: a chat message is said under this name and has a text. */

export const CHAT = "chat.message";

export interface ChatMessage {
  readonly text: string;
}

/** The text of a chat message; undefined for what is none. */
export function chatText(data: unknown): string | undefined {
  const text = typeof data === "object" && data !== null && "text" in data ? data.text : data;
  return typeof text === "string" ? text : undefined;
}
