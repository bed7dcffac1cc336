// npm test: all tests, in a private network where that is possible. Arguments go to vitest:
//   npm test -- --project unit
// What tests need beside Node must be there before the network is closed, since nothing can be installed from inside.
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ensureChromium } from "./find-chromium.mjs";
import { ensureServers } from "./find-servers.mjs";
import { runInNetwork } from "./run-in-network.mjs";

const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
const args = process.argv.slice(2);

try {
  const env = { ...process.env, CHROMIUM_PATH: ensureChromium(), ...ensureServers() };
  process.exitCode = await runInNetwork([process.execPath, vitest, "run", ...args], env);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
