/**
 * A process whose end is measured: it has a mesh with WebRTC links, two in one process. The argument says what then:
 *   leave     leaves, and has nothing more to do
 *   signal    waits for a signal, with no handler of its own
 *   handler   waits for a signal that it handles itself: leaves a mark and goes on to leave by itself
 *   store     waits for a signal, with a store that is still being written then
 *   nowhere   fails to join
 *   invite    an invitation is open, and another is answered twice; then it leaves
 */
import { open } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { join, memoryStore, type OpenStore } from "../../src/index.node.ts";

const [mode, seed = ""] = process.argv.slice(2);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const BUSY_MS = 300;

/** A disk that has much to do before our turn comes, far longer than the frames of a good-bye take. */
const busyStore: OpenStore = async () => {
  const store = await memoryStore()();
  const disk = await open(fileURLToPath(import.meta.url));
  return {
    range: (...range) => store.range(...range),
    write: async (changes) => {
      const from = performance.now();
      while (performance.now() - from < BUSY_MS) await disk.sync();
      await store.write(changes);
      if (changes.some(({ key }) => key.endsWith("/last"))) say("written");
    },
    close: async () => {
      await disk.close();
      await store.close();
    },
  };
};

if (mode === "store") {
  const mesh = await join({ cluster: "exit", seeds: [seed], store: busyStore });
  mesh.on("stop", () => say("stopped"));
  mesh.config.set("last", 1);
  say("set");
} else if (mode === "nowhere") {
  await join({ cluster: "exit", seeds: ["ws://127.0.0.1:1"], joinTimeoutMs: 100 }).catch((error) =>
    say(error.code),
  );
} else {
  const meshes = [
    await join({ cluster: "exit", seeds: [seed] }),
    await join({ cluster: "exit", seeds: [seed] }),
  ] as const;
  const [mesh, other] = meshes;
  if (mode === "invite") {
    await mesh.invite();
    const invitation = await mesh.invite();
    const newcomer = await join({ cluster: "exit" });
    const { text } = await newcomer.acceptInvite(invitation.text);
    await invitation.complete(text);
    await invitation.complete(text);
    await newcomer.leave();
  }
  say(`linked ${meshes.map(({ self }) => self.id).join(" ")}`);
  if (mode === "handler") {
    process.once("SIGTERM", () => say("handled"));
  } else if (mode !== "signal") {
    for (let i = 0; i < 20; i++) void mesh.say("bulk", new Uint8Array(100_000));
    await Promise.all([mesh.leave(), other.leave()]);
    say("left");
  }
}
