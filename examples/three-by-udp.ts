// Three Node members that meet over UDP, without any server: npx tsx examples/three-by-udp.ts
// The second knows the address of the first, the third that of the second. Whoever is there introduces.
import { join } from "hearsay";

const cluster = "three";
const first = await join({ cluster, name: "first", udp: { host: "127.0.0.1" } });
console.log(`first is at one address: ${first.addresses.length === 1}`);
const second = await join({ cluster, name: "second", seeds: [...first.addresses] });
const third = await join({ cluster, name: "third", seeds: second.addresses.slice(0, 1) });
while (third.health.linkCount < 2) await third.once("link:up");

const hearing = [first, second].map((mesh) => mesh.hearOnce<string>("greeting"));
await third.say("greeting", "hello");
for (const { data, from } of await Promise.all(hearing)) console.log(`${from.name} says ${data}`);
const kinds = third.stats().links.map(({ transport }) => transport);
console.log(`third is linked by ${kinds.join(" and ")}`);

await Promise.all([third, second, first].map((mesh) => mesh.leave()));
