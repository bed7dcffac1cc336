/** What the tests of the signaling server share: a bare client that can misbehave, and waits with a bound. */

import { randomBytes } from "node:crypto";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import {
  createSignalingServer,
  type SignalingServer,
  type SignalingServerOptions,
} from "../../signaling-server/index.ts";
import {
  encodeMessage,
  encodeRelay,
  parseRelay,
  parseServerMessage,
  type ServerMessage,
} from "../../src/signaling/protocol.ts";

export const newId = (): string => randomBytes(16).toString("hex");

/** Waits for a promise, 5 s at most. */
export async function within<T>(what: string, promise: Promise<T>, ms = 5_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Things that happened and are taken one by one, in order. */
export class Inbox<T> {
  readonly #name: string;
  readonly #came: T[] = [];
  #waiting: (() => void) | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  put(one: T): void {
    this.#came.push(one);
    this.#waiting?.();
  }

  /** How many came and were not taken. */
  get size(): number {
    return this.#came.length;
  }

  async next(): Promise<T> {
    if (this.#came.length === 0) {
      const came = new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
      await within(this.#name, came);
    }
    return this.#came.shift() as T;
  }
}

/** Starts a server on a free port, closed with the test. */
export async function startServer(options: SignalingServerOptions = {}): Promise<SignalingServer> {
  const server = createSignalingServer({ port: 0, ...options });
  onTestFinished(() => server.close({ graceMs: 0 }));
  return await server.listen();
}

export const urlOf = (server: SignalingServer, cluster = "demo"): string =>
  `ws://127.0.0.1:${server.port}/${cluster}`;

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A member without manners: sends whatever a test wants. Answers pings unless it is told not to. */
export class RawMember {
  readonly id: string;
  readonly socket: WebSocket;
  readonly messages = new Inbox<ServerMessage>("a message from the server");
  readonly packets = new Inbox<{ from: string; packet: string }>("a packet from a member");
  readonly closed: Promise<Closed>;
  readonly opened: Promise<void>;

  constructor(url: string, { id = newId(), pongs = true } = {}) {
    this.id = id;
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        const relay = parseRelay(data);
        if (!relay.ok) throw new Error(relay.refusal.reason);
        const packet = Buffer.from(relay.value.packet).toString();
        return this.packets.put({ from: relay.value.id, packet });
      }
      const parsed = parseServerMessage(data.toString());
      if (!parsed.ok) throw new Error(parsed.refusal.reason);
      if (parsed.value.type !== "ping") this.messages.put(parsed.value);
      else if (pongs) this.socket.send(encodeMessage({ type: "pong" }));
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once("open", () => resolve());
      this.socket.once("error", reject);
    });
    // Without this a socket that a test expects to fail would end the process.
    this.opened.catch(() => {});
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    onTestFinished(() => this.socket.terminate());
  }

  hello(island?: string): void {
    this.socket.send(
      encodeMessage({ type: "hello", id: this.id, ...(island !== undefined && { island }) }),
    );
  }

  send(to: string, packet: string): void {
    const frame = encodeRelay(to, Buffer.from(packet));
    if (!frame.ok) throw new Error(frame.refusal.reason);
    this.socket.send(frame.value);
  }
}

/** Connects, says hello and is welcomed. */
export async function join(
  url: string,
  { island, ...options }: { id?: string; island?: string; pongs?: boolean } = {},
): Promise<RawMember & { peers: readonly string[] }> {
  const member = new RawMember(url, options);
  await within("the connection", member.opened);
  member.hello(island);
  const welcome = await member.messages.next();
  if (welcome.type !== "welcome") throw new Error(`${welcome.type} instead of a welcome`);
  return Object.assign(member, { peers: welcome.peers });
}

/** Two members that go on talking, to see that nothing disturbs them. */
export async function pair(url: string): Promise<{ talk(): Promise<void> }> {
  const [one, other] = [await join(url), await join(url)];
  let count = 0;
  const carry = async (from: RawMember, to: RawMember) => {
    const packet = `packet ${++count}`;
    from.send(to.id, packet);
    const came = await to.packets.next();
    if (came.from !== from.id || came.packet !== packet) throw new Error("another packet came");
  };
  return {
    async talk() {
      await carry(one, other);
      await carry(other, one);
      const states = [one.socket.readyState, other.socket.readyState];
      if (!states.every((state) => state === WebSocket.OPEN)) throw new Error("a socket closed");
    },
  };
}
