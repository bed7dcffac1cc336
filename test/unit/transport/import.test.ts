import { expect, test } from "vitest";

/** What server-side rendering does not have, or must not be asked for before it is needed. */
const NAMES = ["window", "document", "navigator", "localStorage", "RTCPeerConnection", "WebSocket"];

test("importing the transports touches nothing of the host", async () => {
  const touched: string[] = [];
  const before = NAMES.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  for (const name of NAMES) {
    const get = () => void touched.push(name);
    Object.defineProperty(globalThis, name, { configurable: true, get });
  }
  try {
    await import("../../../src/transport/webrtc.ts");
    await import("../../../src/transport/wrtc.node.ts");
    await import("../../../src/transport/memory.ts");
    await import("../../../src/testing/transport-suite.ts");
  } finally {
    for (const [name, descriptor] of before as [string, PropertyDescriptor | undefined][]) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    }
  }
  expect(touched).toEqual([]);
});
