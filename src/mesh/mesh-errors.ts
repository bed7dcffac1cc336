/** Errors of a mesh that has been left, and of messages to one member that were given up. */

import type { MeshEvent } from "../core/machine.ts";
import { HearsayError } from "../errors.ts";

export function sendError(reason: "unreachable" | "overloaded" | "gone"): HearsayError {
  const messages = {
    unreachable: "the peer did not acknowledge in time: it may or may not have got the message",
    overloaded: "too many messages are on their way: await earlier ones first",
    gone: "the peer is down or has left: it may or may not have got the message",
  };
  return new HearsayError(`send:${reason}`, messages[reason]);
}

export function unknownPeer(what: "send" | "stream", id: string): HearsayError {
  return new HearsayError(
    `${what}:unknown-peer`,
    `there is no peer ${id}: its id is one of mesh.peers`,
  );
}

export function streamGone(): HearsayError {
  const message = "the other end is gone, or has not answered for long";
  return new HearsayError("stream:gone", `${message}: what was not acknowledged may be lost`);
}

export const TAKEN =
  "another process or tab uses this identity: give each its own, or leave the other first";

/** What was under way when the mesh was left. */
export function leftMeanwhile(): HearsayError {
  return new HearsayError("mesh:left", "the mesh was left before this was done");
}

/** What is asked of a mesh that was left. */
export function leftBefore(): HearsayError {
  const remedy = "await mesh.start() to come back";
  return new HearsayError("mesh:left", `this member has left the mesh: ${remedy}`);
}

/** What was to be said or set and was not taken; undefined when it was. */
export function writeError(
  what: "say" | "state" | "config",
  events: readonly MeshEvent[],
): HearsayError | undefined {
  const refusal = events.find((event) => event.type === "writeRefused");
  if (refusal === undefined) return undefined;
  const { why, key } = refusal;
  const messages = {
    say: "too much is kept for those who come later: use a shorter forMs, or state for what lasts",
    config: `no room for ${key}: delete other keys of mesh.config`,
    state: `no room for ${key}: delete other keys, keep shorter logs, or say what is large in parts`,
  };
  const message =
    why === "full"
      ? messages[what]
      : "so much at once is not borne by the others: write less often, or use a stream, or a key, which shows the latest";
  return new HearsayError(`${what}:${why}`, message);
}

/** Why a link was refused at its greeting, for people. */
export function refusedGreeting(reason: string): string {
  const why = `a greeting was refused: ${reason}`;
  if (reason !== "signatures") return why;
  return `${why}. The other end signs more or less of what it writes than we do: give all members the same signatures`;
}
