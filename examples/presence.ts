// Who is there and what are they doing, by state alone: npx tsx examples/presence.ts
import { join, type Mesh } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const server = await createSignalingServer({ port: 0 }).listen();
const seeds = server.urls.slice(0, 1);
const enter = (name: string) => join({ cluster: "office", seeds, name });

/** Resolves when `mesh` knows this of the peer with that name. */
function knows(mesh: Mesh, name: string, status: string): Promise<void> {
  return new Promise((resolve) => {
    const end = mesh.know("status", (peer, value) => {
      if (peer.name !== name || value !== status) return;
      end();
      resolve();
    });
  });
}

const ann = await enter("ann");
ann.know("status", (peer, status) => {
  if (status !== undefined) console.log(`${peer.name} is ${status}`);
});

const bob = await enter("bob");
bob.set("status", "reading");
await knows(ann, "bob", "reading");
bob.set("status", "writing");
await knows(ann, "bob", "writing");

// Whoever comes later knows it too, without bob doing anything.
const cleo = await enter("cleo");
await knows(cleo, "bob", "writing");
console.log(
  `cleo sees ${cleo.peers.live
    .map((peer) => peer.name)
    .sort()
    .join(" and ")}`,
);

const gone = cleo.once("peer:leave");
await bob.leave();
const [peer] = await gone;
console.log(`${peer.name} left`);

await Promise.all([ann.leave(), cleo.leave(), server.close()]);
