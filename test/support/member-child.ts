/** Runs as a process of its own: a member that its parent drives by messages. */
import process from "node:process";
import { join, webrtcTransport } from "../../src/index.node.ts";
import { loadWrtc } from "../../src/transport/wrtc.node.ts";
import { Member } from "./member.ts";

const member = new Member(join, async () => {
  const { wrtc } = await loadWrtc();
  return webrtcTransport(wrtc === undefined ? {} : { wrtc });
});

process.on("message", async ({ call, method, args }: Call) => {
  try {
    const result = await Reflect.apply(member[method], member, args);
    process.send?.({ call, result });
  } catch (error) {
    process.send?.({ call, error: error instanceof Error ? error.message : String(error) });
  }
});
// Its parent is gone or lets it go: what is left to do is to end.
process.on("disconnect", () => void member.leave());
process.send?.({ call: 0 });

interface Call {
  readonly call: number;
  readonly method: keyof Member;
  readonly args: never[];
}
