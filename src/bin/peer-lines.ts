/** What `hearsay peer` prints: one record for each thing that happens, as a line for people or as a line of JSON. */

import type { Health } from "../mesh/health.ts";
import type { Peer } from "../mesh/peers.ts";
import type { Seed } from "../runtime/seeds.ts";
import { CHAT, chatText } from "./chat.ts";
import { harmless, jsonLine, shown, styled } from "./terminal.ts";

/** The names of the fields are stable: programs read them. */
export type Line =
  | {
      readonly event: "joined";
      readonly cluster: string;
      readonly self: Peer;
      readonly why: string;
      /** Where others reach this member. */
      readonly addresses: readonly string[];
    }
  | {
      readonly event: "peer:join" | "peer:up" | "peer:suspect" | "peer:down" | "peer:leave";
      readonly peer: Peer;
    }
  | { readonly event: "link:up"; readonly peer: Peer; readonly transport: string }
  | { readonly event: "link:down"; readonly peer: Peer | undefined; readonly reason: string }
  | {
      readonly event: "link:failed";
      readonly id: string;
      /** Undefined while nobody has told us of that member. */
      readonly peer: Peer | undefined;
      readonly reason: string;
    }
  | { readonly event: "health"; readonly health: Health }
  | { readonly event: "seed"; readonly seed: Seed }
  | {
      readonly event: "heard";
      readonly peer: Peer;
      readonly name: string;
      readonly data: unknown;
      readonly direct: boolean;
    }
  | { readonly event: "known"; readonly peer: Peer; readonly key: string; readonly value: unknown }
  | {
      readonly event: "gap";
      readonly peer: Peer | undefined;
      readonly first: number;
      readonly last: number;
    }
  | { readonly event: "refused"; readonly reason: string }
  | { readonly event: "left"; readonly reason: string };

export function lineForPrograms(line: Line): string {
  const time = new Date().toISOString();
  switch (line.event) {
    case "health": {
      const { state, why, linkCount, peerCount } = line.health;
      return jsonLine({ time, event: line.event, state, why, linkCount, peerCount });
    }
    case "seed": {
      const { url, state, reason } = line.seed;
      return jsonLine({ time, event: line.event, url, state, reason });
    }
    case "joined":
      return jsonLine({ time, ...line, self: brief(line.self) });
    case "known": {
      const { event, peer, key, value } = line;
      // JSON leaves out what is undefined: a key without a value is gone.
      return jsonLine({ time, event, peer: brief(peer), key, value });
    }
    default: {
      const peer = "peer" in line ? line.peer : undefined;
      return jsonLine({ time, ...line, ...(peer !== undefined && { peer: brief(peer) }) });
    }
  }
}

function brief({ id, name, role, state, node }: Peer): object {
  return { id, name, role, state, node };
}

/** The same for people; undefined for what a person can do without. */
export function lineForPeople(line: Line): string | undefined {
  switch (line.event) {
    case "joined": {
      const { self, cluster, why, addresses } = line;
      const at = addresses.length > 0 ? `, at ${addresses.join(" ")}` : "";
      return styled("bold", `${who(self)} is in the cluster ${harmless(cluster)}${at}: ${why}`);
    }
    case "peer:join":
      return styled("green", `+ ${who(line.peer)} joined${roleOf(line.peer)}`);
    case "peer:up":
      return styled("green", `  ${who(line.peer)} is up`);
    case "peer:suspect":
      return styled("yellow", `? ${who(line.peer)} is missed by some of its neighbours`);
    case "peer:down":
      return styled("red", `- ${who(line.peer)} is down: gone without a word`);
    case "peer:leave":
      return styled("yellow", `- ${who(line.peer)} left`);
    case "link:up":
      return styled("dim", `  linked with ${who(line.peer)} by ${line.transport}`);
    case "link:down":
      return styled("dim", `  link with ${who(line.peer)} ended: ${harmless(line.reason)}`);
    case "link:failed":
      return failedLine(line);
    case "health":
      if (line.health.state === "left") return undefined;
      return styled("dim", `  ${line.health.state}: ${harmless(line.health.why)}`);
    case "seed":
      if (line.seed.reason === undefined) return undefined;
      return styled(
        "yellow",
        `! not connected to ${line.seed.url} (${harmless(line.seed.reason)}); it is tried again`,
      );
    case "heard":
      return heardLine(line);
    case "known": {
      const { peer, key, value } = line;
      return value === undefined
        ? `  ${who(peer)} has no ${harmless(key)} any more`
        : `  ${who(peer)} set ${harmless(key)} = ${shown(value)}`;
    }
    case "gap":
      return styled(
        "red",
        `! messages ${line.first} to ${line.last} of ${who(line.peer)} were lost`,
      );
    case "refused":
      return styled("yellow", `! somebody tried to link and was refused: ${line.reason}`);
    case "left":
      return styled("dim", `  left: ${line.reason}`);
  }
}

function heardLine({ peer, name, data, direct }: Extract<Line, { event: "heard" }>): string {
  const text = name === CHAT ? chatText(data) : undefined;
  if (text !== undefined) return `${styled("bold", `${who(peer)}:`)} ${harmless(text)}`;
  return `${styled("bold", who(peer))} ${direct ? "sent" : "said"} ${harmless(name)}: ${shown(data)}`;
}

/** Who is gone is looked for now and then all the same, which interests nobody. */
function failedLine({ id, peer, reason }: Extract<Line, { event: "link:failed" }>) {
  if (peer?.state === "down" || peer?.state === "left") return undefined;
  const name = peer === undefined ? id.slice(0, 8) : who(peer);
  return styled("yellow", `! no link with ${name} yet: ${harmless(reason)}; it is tried again`);
}

function who(peer: Peer | undefined): string {
  return peer === undefined ? "somebody" : harmless(peer.name);
}

function roleOf({ role }: Peer): string {
  return role === "" ? "" : ` as ${harmless(role)}`;
}
