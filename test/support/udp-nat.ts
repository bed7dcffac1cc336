/**
 * Stands between two ends as a NAT does: what comes to its port, TCP and UDP, goes on to a target from ports of its
 * own, and back. It can lose UDP, change its UDP ports, and break its TCP connections.
 */

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export class Nat {
  readonly #host: string;
  readonly #target: number;
  readonly #server = createServer((socket) => this.#onConnection(socket));
  readonly #udp = createSocket("udp4");
  readonly #mapped = new Map<number, UdpSocket>();
  readonly #sockets = new Set<Socket>();
  #watchers: (() => void)[] = [];
  losesUdp = false;
  /** Datagrams that came to it from outside, and that it sent on there. */
  inbound = 0;
  outbound = 0;

  private constructor(host: string, target: number) {
    this.#host = host;
    this.#target = target;
  }

  /** @param target the port at 127.0.0.1 that everything goes to */
  static async start(target: number, host = "127.0.0.1"): Promise<Nat> {
    const nat = new Nat(host, target);
    nat.#server.listen(0, host);
    await once(nat.#server, "listening");
    nat.#udp.bind(nat.port, host);
    await once(nat.#udp, "listening");
    nat.#udp.on("message", (bytes, { address, port }) => nat.#onDatagram(bytes, address, port));
    onTestFinished(() => nat.#close());
    return nat;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `${this.#host}:${this.port}`;
  }

  /** From now on datagrams come from other ports than before, as after a pause that a NAT takes for an end. */
  remap(): void {
    for (const socket of this.#mapped.values()) socket.close();
    this.#mapped.clear();
  }

  /** Waits until `holds` does; looks at every datagram. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (holds()) resolve();
        else this.#watchers.push(look);
      };
      look();
    });
  }

  /** Ends all TCP connections at once, without a word. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #onConnection(outer: Socket): void {
    const inner = connect(this.#target, "127.0.0.1");
    for (const [one, other] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => this.#sockets.delete(one));
      one.pipe(other);
    }
  }

  #onDatagram(bytes: Buffer, address: string, port: number): void {
    this.inbound++;
    this.#look();
    if (this.losesUdp) return;
    let socket = this.#mapped.get(port);
    if (socket === undefined) {
      socket = createSocket("udp4");
      socket.on("message", (answer) => {
        this.outbound++;
        this.#look();
        if (!this.losesUdp) this.#udp.send(answer, port, address);
      });
      this.#mapped.set(port, socket);
    }
    socket.send(bytes, this.#target, "127.0.0.1");
  }

  #look(): void {
    for (const look of this.#watchers.splice(0)) look();
  }

  #close(): void {
    this.remap();
    this.reset();
    this.#server.close();
    this.#udp.close();
  }
}
