/** Runs as a process of its own: members that its parent drives by messages, each by its number. */
import process from "node:process";
import type { Member } from "./member.ts";
import { nodeMember } from "./node-member.ts";

const members = new Map<number, Member>();

function memberOf(number: number): Member {
  const known = members.get(number);
  if (known !== undefined) return known;
  const member = nodeMember();
  members.set(number, member);
  return member;
}

process.on("message", async ({ call, member, method, args }: Call) => {
  try {
    const one = memberOf(member);
    const result = await Reflect.apply(one[method], one, args);
    process.send?.({ call, result });
  } catch (error) {
    process.send?.({ call, error: error instanceof Error ? error.message : String(error) });
  }
});
// Its parent is gone or lets it go: what is left to do is to end.
process.on("disconnect", () => {
  for (const member of members.values()) void member.leave();
});
process.send?.({ call: 0 });

interface Call {
  readonly call: number;
  readonly member: number;
  readonly method: keyof Member;
  readonly args: never[];
}
