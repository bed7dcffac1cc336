// Runs a command in a private network, where the machine allows that: a Linux network namespace that looks
// like an ordinary host (lo, eth0 with 10.77.0.1, a default route that leads nowhere). WebRTC finds its
// candidates there, mDNS works, no packet leaves the machine, and a port in use outside does not matter.
// Elsewhere the command runs plainly. Either way one line says which, and why.
//   node scripts/run-in-network.mjs COMMAND [ARG…]
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { pathToFileURL } from "node:url";

const setUp = `
  ip link set lo up &&
  ip link add eth0 type veth peer name eth0p &&
  ip link set eth0p up && ip link set eth0 up &&
  ip addr add 10.77.0.1/24 dev eth0 &&
  ip route add default via 10.77.0.254 dev eth0 || exit 1
  # An IPv6 address cannot be bound until the kernel has made sure that nobody else has it.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    ip -6 addr show tentative | grep -q inet6 || break
    sleep 0.2
  done
  exec "$@"`;

/**
 * @param {string} command
 * @param {string[]} args
 */
const succeeds = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;

function ensureIp() {
  if (succeeds("ip", "-V")) return true;
  if (process.getuid?.() !== 0 || !succeeds("apt-get", "--version")) return false;
  const wait = "DPkg::Lock::Timeout=300";
  const install = () =>
    succeeds("apt-get", "install", "-y", "--no-install-recommends", "-o", wait, "iproute2");
  return install() || (succeeds("apt-get", "update") && install());
}

/** @returns {{ prefix: string[], says: string }} what to put before a command, and why */
function choose() {
  if (process.env["HEARSAY_NETWORK"] === "private") {
    return { prefix: [], says: "private (already inside it)" };
  }
  if (process.env["HEARSAY_NETWORK"] === "plain") {
    return { prefix: [], says: "the machine's own (HEARSAY_NETWORK=plain)" };
  }
  if (process.platform !== "linux") {
    return { prefix: [], says: `the machine's own (no network namespaces on ${process.platform})` };
  }
  if (!ensureIp()) return { prefix: [], says: "the machine's own (iproute2 is not installed)" };
  // Without root a user namespace gives the right to make one; with root that may be forbidden and needless.
  for (const flags of [["--user", "--map-root-user", "--net"], ["--net"]]) {
    const prefix = ["unshare", ...flags, "--", "sh", "-c", setUp, "private-network"];
    if (succeeds("unshare", ...prefix.slice(1), "true")) {
      return { prefix, says: "private (a network namespace; nothing leaves the machine)" };
    }
  }
  return { prefix: [], says: "the machine's own (network namespaces are not allowed here)" };
}

/**
 * @param {string[]} command the command and its arguments
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} its exit code
 */
export function runInNetwork(command, env = process.env) {
  const { prefix, says } = choose();
  console.error(`network: ${says}`);
  const [file = "", ...args] = [...prefix, ...command];
  const network = says.startsWith("private") ? "private" : "plain";
  const child = spawn(file, args, {
    stdio: "inherit",
    env: { ...env, HEARSAY_NETWORK: network },
  });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => child.kill(signal));
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const command = process.argv.slice(2);
  if (command.length === 0) {
    console.error("usage: run-in-network.mjs COMMAND [ARG…]");
    process.exitCode = 2;
  } else {
    process.exitCode = await runInNetwork(command);
  }
}
