/** Meshes within the test's process: real signaling over sockets, links in memory. All ends with the test. */

import { onTestFinished } from "vitest";
import {
  createSignalingServer,
  type SignalingServer,
  type SignalingServerOptions,
} from "../../signaling-server/index.ts";
import {
  type JoinOptions,
  join,
  MemoryNetwork,
  type Mesh,
  type MeshEventName,
  memoryTransport,
} from "../../src/index.node.ts";

/** How long a condition is waited for, ms. Far above what it takes: only a fault reaches it. */
const PATIENCE_MS = 15_000;

/** All that can change what a test waits for. */
const EVENTS: readonly MeshEventName[] = [
  "peer:join",
  "peer:up",
  "peer:suspect",
  "peer:down",
  "peer:leave",
  "peer:update",
  "link:up",
  "link:down",
  "link:failed",
  "online",
  "offline",
  "health",
  "seed",
  "gap",
  "state:expired",
  "state:gap",
  "refused",
  "identity:taken",
  "store",
  "start",
  "stop",
];

export class Cluster {
  readonly network = new MemoryNetwork();
  readonly server: SignalingServer;
  readonly #name: string;

  private constructor(name: string, server: SignalingServer) {
    this.#name = name;
    this.server = server;
  }

  static async start(name = "demo", options: SignalingServerOptions = {}): Promise<Cluster> {
    const server = createSignalingServer({ port: 0, host: "127.0.0.1", ...options });
    onTestFinished(() => server.close({ graceMs: 0 }));
    return new Cluster(name, await server.listen());
  }

  get seed(): string {
    return `ws://127.0.0.1:${this.server.port}`;
  }

  async join(options: Partial<JoinOptions> = {}): Promise<Mesh> {
    const common = { cluster: this.#name, seeds: [this.seed] };
    return await joinInMemory(this.network, { ...common, ...options });
  }

  /** Joins so many, one after the other. */
  async joinMany(count: number, options: Partial<JoinOptions> = {}): Promise<Mesh[]> {
    const meshes: Mesh[] = [];
    for (let i = 0; i < count; i++) meshes.push(await this.join({ name: `m${i}`, ...options }));
    return meshes;
  }
}

/** Joins over a network in memory, and leaves with the test. */
export async function joinInMemory(network: MemoryNetwork, options: JoinOptions): Promise<Mesh> {
  const mesh = await join({ transport: memoryTransport(network), ...options });
  onTestFinished(() => mesh.leave());
  return mesh;
}

/** Waits until `holds` does; looks after every event of each mesh and after all that they hear and know. */
export function until(
  meshes: readonly Mesh[],
  what: string,
  holds: () => boolean,
  ms: number = PATIENCE_MS,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (holds()) finish(resolve);
    };
    const ends = meshes.flatMap((mesh) => [
      ...EVENTS.map((event) => mesh.on(event, look)),
      // Those that a test has set up itself come first, whenever they were added.
      mesh.hear("**", () => queueMicrotask(look)),
      mesh.know("**", () => queueMicrotask(look)),
    ]);
    const finish = (then: () => void): void => {
      clearTimeout(timer);
      for (const end of ends) end();
      then();
    };
    const timer = setTimeout(() => finish(() => reject(new Error(failure()))), ms);
    const failure = (): string =>
      [`not within ${ms} ms: ${what}`, ...meshes.map(describe)].join("\n");
    look();
  });
}

/** Everyone has a link with everyone. */
export function allLinked(meshes: readonly Mesh[]): Promise<void> {
  return until(meshes, "everyone linked with everyone", () =>
    meshes.every((mesh) => meshes.every(({ self }) => self === mesh.self || isLinked(mesh, self))),
  );
}

/** Everyone knows that everyone is alive. */
export function allKnown(meshes: readonly Mesh[]): Promise<void> {
  return until(meshes, "everyone known to everyone", () =>
    meshes.every((mesh) => mesh.peers.live.length === meshes.length - 1),
  );
}

export function isLinked(mesh: Mesh, { id }: { readonly id: string }): boolean {
  return mesh.peers.get(id)?.linked ?? false;
}

/** Writes down an event each time it happens, by the name of the peer that it is about. */
export function noted(mesh: Mesh, events: readonly MeshEventName[]): string[] {
  const notes: string[] = [];
  for (const event of events) {
    mesh.on(event, (...args: readonly unknown[]) => {
      const [about] = args as readonly [{ readonly name?: string } | undefined];
      notes.push(about?.name === undefined ? event : `${event} ${about.name}`);
    });
  }
  return notes;
}

function describe(mesh: Mesh): string {
  const peers = mesh.peers.all.map(
    ({ name, state, linked }) => `${name} ${state}${linked ? " linked" : ""}`,
  );
  return `${mesh.self.name} (${mesh.health.why}): ${peers.join(", ")}`;
}
