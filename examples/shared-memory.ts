// Memory that all share, as Telepathine's users know it: npx tsx examples/shared-memory.ts
// Everyone sets keys of its own and knows those of all others. What is believed stays when its owner goes.
import { join } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const server = await createSignalingServer({ port: 0 }).listen();
const seeds = server.urls.slice(0, 1);
const enter = (name: string) => join({ cluster: "weather", seeds, name });

const station = await enter("station");
station.set("wind", 3);
station.set("sky.tonight", "stars");
station.set("sky.now", "clear");

// By its name, or by a pattern: what is there already comes first, then every change.
const [garden, kitchen] = await Promise.all([enter("garden"), enter("kitchen")]);
kitchen.know("wind", (peer, value) => {
  if (value !== undefined) console.log(`kitchen knows that ${peer.name} set wind to ${value}`);
});
garden.know("sky.*", (peer, value, key) => {
  if (value === undefined) console.log(`garden knows that ${key} of ${peer.name} is gone`);
  else console.log(`garden knows that ${peer.name} set ${key} to ${value}`);
});

// To believe is to know, and to hold it for all: so it outlives its owner.
kitchen.know("sky.tonight", (_, value, key) => {
  if (value !== undefined) kitchen.config.set(key, value);
});
for await (const { key, value } of garden.config.on("sky.*")) {
  console.log(`garden believes that ${key} is ${value}`);
  break;
}

// A key belongs to who set it: two members, two values.
kitchen.set("sky.now", "steam");
const skies = new Map<string, unknown>();
for await (const { peer, value } of garden.know("sky.now")) {
  if (skies.set(peer.name, value).size === 2) break;
}
console.log(
  `sky.now: ${skies.get("station")} at the station, ${skies.get("kitchen")} in the kitchen`,
);

// For a time: it ends at everybody, by itself.
const expired = garden.once("state:expired");
station.set("sky.rainbow", "here", { ttlMs: 500 });
const [whose, what] = await expired;
console.log(`garden: ${what} of ${whose.name} has expired`);

const gone = garden.once("peer:leave");
await station.leave();
const [owner] = await gone;
console.log(`${owner.name} has left, and with it sky.tonight: ${owner.get("sky.tonight")}`);
console.log(`garden still believes that sky.tonight is ${garden.config.get("sky.tonight")}`);

await Promise.all([garden.leave(), kitchen.leave(), server.close()]);
