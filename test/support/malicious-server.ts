/**
 * A signaling server that does what it likes with members that trust it to introduce them: it sits between two by
 * connections of its own, swaps fingerprints, says old things again, invents members and loses what it wants to.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { frameCodec } from "../../src/core/wire/codec.ts";
import type { Inner, MemberRecord } from "../../src/core/wire/messages.ts";
import { hashOfCluster } from "../../src/session/identity.ts";
import {
  encodeMessage,
  encodeRelay,
  parseClientMessage,
  parseRelay,
  type ServerMessage,
} from "../../src/signaling/protocol.ts";
import { LinkEnd } from "../../src/testing/link-end.ts";
import type { Lane, Transport } from "../../src/transport/transport.ts";
import { decodeSignal, encodeSignal } from "../../src/transport/webrtc-signal.ts";

export type Manner =
  /** Hands on what it is given. */
  | "honest"
  /** Connects with each of two members in the name of the other, and hands on all frames. */
  | "between"
  /** Names another certificate in offers and answers. */
  | "swap"
  /** Loses the first packets that it is given. */
  | "lossy"
  /** Names nobody but whom it has invented. */
  | "hiding";

const INTRODUCE_EVERY_MS = 2_000;
const LOST_FIRST = 5;

type Signal = Extract<Inner, { type: "signal" }>;

interface Packet {
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

/** Two connections in place of one, by the member that each leads to. */
type Between = ReadonlyMap<string, Way>;

interface Way {
  readonly end: LinkEnd;
  readonly heard: Set<number>;
}

export class MaliciousServer {
  manner: Manner = "honest";
  /** What it has read between two members. */
  readonly read: Uint8Array[] = [];
  /** All packets that it was given. */
  readonly packets: Packet[] = [];
  /** How many it swapped, lost, or answered in another's name. */
  misdeeds = 0;
  readonly #introducing: NodeJS.Timeout;
  readonly #server: WebSocketServer;
  readonly #codec: ReturnType<typeof frameCodec>;
  readonly #transport: Transport;
  readonly #members = new Map<string, WebSocket>();
  readonly #between = new Map<string, Between>();
  readonly #invented = new Map<string, LinkEnd | undefined>();

  private constructor(server: WebSocketServer, clusterHash: number, transport: Transport) {
    this.#server = server;
    this.#codec = frameCodec(clusterHash);
    this.#transport = transport;
    server.on("connection", (socket) => this.#admit(socket));
    // As any server does with parts of a mesh, only sooner.
    this.#introducing = setInterval(() => this.#introduceAll(), INTRODUCE_EVERY_MS);
  }

  static async start(cluster: string, transport: Transport): Promise<MaliciousServer> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    return new MaliciousServer(server, await hashOfCluster(cluster), transport);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Says everything again that it was given so far, each to whom it was meant for. */
  replay(): void {
    for (const packet of [...this.packets]) this.#relay(packet);
  }

  /** Names members that are none, from now on. */
  invent(count: number): void {
    for (let i = 0; i < count; i++) this.#invented.set(randomBytes(16).toString("hex"), undefined);
  }

  #introduceAll(): void {
    for (const [id, socket] of this.#members) {
      const peers = this.#named().filter((one) => one !== id);
      if (peers.length > 0) this.#say(socket, { type: "introduce", peers });
    }
  }

  #named(): string[] {
    const real = this.manner === "hiding" ? [] : this.#members.keys();
    return [...this.#invented.keys(), ...real].slice(0, 8);
  }

  close(): void {
    clearInterval(this.#introducing);
    this.#transport.close();
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }

  #admit(socket: WebSocket): void {
    let id = "";
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        const relay = parseRelay(data);
        if (!relay.ok) return;
        const packet = { from: id, to: relay.value.id, bytes: Uint8Array.from(relay.value.packet) };
        this.packets.push(packet);
        return this.#take(packet);
      }
      const message = parseClientMessage(data.toString());
      if (!message.ok || message.value.type !== "hello") return;
      id = message.value.id;
      this.#say(socket, { type: "welcome", peers: this.#named() });
      this.#members.set(id, socket);
      socket.once("close", () => this.#members.delete(id));
    });
  }

  #say(socket: WebSocket, message: ServerMessage): void {
    socket.send(encodeMessage(message));
  }

  #relay({ from, to, bytes }: Packet): void {
    const frame = encodeRelay(from, bytes);
    const socket = this.#members.get(to);
    if (frame.ok) socket?.send(frame.value);
  }

  #take(packet: Packet): void {
    const inner = this.#codec.decodeInner(packet.bytes);
    const said = inner.ok ? inner.message : undefined;
    if (said && this.#invented.has(packet.to)) return this.#answerFor(packet, said);
    if (this.manner === "lossy" && this.misdeeds < LOST_FIRST) this.misdeeds++;
    else if (said?.type === "signal" && this.manner === "between") this.#sitBetween(packet, said);
    else if (said?.type === "signal" && this.manner === "swap") this.#swap(packet, said);
    else this.#relay(packet);
  }

  #swap(packet: Packet, said: Signal): void {
    const signal = decodeSignal(said.payload);
    if (!signal?.description) return this.#relay(packet);
    this.misdeeds++;
    const description = { ...signal.description, fingerprint: "ab".repeat(32) };
    const payload = encodeSignal({ ...signal, description });
    this.#relay({ ...packet, bytes: this.#codec.encodeInner({ ...said, payload }) });
  }

  #sitBetween({ from, to }: Packet, said: Signal): void {
    const name = `${said.attempt} ${[from, to].sort().join(" ")}`;
    let between = this.#between.get(name);
    if (!between) {
      // The first signal is the offer.
      between = this.#connectBoth(from, to, said.attempt);
      this.#between.set(name, between);
      this.misdeeds++;
    }
    const way = between.get(from);
    // An offerer repeats itself.
    if (!way || way.heard.has(said.number)) return;
    way.heard.add(said.number);
    way.end.signal(said.payload);
  }

  #connectBoth(offerer: string, other: string, attempt: number): Between {
    const near = this.#end(offerer, other, attempt, false);
    const far = this.#end(other, offerer, attempt, true);
    for (const [one, another] of [
      [near, far],
      [far, near],
    ] as const) {
      const waiting: { lane: Lane; bytes: Uint8Array }[] = [];
      const handOn = (): void => {
        if (another.openCount === 0 || another.link.state !== "open") return;
        for (const { lane, bytes } of waiting.splice(0)) another.send(lane, bytes);
      };
      one.onFrame = ({ lane, bytes }) => {
        this.read.push(Uint8Array.from(bytes));
        waiting.push({ lane, bytes });
        handOn();
      };
      another.opened().then(handOn, () => undefined);
      one.closed().then(
        () => another.close(),
        () => undefined,
      );
    }
    return new Map([
      [offerer, { end: near, heard: new Set() }],
      [other, { end: far, heard: new Set() }],
    ]);
  }

  /** A connection with `member` in the name of `name`. */
  #end(member: string, name: string, attempt: number, initiator: boolean): LinkEnd {
    const end = new LinkEnd(this.#transport, { initiator });
    let number = 0;
    end.onSignal = (payload) => {
      const said: Inner = { type: "signal", attempt, number: number++, payload };
      this.#relay({ from: name, to: member, bytes: this.#codec.encodeInner(said) });
    };
    return end;
  }

  /** Plays a member that it has invented, as far as it can. */
  #answerFor({ from, to }: Packet, said: Inner): void {
    if (said.type === "linkRequest") {
      this.misdeeds++;
      const end = this.#end(from, to, said.attempt, false);
      // It knows how members greet each other, but nothing to greet with.
      end.opened().then(
        () =>
          end.send(
            "reliable",
            this.#codec.encode({ type: "hello", features: 0, record: recordOf(to) }),
          ),
        () => undefined,
      );
      const accept: Inner = { type: "linkAccept", attempt: said.attempt, flags: 0 };
      this.#invented.set(to, end);
      this.#relay({ from: to, to: from, bytes: this.#codec.encodeInner(accept) });
    } else if (said.type === "signal") {
      const end = this.#invented.get(to);
      if (end?.link.state === "opening") end.signal(said.payload);
    }
  }
}

function recordOf(id: string): MemberRecord {
  return {
    id,
    generation: 1,
    version: 1,
    incarnation: 0,
    state: "alive",
    flags: 0,
    name: "nobody",
    role: "",
    meta: new Uint8Array(),
    addresses: [],
    neighbours: [],
  };
}
