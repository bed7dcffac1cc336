// A page that talks. With `npm start` running:
//   npx esbuild examples/browser-minimal.ts --bundle --format=esm --outdir=examples --servedir=examples
// Then open http://localhost:8000/browser-minimal.html in two tabs.
import { join } from "hearsay";

const mesh = await join("ws://localhost:8080/demo");
const show = (text: string) => document.body.append(text, document.createElement("br"));

show(`I am ${mesh.self.name}, here are ${mesh.peers.live.map((peer) => peer.name).join(", ")}`);
mesh.on("peer:join", (peer) => show(`${peer.name} joined`));
mesh.on("peer:leave", (peer) => show(`${peer.name} left`));
mesh.hear<{ text: string }>("chat.message", ({ text }, from) => show(`${from.name}: ${text}`));
mesh.know("cursor", (peer, at) => console.log(peer.name, at));

mesh.say("chat.message", { text: "hello from a page" });
addEventListener("pointermove", ({ x, y }) => mesh.set("cursor", { x, y }));
