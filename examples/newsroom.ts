// A channel that only its subscribers carry, and what is kept of it for who comes late: npx tsx examples/newsroom.ts
import { join, type Mesh } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const server = await createSignalingServer({ port: 0 }).listen();
const enter = (name: string): Promise<Mesh> =>
  join({ cluster: "newsroom", seeds: server.urls.slice(0, 1), name });
const keep = { history: 10 };

const [ann, bob] = [await enter("ann"), await enter("bob")];
const heard = bob.channel("news", keep).subscribe();
const news = ann.channel("news", keep);
for (const title of ["it rains", "it pours"]) {
  await news.publish(title);
  const { value } = await heard.next();
  console.log(`bob hears from ${value.from.name}: ${value.data}`);
}

// Ann is gone; what she published is not.
await ann.leave();
const cleo = await enter("cleo");
const late = cleo.channel("news", keep).subscribe();
for (let i = 0; i < 2; i++) {
  const { value } = await late.next();
  console.log(`cleo hears ${value.late ? "late" : "at once"}: ${value.data}`);
}
await cleo.channel("news", keep).publish("the sun shines");
const { value } = await heard.next();
console.log(`bob hears from ${value.from.name}: ${value.data}`);

await Promise.all([bob, cleo].map((mesh) => mesh.leave()));
await server.close({ graceMs: 0 });
