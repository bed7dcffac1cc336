// Two peers and the server that introduces them, in one process: npx tsx examples/node-minimal.ts
import { join } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const server = await createSignalingServer({ port: 0 }).listen();
const seeds = server.urls.slice(0, 1);
const ann = await join({ cluster: "demo", seeds, name: "ann" });
const bob = await join({ cluster: "demo", seeds, name: "bob" });

ann.know("mood", (peer, mood) => console.log(`${peer.name} is ${mood}`));
ann.hear("greeting", (text, from) => console.log(`${from.name} says ${text}`));
bob.set("mood", "cheerful");
bob.say("greeting", "hello");

await ann.hearOnce("greeting");
await Promise.all([ann.leave(), bob.leave(), server.close()]);
