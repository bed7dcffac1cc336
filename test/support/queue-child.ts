/** Runs as a process of its own: a worker that its parent drives by messages. */
import process from "node:process";
import { diskStore, join } from "../../src/index.node.ts";
import { QueueWorker } from "./queue-worker.ts";

/** Resolves when it is on its way, so that it arrives even if this process is killed. */
function send(message: object): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}

const worker = new QueueWorker(join, diskStore, (told) => send({ told }));

process.on("message", async ({ call, method, args }: Call) => {
  try {
    const result = await Reflect.apply(worker[method], worker, args);
    await send({ call, result });
  } catch (error) {
    await send({ call, error: error instanceof Error ? error.message : String(error) });
  }
});
process.on("disconnect", () => void worker.leave());
await send({ call: 0 });

interface Call {
  readonly call: number;
  readonly method: keyof QueueWorker;
  readonly args: never[];
}
