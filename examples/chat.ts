// A chat on the command line: npx tsx examples/chat.ts ws://localhost:8080/demo YOUR-NAME
// The demo page of `npm start` hears it, and it hears the page. Ctrl-D or Ctrl-C ends it.
import process from "node:process";
import { createInterface } from "node:readline";
import { join } from "hearsay";

const [url = "ws://localhost:8080/demo", name = "somebody"] = process.argv.slice(2);
const { origin, pathname } = new URL(url);
const mesh = await join({ cluster: pathname.slice(1), seeds: [origin], name });

/** A peer may call itself anything: nothing of it may act on the terminal. */
const plain = (text: string) => text.replace(/\p{Cc}/gu, "");

console.log(`in ${mesh.cluster} with ${mesh.peers.live.length} others`);
mesh.on("peer:join", (peer) => console.log(`* ${plain(peer.name)} joined`));
mesh.on("peer:leave", (peer) => console.log(`* ${plain(peer.name)} left`));
mesh.on("peer:down", (peer) => console.log(`* ${plain(peer.name)} is gone`));
mesh.hear<{ text: string }>("chat.message", (message, from) => {
  console.log(`${plain(from.name)}: ${plain(String(message?.text))}`);
});

for await (const text of createInterface({ input: process.stdin }))
  await mesh.say("chat.message", { text });
await mesh.leave();
