// Three members, and one fails, as in SWIM-gossip's example: npx tsx examples/three-members.ts
// The one is a process of its own and gets killed. It says no good-bye: the others find out, and agree.
import { fork } from "node:child_process";
import process from "node:process";
import { join } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const [, file = "", given] = process.argv;
const enter = (name: string, seed: string) => join({ cluster: "swim", seeds: [seed], name });

async function watch(): Promise<void> {
  const server = await createSignalingServer({ port: 0 }).listen();
  const [seed = ""] = server.urls;
  const members = [await enter("ann", seed), await enter("bob", seed)];
  const cleo = fork(file, [seed]);

  for (const mesh of members) {
    while (mesh.health.linkCount < 2) await mesh.once("link:up");
    const names = mesh.peers.live.map(({ name }) => name).sort();
    console.log(`${mesh.self.name} is linked with ${names.join(" and ")}`);
  }

  cleo.kill("SIGKILL");
  const since = performance.now();
  const seconds = () => `${((performance.now() - since) / 1_000).toFixed(1)} s`;
  await Promise.all(
    members.map(async (mesh) => {
      mesh.on("peer:suspect", (peer) =>
        console.log(`${mesh.self.name} suspects ${peer.name} after ${seconds()}`),
      );
      const [peer] = await mesh.once("peer:down");
      console.log(`${mesh.self.name} knows that ${peer.name} is down after ${seconds()}`);
    }),
  );
  const left = members.map(({ peers }) => peers.live.map(({ name }) => name).join());
  console.log(`who is left: ${left.join(" and ")}`);
  await Promise.all([...members.map((mesh) => mesh.leave()), server.close()]);
}

if (given === undefined) await watch();
else await enter("cleo", given);
