// Handshakes over real WebRTC connections: bound to both ends' DTLS, so that nobody sits between.
import { expect, onTestFinished, test } from "vitest";
import { secured } from "../../src/session/secured.ts";
import { LinkEnd } from "../../src/testing/link-end.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { webrtcTransport } from "../../src/transport/webrtc.ts";
import { loadWrtc } from "../../src/transport/wrtc.node.ts";
import { sessionOf } from "../support/sessions.ts";

async function webrtc(): Promise<Transport> {
  const { wrtc } = await loadWrtc();
  const transport = webrtcTransport({ wrtc: wrtc ?? expect.fail("no WebRTC here") });
  onTestFinished(() => transport.close());
  return transport;
}

function introduce(one: LinkEnd, other: LinkEnd): void {
  one.onSignal = (payload) => queueMicrotask(() => other.signal(payload));
  other.onSignal = (payload) => queueMicrotask(() => one.signal(payload));
}

test("row 43: frames go as they are over what encrypts by itself, once both ends are known", async () => {
  const [here, there] = await Promise.all([
    sessionOf({ secrets: ["s"] }),
    sessionOf({ secrets: ["s"] }),
  ]);
  const near = new LinkEnd(secured(await webrtc(), here), { initiator: true });
  const far = new LinkEnd(secured(await webrtc(), there), { initiator: false });
  introduce(near, far);
  await Promise.all([near.opened(), far.opened()]);
  expect(near.link.binding).toEqual(far.link.binding);
  for (const lane of ["reliable", "unordered"] as const) near.send(lane, Uint8Array.of(1, 2));
  await far.until("both", () => far.frames.length === 2);
});

test("row 43: a server that swaps fingerprints to sit between is found out, with the right secret too", async () => {
  const sessions = await Promise.all([
    sessionOf({ secrets: ["s"] }),
    sessionOf({ secrets: ["s"] }),
  ]);
  const refusals: string[] = [];
  for (const session of sessions) session.refused = ({ code }) => void refusals.push(code);
  const [victim, other, between] = [await webrtc(), await webrtc(), await webrtc()];
  const near = new LinkEnd(secured(victim, sessions[0]), { initiator: true });
  const far = new LinkEnd(secured(other, sessions[1]), { initiator: false });
  // A connection of its own with each of them, and every frame of one goes on over the other.
  const toNear = new LinkEnd(between, { initiator: false });
  const toFar = new LinkEnd(between, { initiator: true });
  introduce(near, toNear);
  introduce(toFar, far);
  await Promise.all([toNear.opened(), toFar.opened()]);
  const passOn = (from: LinkEnd, to: LinkEnd): void => {
    from.onFrame = ({ lane, bytes }) => queueMicrotask(() => to.send(lane, bytes));
    for (const { lane, bytes } of from.frames.splice(0)) to.send(lane, bytes);
  };
  passOn(toNear, toFar);
  passOn(toFar, toNear);
  expect((await far.closed()).code).toBe("refused");
  between.close();
  await near.closed();
  expect([near.openCount, far.openCount]).toEqual([0, 0]);
  expect(refusals).toEqual(["handshake"]);
});
