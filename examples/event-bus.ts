// An event bus, as Telepathine's users know it: npx tsx examples/event-bus.ts
import { join } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const server = await createSignalingServer({ port: 0 }).listen();
const seeds = server.urls.slice(0, 1);
const enter = (name: string) => join({ cluster: "bus", seeds, name });
const ann = await enter("ann");
const bob = await enter("bob");

// All that others say, by any name. Nobody hears itself.
ann.hear("**", (data, from, name) => console.log(`ann hears ${name} from ${from.name}: ${data}`));
bob.hear("**", (data, from, name) => console.log(`bob hears ${name} from ${from.name}: ${data}`));

// One question is answered, however many are asked.
ann.hearOnce("question").then(({ from }) => ann.send(from, "answer", 42));
const answer = bob.hearOnce("answer");
bob.say("question", "how much is it");
bob.say("question", "and how much more");
await answer;

// Again and again, until it is ended; heard in the order in which it was said.
let rings = 0;
const end = bob.every(50, () => {
  bob.say("bell.ring", ++rings);
  if (rings === 3) end();
});
for await (const { data } of ann.hear("bell.*")) if (data === 3) break;

// Later, and for those too who are not here yet.
bob.after(50, () => bob.say("news.opening", "cake at four", { forMs: 60_000 }));
await ann.hearOnce("news.*");
const cleo = await enter("cleo");
const { data, from, late } = await cleo.hearOnce("news.*");
console.log(`cleo hears ${late ? "late" : "in time"} from ${from.name}: ${data}`);

await Promise.all([ann.leave(), bob.leave(), cleo.leave(), server.close()]);
