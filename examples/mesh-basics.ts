// A mesh of nodes, as in MeshNet's basics: npx tsx examples/mesh-basics.ts
// They find each other, talk to one and to all, and share a configuration. Nobody is the master.
import { join } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const server = await createSignalingServer({ port: 0 }).listen();
const seeds = server.urls.slice(0, 1);
const enter = (name: string) => join({ cluster: "works", seeds, name });

const ann = await enter("ann");
ann.on("peer:up", (node) => console.log(`ann: ${node.name} came online`));
const [bob, cleo] = await Promise.all([enter("bob"), enter("cleo")]);
while (ann.peers.live.length < 2) await ann.once("peer:up");

// To one node, by a link or over others: it has arrived when the promise resolves.
cleo.hear("task.*", (data, from, name) => console.log(`cleo: ${from.name} sent ${name}: ${data}`));
await ann.send(cleo.self, "task.sweep", "the yard");

// A name is a channel: who hears it has subscribed, who says it publishes.
const subscribers = [ann, cleo];
const heard = Promise.all(subscribers.map((mesh) => mesh.hearOnce("news.*")));
bob.say("news.weather", "sunny");
for (const [i, { name, data, from }] of (await heard).entries()) {
  console.log(`${subscribers[i]?.self.name}: ${from.name} published ${name}: ${data}`);
}

// The configuration is everybody's. It stays when its writer goes, and newcomers get it.
bob.config.set("workers", 4);
for await (const { by } of ann.config.on("workers")) if (by === bob.self.id) break;
await Promise.all([ann.once("peer:leave"), bob.leave()]);
const dora = await enter("dora");
for await (const { key, value } of dora.config.on("**")) {
  console.log(`dora: ${key} is ${value}`);
  break;
}

await Promise.all([ann.leave(), cleo.leave(), dora.leave(), server.close()]);
