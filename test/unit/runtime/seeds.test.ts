import { expect, test } from "vitest";
import type { Input } from "../../../src/core/machine.ts";
import { loadClient, type MakeClient, type Seed, Seeds } from "../../../src/runtime/seeds.ts";
import type { SignalingClient } from "../../../src/signaling/client.ts";
import type { WebSocketConstructor } from "../../../src/signaling/websocket.ts";

const ID = "0".repeat(32);
const OTHER = "f".repeat(32);
const realClient = await loadClient();

/** A socket that never opens. */
class SilentSocket extends EventTarget {
  readonly readyState = 0;
  close(): void {}
  send(): void {}
}

interface Setting {
  readonly seeds: Seeds;
  readonly told: Seed[];
  readonly inputs: Input[];
  /** Resolves when a seed's state is told. */
  readonly changed: Promise<Seed>;
}

function setting(makeClient?: MakeClient): Setting {
  const told: Seed[] = [];
  const inputs: Input[] = [];
  let onSeed: (seed: Seed) => void = () => undefined;
  const changed = new Promise<Seed>((resolve) => {
    onSeed = (seed) => {
      told.push(seed);
      resolve(seed);
    };
  });
  const seeds = new Seeds({
    id: ID,
    WebSocket: SilentSocket as unknown as WebSocketConstructor,
    input: (input) => inputs.push(input),
    isSuspended: () => false,
    onSeed: (seed) => onSeed(seed),
    makeClient,
  });
  return { seeds, told, inputs, changed };
}

/** Notes what is asked of the client. */
function recorded(): { make: MakeClient; calls: string[] } {
  const calls: string[] = [];
  const note =
    (name: string) =>
    (...args: unknown[]): boolean =>
      calls.push([name, ...args.filter((arg) => typeof arg === "string")].join(" ")) > 0;
  const names = ["send", "island", "reconnect", "pause", "resume", "close"] as const;
  const methods = Object.fromEntries(names.map((name) => [name, note(name)]));
  const client = { state: "waiting", ...methods } as unknown as SignalingClient;
  return { make: () => client, calls };
}

test("a seed that comes before the client is loaded is connected when it is", async () => {
  const { seeds } = setting();
  expect(seeds.add("ws://localhost:1/room")).toBe(true);
  expect(seeds.add("ws://localhost:1/room")).toBe(false);
  const [seed] = seeds.all() as [Seed];
  expect(seed.state).toBe("connecting");
  await loadClient();
  seed.pause();
  expect(seed.state).toBe("paused");
  seeds.close();
  expect(seed.state).toBe("closed");
});

test("an address that can never work is refused, with its reason, also when that shows later", async () => {
  const { seeds, changed } = setting();
  seeds.add("http://localhost:1/room");
  const seed = await changed;
  expect(seed.state).toBe("refused");
  expect(seed.reason).toMatch(/ws:\/\/ or wss:\/\//);
  expect(() => setting(realClient).seeds.add("http://localhost:1/room")).toThrow(/ws:\/\//);
});

test("what is asked of a seed reaches its client", () => {
  const { make, calls } = recorded();
  const { seeds } = setting(make);
  seeds.island(OTHER);
  seeds.add("ws://localhost:1/room");
  const [seed] = seeds.all() as [Seed];
  seeds.send(1, OTHER, new Uint8Array(1));
  seeds.send(2, OTHER, new Uint8Array(1));
  seeds.retry();
  seed.pause();
  seed.resume();
  seeds.close();
  const expected = [`island ${OTHER}`, `send ${OTHER}`, "reconnect", "pause", "resume", "close"];
  expect(calls).toEqual(expected);
});
