/** `hearsay peer`: a member of a cluster from the command line. */

import process from "node:process";
import { createInterface } from "node:readline";
import { HearsayError } from "../errors.ts";
import { join } from "../index.node.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { Seed } from "../runtime/seeds.ts";
import { CHAT, type ChatMessage } from "./chat.ts";
import { PEER_USAGE, type PeerArgs, parsePeerArgs } from "./peer-args.ts";
import { type Line, lineForPeople, lineForPrograms } from "./peer-lines.ts";
import { endOnSignals } from "./signals.ts";
import { harmless } from "./terminal.ts";

/**
 * Runs a member until SIGINT or SIGTERM.
 *
 * @param argv the arguments after `hearsay peer`.
 * @returns the exit code: 0 after it has left, 1 if it could not join or was put out, 2 for wrong arguments.
 */
export async function peer(argv: readonly string[]): Promise<number> {
  let args: PeerArgs | undefined;
  try {
    args = parsePeerArgs(argv);
  } catch (error) {
    process.stderr.write(`hearsay peer: ${harmless((error as Error).message)}\n\n${PEER_USAGE}`);
    return 2;
  }
  if (args === undefined) {
    process.stdout.write(PEER_USAGE);
    return 0;
  }
  const { signal, end } = endOnSignals();
  // Nobody reads on (`hearsay peer … | head`): nothing is left to do.
  process.stdout.on("error", end);
  try {
    return await takePart(args, signal);
  } catch (error) {
    if (signal.aborted) return 0;
    process.stderr.write(`hearsay peer: ${harmless(messageOf(error))}\n`);
    return 1;
  }
}

async function takePart(args: PeerArgs, signal: AbortSignal): Promise<number> {
  const lineOf = args.json ? lineForPrograms : lineForPeople;
  const print = (line: Line): void => {
    const text = lineOf(line);
    if (text !== undefined) process.stdout.write(`${text}\n`);
  };
  const mesh = await join({ ...args.options, signal, logger: seedsOnly(print) });
  const { self, cluster, health, addresses } = mesh;
  print({ event: "joined", cluster, self, why: health.why, addresses });
  const stopped = mesh.once("stop");
  for (const [key, value] of args.set) mesh.set(key, value);
  watch(mesh, args, print);
  speak(mesh, args.say, signal);
  await stopped;
  process.stdin.destroy();
  print({ event: "left", reason: signal.aborted ? "asked to" : "put out by the mesh" });
  return signal.aborted ? 0 : 1;
}

/** While it joins there is no mesh to listen to yet, but a person wants to know what it waits for. */
function seedsOnly(print: (line: Line) => void) {
  let last: string | undefined;
  return {
    debug(event: string, details?: object) {
      if (event !== "seed") return;
      const [seed] = details as [Seed];
      const { reason } = seed;
      if (reason === last) return;
      last = reason;
      print({ event, seed });
    },
    warn() {},
    error(_message: string, details?: object) {
      process.stderr.write(`hearsay peer: ${String((details as { error: unknown }).error)}\n`);
    },
  };
}

function watch(mesh: Mesh, { hear, know, json }: PeerArgs, print: (line: Line) => void): void {
  // Whoever is there already is told in the same way as those to come.
  for (const peer of mesh.peers) {
    print({ event: "peer:join", peer });
    if (peer.linked) print({ event: "link:up", peer, transport: transportOf(mesh, peer.id) });
  }
  for (const event of ["peer:join", "peer:up", "peer:suspect", "peer:down", "peer:leave"] as const)
    mesh.on(event, (peer) => print({ event, peer }));
  mesh.on("link:up", (peer, transport) => print({ event: "link:up", peer, transport }));
  mesh.on("link:down", (peer, reason) => print({ event: "link:down", peer, reason }));
  mesh.on("link:failed", (id, reason) => {
    print({ event: "link:failed", id, reason, peer: mesh.peers.get(id) });
  });
  let told = mesh.health.state;
  mesh.on("health", (health) => {
    // A program may want every word; a person hears of links and peers anyway.
    if (json || health.state !== told) print({ event: "health", health });
    told = health.state;
  });
  mesh.on("gap", (peer, first, last) => print({ event: "gap", peer, first, last }));
  mesh.on("refused", (reason) => print({ event: "refused", reason }));
  mesh.hear(hear, (data, peer, name, { direct }) => {
    print({ event: "heard", peer, name, data, direct });
  });
  if (know !== undefined)
    mesh.know(know, (peer, value, key) => print({ event: "known", peer, key, value }));
}

function transportOf(mesh: Mesh, id: string): string {
  return mesh.stats().links.find(({ peer }) => peer === id)?.transport ?? "";
}

/** Says what it was told to say, then each line of standard input; each waits until somebody is there. */
async function speak(mesh: Mesh, first: readonly string[], signal: AbortSignal): Promise<void> {
  const say = async (text: string): Promise<void> => {
    while (mesh.health.linkCount === 0) await mesh.once("online", { signal });
    await mesh.say(CHAT, { text } satisfies ChatMessage);
  };
  try {
    for (const text of first) await say(text);
    for await (const line of createInterface({ input: process.stdin, signal })) {
      if (line.trim() !== "") await say(line);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The remedies of the library name its options; here they have the names of ours. */
function messageOf(error: unknown): string {
  if (!(error instanceof HearsayError)) return String(error);
  return error.message.replace("joinTimeoutMs", "--wait");
}
