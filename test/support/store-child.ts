/** Runs as a process of its own: writes into a store on disk, and says what it was told is durable. */
import process from "node:process";
import { diskStore } from "../../src/store/disk.ts";

const [folder = "", bytes = "100"] = process.argv.slice(2);

/** What one batch writes: parts that are there together or not at all. */
const PARTS = 10;

try {
  const store = await diskStore(folder)();
  process.send?.({ opened: true });
  for (let batch = 0; ; batch++) {
    const changes = Array.from({ length: PARTS }, (_, part) => ({
      key: `${String(batch).padStart(9, "0")} ${part}`,
      value: new Uint8Array(Number(bytes)).fill(batch),
    }));
    const code = await store.write(changes).then(
      () => undefined,
      (error) => error.code,
    );
    if (code === undefined) process.send?.({ batch });
    else {
      // What is small fits again.
      await store.write([{ key: "small", value: Uint8Array.of(1) }]);
      process.send?.({ code });
      break;
    }
  }
  await store.close();
} catch (error) {
  process.send?.({ code: Reflect.get(Object(error), "code") });
}
process.disconnect();
