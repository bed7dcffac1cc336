/** What stands in public: a signaling server, and a server for STUN and TURN. */

import process from "node:process";
import { bundleOf } from "./bundle.ts";
import type { Host } from "./host.ts";

const SECRET = "shared by both servers";
const STUN_PORT = 3_478;
const PORT = 8_080;

/** @param ice what members are told of @returns the seed */
export async function startSignaling(
  host: Host,
  ice: readonly ("stun" | "turn")[],
): Promise<string> {
  const at = `${host.address}:${STUN_PORT}`;
  const told = ice.flatMap((kind) => [`--${kind}`, `${kind}:${at}`]);
  const args = [
    "--port",
    `${PORT}`,
    ...told,
    ...(ice.includes("turn") ? ["--turn-secret", SECRET] : []),
  ];
  await host.program([process.execPath, bundleOf("serve"), ...args], /members connect to/);
  return `ws://${host.address}:${PORT}`;
}

/** @returns what gives all that it has printed */
export async function startTurn(host: Host): Promise<() => string> {
  const { address } = host;
  return await host.program(
    [
      process.env["TURNSERVER_PATH"] ?? "turnserver",
      ...["-n", "--no-cli", "--no-tls", "--no-dtls", "--pidfile=/dev/null"],
      ...["--log-file=stdout", "--simple-log", "--verbose"],
      ...[`--listening-ip=${address}`, `--relay-ip=${address}`, `--listening-port=${STUN_PORT}`],
      ...["--realm=lab", "--use-auth-secret", `--static-auth-secret=${SECRET}`],
    ],
    /TCP listener opened/,
  );
}
