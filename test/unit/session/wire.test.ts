// The wire as it was recorded: what this version says is what it always said, and what it was told it understands.
import { expect, test } from "vitest";
import { concat } from "../../../src/core/lib/bytes.ts";
import { Greeting } from "../../../src/session/greeting.ts";
import { primitives } from "../../../src/session/primitives.node.ts";
import { laneKeys, Opener } from "../../../src/session/sealing.ts";
import { sessionOf } from "../../support/sessions.ts";
import { BINDING, FRAME, farSession, nearSession, transcript } from "./transcript.ts";
import { WIRE_VECTORS } from "./wire-vectors.ts";

const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

test("row 49: with the same keys the handshake is the recorded one, byte for byte", async () => {
  expect(await transcript()).toEqual(WIRE_VECTORS);
});

test("row 49: recorded frames of a responder, and what it sealed, are understood", async () => {
  const initiator = new Greeting(await nearSession(), { initiator: true, binding: BINDING });
  initiator.begin();
  const step = await initiator.take(fromHex(WIRE_VECTORS.second));
  if (step.type !== "proven") return expect.fail(step.type);
  expect(step.proven).toMatchObject({ peer: WIRE_VECTORS.farId, features: ["far"] });
  const keys = laneKeys(primitives, step.keys.receive);
  const open = (key: Uint8Array, numbered: boolean, frame: string) =>
    new Opener({ primitives, key, numbered }).open(fromHex(frame));
  expect(open(keys.reliable, false, WIRE_VECTORS.last)).toEqual(new Uint8Array(0));
  expect(open(keys.unordered, true, WIRE_VECTORS.unordered)).toEqual(FRAME);
  expect(open(keys.datagram, true, WIRE_VECTORS.datagram)).toEqual(FRAME);
});

test("row 49: recorded frames of an initiator are understood", async () => {
  const responder = new Greeting(await farSession(), { initiator: false, binding: BINDING });
  expect((await responder.take(fromHex(WIRE_VECTORS.first))).type).toBe("answer");
  const step = await responder.take(fromHex(WIRE_VECTORS.third));
  expect(step).toMatchObject({
    type: "proven",
    proven: { peer: WIRE_VECTORS.nearId, features: ["near"] },
  });
});

test("row 49: what a later minor version says beside that is no offence", async () => {
  const [here, later] = await Promise.all([sessionOf(), sessionOf({ features: ["unheard of"] })]);
  const credentials = later.credentials.bind(later);
  later.credentials = (psks) => concat(credentials(psks), new Uint8Array(100).fill(7));
  for (const [near, far] of [
    [here, later],
    [later, here],
  ] as const) {
    const initiator = new Greeting(near, { initiator: true, binding: BINDING });
    const responder = new Greeting(far, { initiator: false, binding: BINDING });
    const answer = await responder.take(initiator.begin());
    if (answer.type !== "answer") return expect.fail(answer.type);
    const third = await initiator.take(answer.frame);
    if (third.type !== "proven" || third.frame === undefined) return expect.fail(third.type);
    const done = await responder.take(third.frame);
    expect(done.type).toBe("proven");
    const ofLater = near === later ? done : third;
    expect(ofLater).toMatchObject({ proven: { features: ["unheard of"] } });
  }
});
