/** Runs in a tab: a worker that tests drive from outside. Bundled with no settings, as a user would. */
import { indexedDbStore, join } from "../../src/index.browser.ts";
import { QueueWorker, type Told } from "./queue-worker.ts";

/** The test's process gives it. */
declare function report(told: Told): Promise<void>;

Object.assign(globalThis, {
  worker: new QueueWorker(join, indexedDbStore, (told) => report(told)),
});
