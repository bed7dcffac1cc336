import type { CloseReason, Link, LinkHandlers } from "./transport.ts";

/** A link that never was: it closes as soon as the caller has it. */
export function closedLink(handlers: LinkHandlers, reason: CloseReason): Link {
  queueMicrotask(() => handlers.close(reason));
  return {
    state: "closed",
    binding: new Uint8Array(),
    signal: () => {},
    send: () => {},
    close: () => {},
    stats: () => ({
      sentBytes: 0,
      receivedBytes: 0,
      sentFrames: 0,
      receivedFrames: 0,
      bufferedBytes: 0,
      droppedDatagrams: 0,
    }),
  };
}
