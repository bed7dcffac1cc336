// npm test: all tests, in a private network where that is possible. Arguments go to vitest:
//   npm test -- --project unit
// A browser and a Redis must be there before the network is closed, since none can be installed from inside.
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ensureChromium } from "./find-chromium.mjs";
import { ensureRedis } from "./find-redis.mjs";
import { runInNetwork } from "./run-in-network.mjs";

const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
const args = process.argv.slice(2);

try {
  const found = { CHROMIUM_PATH: ensureChromium(), REDIS_SERVER_PATH: ensureRedis() };
  const env = { ...process.env, ...found };
  process.exitCode = await runInNetwork([process.execPath, vitest, "run", ...args], env);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
