/** Members and their transitions as the application is told of them. */

import type { MemberView, MeshEvent } from "../machine.ts";
import { FLAG_NODE } from "../wire/messages.ts";
import { isPresent, type Member } from "./table.ts";

export function viewOf({ record, state }: Member): MemberView {
  const { id, generation, name, role, meta, addresses, neighbours, flags } = record;
  const node = (flags & FLAG_NODE) !== 0;
  return { id, generation, state, name, role, meta, node, addresses, neighbours };
}

type Kind = Extract<MeshEvent, { type: "member" }>["kind"];

/** The transitions that a change shows, each once. */
export function kindsOf(before: Member | undefined, after: Member): Kind[] {
  if (before === undefined) {
    return isPresent(after) ? ["join", after.state === "asleep" ? "asleep" : "up"] : [];
  }
  const restarted = before.record.generation !== after.record.generation;
  if (restarted && isPresent(after)) return isPresent(before) ? ["down", "up"] : ["up"];
  if (before.state === after.state) return ["update"];
  switch (after.state) {
    case "alive":
      return ["up"];
    case "suspect":
      return ["suspect"];
    case "asleep":
      return ["asleep"];
    case "down":
      return ["down"];
    case "left":
      return ["leave"];
  }
}
