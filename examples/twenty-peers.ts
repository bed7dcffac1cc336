// Twenty peers and one who changes something, as in Grapevine's usage: npx tsx examples/twenty-peers.ts
import { join } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const server = await createSignalingServer({ port: 0 }).listen();
const seeds = server.urls.slice(0, 1);
const enter = (name: string) => join({ cluster: "vineyard", seeds, name });

// In life each is a process or a tab of its own.
const names = Array.from({ length: 20 }, (_, i) => `peer-${i + 1}`);
const peers = await Promise.all(names.map(enter));

/** Resolves when this peer knows of that many others. */
async function sees(mesh: (typeof peers)[number], count: number): Promise<void> {
  while (mesh.peers.live.length < count) await mesh.once("peer:up");
}
await Promise.all(peers.map((mesh) => sees(mesh, names.length - 1)));
console.log(`${names.length} peers, and each sees ${peers[0]?.peers.live.length} others`);

const [first] = peers as [(typeof peers)[number]];
first.on("peer:join", (peer) => console.log(`${first.self.name}: ${peer.name} is new`));
first.on("peer:up", (peer) => console.log(`${first.self.name}: ${peer.name} is alive`));
first.on("peer:leave", (peer) => console.log(`${first.self.name}: ${peer.name} has left`));
first.on("peer:down", (peer) => console.log(`${first.self.name}: ${peer.name} is down`));

const updater = await enter("updater");
const since = performance.now();
updater.set("some.key", "some value");
await Promise.all(
  peers.map(async (mesh) => {
    for await (const { peer, key, value } of mesh.know("some.*")) {
      console.log(`${mesh.self.name} knows that ${peer.name} set ${key} to ${value}`);
      break;
    }
  }),
);
console.log(`all know it after ${Math.round(performance.now() - since)} ms`);

await Promise.all([first.once("peer:leave"), updater.leave()]);
await Promise.all([...peers.map((mesh) => mesh.leave()), server.close()]);
