import { availableParallelism } from "node:os";
import { playwright } from "@vitest/browser-playwright";
import type { TestProjectInlineConfiguration } from "vitest/config";
import { defineConfig } from "vitest/config";
import { launchOptions } from "./test/support/chromium.ts";
import { ClosingLine } from "./test/support/closing-line.ts";

type Options = NonNullable<TestProjectInlineConfiguration["test"]>;

/**
 * Projects run one after another, in the order given, so that what measures real time or drives a browser
 * never competes with the others for the processor. Files always run in processes of their own: WebRTC in Node
 * crashes in worker threads. Nothing is retried: a test that fails now and then has found something.
 */
let order = 2;
const project = (
  name: string,
  options: Options,
  groupOrder = order++,
): TestProjectInlineConfiguration => ({
  test: {
    name,
    pool: "forks",
    retry: 0,
    hookTimeout: 30_000,
    sequence: { groupOrder },
    ...options,
  },
});

// One file at a time: these open sockets, browsers and WebRTC connections.
const real = { fileParallelism: false, testTimeout: 30_000 };

/** After `unit`. */
const simOrder = 1;
const besideSim = availableParallelism() + 1;

export default defineConfig({
  test: {
    projects: [
      project(
        "unit",
        {
          include: ["test/unit/**/*.test.ts", "test/property/**/*.test.ts", "test/tidy.test.ts"],
          maxWorkers: "100%",
          testTimeout: 30_000,
        },
        0,
      ),
      project(
        "sim",
        { include: ["test/sim/**/*.test.ts"], maxWorkers: besideSim, testTimeout: 60_000 },
        simOrder,
      ),
      // What only has to be watched for long runs beside them: the load is welcome.
      project(
        "long",
        { include: ["test/long/**/*.test.ts"], maxWorkers: besideSim, testTimeout: 60_000 },
        simOrder,
      ),
      project("node", {
        include: ["test/integration/**/*.test.ts", "test/contract/**/*.test.ts"],
        exclude: ["**/*.browser.test.ts"],
        ...real,
      }),
      {
        ...project("browser", {
          include: ["test/browser/**/*.test.ts", "test/contract/**/*.browser.test.ts"],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: launchOptions() }),
            instances: [{ browser: "chromium" }],
          },
          ...real,
        }),
        // Found beforehand, since a package found during a run makes the page load anew in the middle of it.
        optimizeDeps: {
          include: ["@msgpack/msgpack", "idb-keyval", "simple-peer/simplepeer.min.js"],
        },
      },
      project("mesh", { include: ["test/mesh/**/*.test.ts"], ...real, testTimeout: 60_000 }),
      // Each on a network of its own, with faults of its own.
      project("network", {
        include: ["test/network/**/*.test.ts"],
        globalSetup: "test/support/lab/bundle.ts",
        ...real,
        testTimeout: 120_000,
      }),
      project("demo", { include: ["test/demo/**/*.test.ts"], ...real, testTimeout: 60_000 }),
    ],
    teardownTimeout: 10_000,
    reporters: ["default", new ClosingLine()],
    coverage: { provider: "v8", include: ["src/**", "signaling-server/**"] },
  },
});
