// Jobs that survive who published and who did them: npx tsx examples/work-queue.ts
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import { diskStore, join, type Mesh, type Queue } from "hearsay";
import { createSignalingServer } from "hearsay/server";

const folder = await mkdtemp(pathOf(tmpdir(), "hearsay-work-queue-"));
const server = await createSignalingServer({ port: 0 }).listen();
const enter = (name: string): Promise<Mesh> =>
  join({
    cluster: "kitchen",
    seeds: server.urls.slice(0, 1),
    name,
    store: diskStore(pathOf(folder, name)),
  });
const dishes = (mesh: Mesh): Queue<string> =>
  mesh.channel("dishes", {
    kind: "queue",
    maxDeliveries: 2,
    backoff: { minMs: 50 },
  }) as Queue<string>;

// Nobody is there to do anything: a dish is kept on the waiter's disk, over the end of the waiter.
const before = await enter("waiter");
await dishes(before).publish("soup", { key: "table 1" });
await before.leave();
console.log("the waiter has left");

const waiter = await enter("waiter");
const cook = await enter("cook");
const orders = dishes(waiter);
const done = new Set<string>();
const given = new Promise<void>((resolve) => {
  orders.on("dead", (_, reason, detail) => {
    console.log(`given up (${reason}): ${detail}`);
    resolve();
  });
});
dishes(cook).subscribe(
  ({ data, attempt }) => {
    if (data === "unicorn") throw new Error("out of stock");
    console.log(`${data} is done, at attempt ${attempt}`);
    done.add(data);
  },
  { concurrency: 2 },
);
await orders.publish("salad");
// The same key again: no second soup.
await orders.publish("soup", { key: "table 1" });
await orders.publish("unicorn");
await given;
await orders.drain();
console.log(`done: ${[...done].sort().join(" and ")}`);

for (const letter of await orders.deadLetters()) {
  console.log(`${letter.data} was tried ${letter.attempts} times`);
  await letter.remove();
}
await Promise.all([waiter.leave(), cook.leave(), server.close()]);
await rm(folder, { recursive: true, force: true });
