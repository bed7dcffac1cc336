/** Runs as a process of its own: writes into a store, on disk or on Redis, and says what it was told is durable. */
import { rm, writeFile } from "node:fs/promises";
import process from "node:process";
import { diskStore } from "../../src/store/disk.ts";
import { redisStore } from "../../src/store/redis.node.ts";
import type { Store, StoreEntry } from "../../src/store/store.ts";

const [where = "", bytes = "100"] = process.argv.slice(2);
const open = /^redis:/.test(where) ? redisStore(where, "test", { leaseMs: 500 }) : diskStore(where);

/** What one batch writes: parts that are there together or not at all. */
const PARTS = 10;

/** So much room may be made once there is none. */
const BALLAST_BYTES = 1_000_000;
const ballast = process.env["BALLAST"];

const codeOf = (error: unknown): unknown => Reflect.get(Object(error), "code");

async function write(store: Store, batch: number): Promise<unknown> {
  const changes = Array.from({ length: PARTS }, (_, part) => ({
    key: `${String(batch).padStart(9, "0")} ${part}`,
    value: new Uint8Array(Number(bytes)).fill(batch),
  }));
  return await store.write(changes).then(() => undefined, codeOf);
}

/** What is small fits again, and what was acknowledged is there. */
async function afterwards(store: Store): Promise<StoreEntry[]> {
  if (ballast !== undefined) await rm(ballast);
  await store.write([{ key: "small", value: Uint8Array.of(1) }]);
  await store.close();
  const again = await open();
  const entries = await again.range("", "\uffff");
  await again.close();
  return entries;
}

try {
  if (ballast !== undefined) await writeFile(ballast, new Uint8Array(BALLAST_BYTES).fill(1));
  const store = await open();
  process.send?.({ opened: true });
  for (let batch = 0; ; batch++) {
    const code = await write(store, batch);
    if (code === undefined) {
      process.send?.({ batch });
      continue;
    }
    const entries = await afterwards(store);
    const whole = entries.every(({ key, value }) => {
      return key === "small" || value[0] === Number(key.slice(0, 9)) % 256;
    });
    process.send?.({ code, batches: (entries.length - 1) / PARTS, whole });
    break;
  }
} catch (error) {
  process.send?.({ code: codeOf(error), error: String(error) });
}
process.disconnect();
