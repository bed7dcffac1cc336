// Where is a Redis that the tests can start and kill? Finds one, or installs one as the machine allows.
import { findProgram, installFromDebian } from "./find-program.mjs";

const find = () => findProgram("REDIS_SERVER_PATH", ["redis-server", "valkey-server"]);

/** @returns {string} the path of an executable, installed first where there was none */
export function ensureRedis() {
  if (!find()) {
    console.error("No Redis found; installing one …");
    // Its package starts a server of its own, unless it is told that it may not. The tests start theirs.
    installFromDebian("redis-server");
  }
  const found = find();
  if (found) return found;
  throw new Error(
    "No redis-server, and none could be installed. Install Redis, or set REDIS_SERVER_PATH to its executable.",
  );
}
