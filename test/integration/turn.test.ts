// Members that have no way to each other but a TURN server, with the credentials that their signaling server hands them.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import process from "node:process";
import { describe, expect, onTestFinished, test } from "vitest";
import { join, type Mesh } from "../../src/index.node.ts";
import { joinOn } from "../../src/mesh/join.ts";
import { hostOfNode } from "../../src/runtime/host.node.ts";
import type { IceServer } from "../../src/runtime/host.ts";
import { nodeWebSocket } from "../../src/signaling/websocket.node.ts";
import { MemoryNetwork, memoryTransport } from "../../src/transport/memory.ts";
import { freePort } from "../support/free-port.ts";
import { allLinked } from "../support/memory-mesh.ts";
import { startServer, within } from "./signaling-support.ts";

const secret = "shared with the TURN server";

/** WebRTC relays from no loopback address. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const other = all.find((one) => !one.internal && one.family === "IPv4");
  return other?.address ?? "127.0.0.1";
}

/** A coturn that ends with the test. Gives its URL, and what it prints. */
async function startTurn(): Promise<{ url: string; output: () => string }> {
  const host = ownAddress();
  const port = await freePort(host);
  const folder = mkdtempSync(joinPath(tmpdir(), "hearsay-turn-"));
  const options = {
    "listening-ip": host,
    "listening-port": port,
    "relay-ip": host,
    "use-auth-secret": undefined,
    "static-auth-secret": secret,
    realm: "hearsay.test",
    fingerprint: undefined,
    "no-tls": undefined,
    "no-dtls": undefined,
    "no-cli": undefined,
    "allow-loopback-peers": undefined,
    "log-file": "stdout",
    verbose: undefined,
    pidfile: joinPath(folder, "pid"),
    userdb: joinPath(folder, "db"),
  };
  const args = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [`--${name}`] : [`--${name}`, `${value}`],
  );
  const child = spawn(process.env["TURNSERVER_PATH"] ?? "turnserver", ["-n", ...args]);
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  let output = "";
  const listening = new Promise<void>((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`coturn cannot be started: ${error.message}`)));
    child.on("exit", () => reject(new Error(`coturn has ended:\n${output}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (data) => {
        output += data;
        if (/UDP listener opened/i.test(output)) resolve();
      });
    }
  });
  await within("coturn listens", listening, 20_000);
  return { url: `turn:${host}:${port}`, output: () => output };
}

async function meshesBy(turn: { urls: string[]; secret: string }, ms: number): Promise<Mesh[]> {
  const server = await startServer({ turn });
  const seeds = [`ws://127.0.0.1:${server.port}`];
  const joined: Mesh[] = [];
  for (const name of ["one", "other"]) {
    const options = { cluster: "demo", seeds, name, joinTimeoutMs: ms } as const;
    const mesh = await join({ ...options, iceTransportPolicy: "relay" });
    onTestFinished(() => mesh.leave());
    joined.push(mesh);
  }
  return joined;
}

describe("members that may use a relay alone", () => {
  test("reach each other with the credentials of their welcome", async () => {
    const { url, output } = await startTurn();
    const meshes = await meshesBy({ urls: [url], secret }, 20_000);
    await allLinked(meshes);
    const [one, other] = meshes as [Mesh, Mesh];
    const heard = other.hearOnce("word");
    await one.say("word", "over the relay");
    expect((await heard).data).toBe("over the relay");
    expect(output()).toMatch(new RegExp(`user <\\d+:${one.self.id}>`));
  });

  test("do not with those of another secret", async () => {
    const { url, output } = await startTurn();
    const wrong = { urls: [url], secret: "another secret" };
    await expect(meshesBy(wrong, 3_000)).rejects.toMatchObject({ code: "join:unreachable" });
    expect(output()).toMatch(/Cannot find credentials|401/);
  });
});

const own = { urls: "stun:own.example" };
const named = { urls: ["stun:named.example"] };

test.each([
  [undefined, [own, named]],
  [true, [own, named]],
  [false, [own]],
])("with iceServersFromSeeds %s links are made with %j", async (iceServersFromSeeds, used) => {
  const server = await startServer({ iceServers: [named] });
  let ice: (() => readonly IceServer[]) | undefined;
  const joinHere = joinOn(
    hostOfNode(nodeWebSocket, async ({ iceServers }) => {
      ice = iceServers;
      return { transports: [memoryTransport(new MemoryNetwork())] };
    }),
  );
  const mesh = await joinHere({
    cluster: "ice",
    seeds: [`ws://127.0.0.1:${server.port}`],
    iceServers: [own],
    ...(iceServersFromSeeds !== undefined && { iceServersFromSeeds }),
  });
  onTestFinished(() => mesh.leave());
  expect(mesh.seeds.map(({ state }) => state)).toEqual(["up"]);
  expect(ice?.()).toEqual(used);
});
