/** A handshake in which nothing is left to chance, and the first frames after it. */

import { Greeting } from "../../../src/session/greeting.ts";
import { hashOfCluster, keyPair } from "../../../src/session/identity.ts";
import { primitives as node } from "../../../src/session/primitives.node.ts";
import { laneKeys, Sealer } from "../../../src/session/sealing.ts";
import { makeSession, type Session } from "../../../src/session/session.ts";

const bytes = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

export const BINDING = new TextEncoder().encode("the channel's name");
export const FRAME = new TextEncoder().encode("a frame");

/** Its keys: the identity's, and those that are made anew otherwise. */
async function sessionOf(byte: number, feature: string): Promise<Session> {
  const made = [bytes(byte + 1), bytes(byte + 2)];
  const keys = await keyPair(bytes(byte));
  const clusterHash = await hashOfCluster("golden");
  const primitives = { ...node, dhKey: (secret = made.shift()) => node.dhKey(secret) };
  const features = [feature];
  return await makeSession({ keys, cluster: "golden", clusterHash, primitives, features });
}

export const nearSession = (): Promise<Session> => sessionOf(10, "near");
export const farSession = (): Promise<Session> => sessionOf(20, "far");

/** All that goes over the wire, in hexadecimal digits. */
export async function transcript(): Promise<Record<string, string>> {
  const [near, far] = await Promise.all([nearSession(), farSession()]);
  const initiator = new Greeting(near, { initiator: true, binding: BINDING });
  const responder = new Greeting(far, { initiator: false, binding: BINDING });
  const first = initiator.begin();
  const second = await responder.take(first);
  if (second.type !== "answer") throw new Error(second.type);
  const third = await initiator.take(second.frame);
  if (third.type !== "proven" || third.frame === undefined) throw new Error(third.type);
  const done = await responder.take(third.frame);
  if (done.type !== "proven") throw new Error(done.type);
  const { reliable, unordered, datagram } = laneKeys(node, done.keys.send);
  const seal = (key: Uint8Array, numbered: boolean, frame: Uint8Array): string =>
    hex(new Sealer({ primitives: node, key, numbered }).seal(frame));
  return {
    nearId: done.proven.peer,
    farId: third.proven.peer,
    first: hex(first),
    second: hex(second.frame),
    third: hex(third.frame),
    last: seal(reliable, false, new Uint8Array(0)),
    unordered: seal(unordered, true, FRAME),
    datagram: seal(datagram, true, FRAME),
    hash: hex(done.keys.hash),
  };
}
