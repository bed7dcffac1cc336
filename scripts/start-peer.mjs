// The Node peer of `npm start`, so that a person with one tab is not alone: it shows some state, answers chat and does
// its part of the shared work.
//   node scripts/start-peer.mjs ws://HOST:PORT CLUSTER
import { arch, platform } from "node:os";
import process from "node:process";
import { join } from "hearsay";

/** It says how long it runs this often, so that others see the mesh alive. Milliseconds. */
const TICK_MS = 1_000;

const [seed = "", cluster = ""] = process.argv.slice(2);
const started = Date.now();

/** @param {string} text */
const print = (text) => console.log(`node peer: ${text}`);

/**
 * What to answer; undefined when people talk among themselves.
 * @param {string} text
 * @param {number} tabs how many tabs are there
 */
function answer(text, tabs) {
  if (/^\s*ping\b/i.test(text)) return "pong";
  if (/\bnode\b/i.test(text)) return "Yes, I am here: a Node process, a peer like your tab.";
  if (tabs > 1) return undefined;
  return `I heard “${text.slice(0, 60)}”. Open a second tab, and it hears you too.`;
}

/** @param {import("hearsay").Mesh} mesh */
function takePart(mesh) {
  mesh.set("platform", `Node ${process.versions.node} on ${platform()} ${arch()}`);
  const tick = () => mesh.set("uptime", `${Math.round((Date.now() - started) / 1_000)} s`);
  tick();
  const ticking = setInterval(tick, TICK_MS);
  mesh.on("stop", () => clearInterval(ticking));
  print(mesh.health.why);
  let told = mesh.health.state;
  mesh.on("health", ({ state, why }) => {
    if (state !== "left" && state !== told) print(why);
    told = state;
  });
  mesh.on("link:failed", (id, reason) => {
    const peer = mesh.peers.get(id);
    // Who is gone is looked for now and then all the same.
    if (peer?.state === "down" || peer?.state === "left") return;
    print(`no link with ${id.slice(0, 8)} yet: ${reason}`);
  });
  mesh.on("peer:join", (peer) => {
    if (!peer.node)
      mesh.send(peer, "chat.message", { text: "Welcome! I am a Node process. Say “ping”." });
  });
  mesh.hear("chat.message", (data, from) => {
    const text = typeof data === "object" && data !== null && "text" in data ? data.text : data;
    // Two of us would talk for ever.
    if (typeof text !== "string" || from.node) return;
    const reply = answer(text, mesh.peers.live.filter((peer) => !peer.node).length);
    if (reply !== undefined) mesh.say("chat.message", { text: reply });
  });
}

/** @param {import("hearsay").Mesh} mesh */
async function work(mesh) {
  /** @type {typeof import("../web-demo/tiling/tiles.ts")} */
  const { BEGUN, DONE, QUEUE, QUEUE_OPTIONS, renderTile } = await import(
    new URL("../dist/demo/tiling/tiles.js", import.meta.url).href
  );
  mesh.channel(QUEUE, QUEUE_OPTIONS).subscribe(async ({ data }) => {
    const { picture, tile } = /** @type {{ picture: { scene: number }, tile: number }} */ (data);
    await mesh.say(BEGUN, { picture, tile });
    await mesh.say(DONE, { picture, tile, pixels: renderTile(picture.scene, tile) });
  });
}

try {
  const mesh = await join({
    cluster,
    seeds: [seed],
    name: "node",
    role: "greeter",
    joinTimeoutMs: 0,
  });
  takePart(mesh);
  await work(mesh);
  // Whoever started it is gone, or told it to go.
  process.once("disconnect", () => mesh.leave());
} catch (error) {
  print(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
  process.disconnect?.();
}
