// Programs of others that the tests start and kill: finds them, or installs them as the machine allows. Where one is
// missing its tests fail and say so; the others run.
import process from "node:process";
import { findProgram, installFromDebian } from "./find-program.mjs";

/**
 * @param {string} variable of the environment, which may name the executable
 * @param {string[]} names that it may have
 * @param {string} debian its package there
 * @returns {string | undefined} the path of an executable, installed first where there was none
 */
function ensure(variable, names, debian) {
  const find = () => findProgram(variable, names);
  if (find() === undefined) {
    console.error(`No ${names[0]} found; installing one …`);
    installFromDebian(debian);
  }
  const found = find();
  if (found === undefined) {
    console.error(
      `No ${names[0]}: the tests that need it will fail. Install ${debian}, or set ${variable} to its executable.`,
    );
  }
  return found;
}

/** @returns {Record<string, string>} for the environment of the tests */
export function ensureServers() {
  const redis = ensure("REDIS_SERVER_PATH", ["redis-server", "valkey-server"], "redis-server");
  const turn = ensure("TURNSERVER_PATH", ["turnserver"], "coturn");
  // Networks of their own, with faults, exist on Linux alone.
  const isLinux = process.platform === "linux";
  const nft = isLinux && ensure("NFT_PATH", ["nft"], "nftables");
  const socat = isLinux && ensure("SOCAT_PATH", ["socat"], "socat");
  return {
    ...(redis && { REDIS_SERVER_PATH: redis }),
    ...(turn && { TURNSERVER_PATH: turn }),
    ...(nft && { NFT_PATH: nft }),
    ...(socat && { SOCAT_PATH: socat }),
  };
}
