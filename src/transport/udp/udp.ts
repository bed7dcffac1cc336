/**
 * Links over UDP and TCP, for Node processes: datagrams on UDP, what must arrive on TCP at the same port number.
 *
 * It encrypts nothing: who sees the packets can read them. Sessions seal its frames.
 */

import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { isIP, type Socket } from "node:net";
import { closedLink } from "../closed-link.ts";
import {
  type CloseReason,
  type ConnectOptions,
  DATAGRAM_BYTES_MAX,
  type Dialling,
  type Link,
  type LinkHandlers,
  SEAL_BYTES,
  type Transport,
} from "../transport.ts";
import {
  type Advertised,
  addressesOf,
  ENDPOINTS_MAX,
  type Endpoint,
  formatAddress,
  isWildcard,
  parseAddress,
  parseAdvertised,
  parseUrl,
} from "./address.ts";
import { type Greeted, ID_BYTES } from "./greeting.ts";
import { Incoming } from "./incoming.ts";
import { UdpLink } from "./link.ts";
import { Opening, type OpeningHost } from "./opening.ts";
import { decodeSignal, TOKEN_BYTES } from "./signal.ts";
import { openSockets, type Sockets } from "./sockets.ts";

export interface UdpOptions {
  /** The IP address to bind to. Default: all of this machine, IPv6 and IPv4. */
  readonly host?: string;
  /** For UDP and TCP both. Default 0: one that is free. */
  readonly port?: number;
  /**
   * Where others reach this end when that is not where it is bound: `host`, `host:port`, `[v6]:port`. Behind a NAT both
   * UDP and TCP of that port are to lead here. Default: the machine's own addresses.
   */
  readonly advertise?: string | readonly string[];
  /** The addresses of a host's name. Default: the system's. */
  readonly lookup?: (name: string) => Promise<readonly string[]>;
  /** Links that are opening or open. Default 256. */
  readonly openMax?: number;
}

const OPEN_MAX = 256;
const OPEN_TIMEOUT_MS = 15_000;
/** Who is dialled at all its addresses is there soon, or not. */
const DIAL_TIMEOUT_MS = 5_000;
/** How long a closing transport lets its links flush, so that the process can end soon, ms. */
const CLOSE_FLUSH_MS = 500;
/** Addresses that are tried of one name. */
const RESOLVED_MAX = 64;
/** Before the bytes of a datagram stand the id that lets it in, and its kind. */
const PREFIX_BYTES = ID_BYTES + 1;
const DATAGRAM_WIRE_BYTES_MAX = PREFIX_BYTES + DATAGRAM_BYTES_MAX + SEAL_BYTES;

/** @throws RangeError for options that can never work */
export function udpTransport(options: UdpOptions = {}): Transport & Dialling {
  return new UdpTransport(options);
}

class UdpTransport implements Transport, Dialling {
  readonly kind = "udp";
  readonly slowOfferer = false;
  readonly encrypted = false;
  readonly schemes = ["udp", "dns"];
  readonly dialling: Dialling = this;
  readonly #options: UdpOptions;
  readonly #advertised: readonly Advertised[];
  /** Names this end to those that it dials: so it knows itself under any address. */
  readonly #self = randomBytes(TOKEN_BYTES);
  readonly #links = new Set<UdpLink>();
  readonly #openings = new Map<UdpLink, Opening>();
  /** Open links by the id that their datagrams begin with. */
  readonly #inlets = new Map<string, UdpLink>();
  readonly #connections = new Set<Socket>();
  readonly #incoming: Incoming;
  #accept: ((link: Link) => LinkHandlers) | undefined;
  #sockets: Sockets | undefined;
  #listening: Promise<Sockets> | undefined;
  #flushing: ReturnType<typeof setTimeout> | undefined;
  #stopDiscovery: (() => void) | undefined;
  #closed = false;

  constructor(options: UdpOptions) {
    this.#options = options;
    const { advertise = [], port = 0 } = options;
    this.#advertised = [advertise].flat().map(parseAdvertised);
    if (!(port >= 0 && port <= 65_535))
      throw new RangeError(`port must be 0 to 65535, and is ${port}`);
    this.#incoming = new Incoming({
      self: this.#self,
      opening: (token) => [...this.#openings.values()].find((one) => one.token.equals(token)),
      accepts: () => this.#accept !== undefined && this.#hasRoom,
      accepted: (greeted) => this.#onAccepted(greeted),
    });
  }

  get addresses(): readonly string[] {
    return this.#sockets === undefined ? [] : this.#told(this.#sockets).map(formatAddress);
  }

  connect(
    { initiator, trickle = true, openTimeoutMs }: ConnectOptions,
    handlers: LinkHandlers,
  ): Link {
    const refusal = this.#refusal;
    if (refusal !== undefined) return closedLink(handlers, refusal);
    const { opening, link } = this.#begin(initiator, handlers);
    const why = (): string => opening.why();
    link.giveUpAfter(openTimeoutMs ?? (trickle ? OPEN_TIMEOUT_MS : 0), why);
    opening.bySignals(() => {
      // Whoever can be dialled is there soon; else the next transport's turn comes in time for `join`.
      if (openTimeoutMs === undefined && trickle) link.giveUpAfter(DIAL_TIMEOUT_MS, why);
    });
    return link;
  }

  recognises(signal: Uint8Array): boolean {
    return decodeSignal(signal) !== undefined;
  }

  async listen(accept: (link: Link) => LinkHandlers): Promise<void> {
    this.#accept = accept;
    await this.#start();
  }

  async resolve(url: string): Promise<readonly (readonly string[])[]> {
    const { scheme, host, port } = parseUrl(url);
    const hosts = await this.#lookup(host);
    const addresses = hosts.slice(0, RESOLVED_MAX).map((one) => formatAddress({ host: one, port }));
    // A name of `udp` is one end, whatever leads to it; of `dns` it is all that are there.
    if (scheme === "dns") return addresses.map((address) => [address]);
    return [addresses.slice(0, ENDPOINTS_MAX)];
  }

  async discover(name: string, found: (addresses: readonly string[]) => void): Promise<() => void> {
    const { discover } = await import("./mdns.ts");
    const { host, port } = await this.#start();
    const endpoints = await this.#candidates(host, port);
    const end = await discover({ name, endpoints, found });
    if (this.#closed) end();
    this.#stopDiscovery = end;
    return end;
  }

  dial(addresses: readonly string[], handlers: LinkHandlers): Link {
    const refusal = this.#refusal;
    if (refusal !== undefined) return closedLink(handlers, refusal);
    const { opening, link } = this.#begin(true, handlers);
    link.giveUpAfter(DIAL_TIMEOUT_MS, () => opening.why());
    const endpoints = addresses.flatMap((address) => parseAddress(address) ?? []);
    opening.byDialling(endpoints.slice(0, ENDPOINTS_MAX), this.#self);
    return link;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const link of this.#links) link.close();
    this.#stopDiscovery?.();
    this.#incoming.close();
    this.#sockets?.close();
    if (this.#connections.size === 0) return;
    this.#flushing = setTimeout(() => {
      for (const socket of this.#connections) socket.destroy();
    }, CLOSE_FLUSH_MS);
  }

  get #hasRoom(): boolean {
    return !this.#closed && this.#links.size < (this.#options.openMax ?? OPEN_MAX);
  }

  /** Why no link can be made now, with the remedy. */
  get #refusal(): CloseReason | undefined {
    if (this.#hasRoom) return undefined;
    const message = this.#closed
      ? "the transport is closed: make a new one"
      : `${this.#links.size} links are open: close some, or raise openMax`;
    return { code: "unsupported", message };
  }

  #begin(initiator: boolean, handlers: LinkHandlers): { link: UdpLink; opening: Opening } {
    const link = this.#makeLink(initiator, () => handlers);
    const opening = new Opening(link, this.#openingHost());
    this.#openings.set(link, opening);
    return { link, opening };
  }

  #makeLink(initiator: boolean, handlersOf: (link: Link) => LinkHandlers): UdpLink {
    const link = new UdpLink({
      initiator,
      handlersOf,
      sendDatagram: (bytes, to, failed) => this.#sockets?.send(bytes, to, failed) ?? false,
      ended: (id) => {
        this.#links.delete(link);
        this.#openings.get(link)?.end();
        this.#openings.delete(link);
        if (id !== undefined) this.#inlets.delete(keyOf(id));
      },
    });
    this.#links.add(link);
    return link;
  }

  #openingHost(): OpeningHost {
    return {
      listening: async () => {
        const { port, host } = await this.#start();
        const localAddress = isWildcard(host) ? undefined : host;
        return { localAddress, port, endpoints: await this.#candidates(host, port) };
      },
      track: (socket) => this.#track(socket),
      opened: (link, greeted) => this.#onOpened(link, greeted),
    };
  }

  #onOpened(link: UdpLink, greeted: Greeted): void {
    if (link.state !== "opening") return void greeted.socket.destroy();
    this.#openings.get(link)?.end(greeted.socket);
    this.#openings.delete(link);
    this.#inlets.set(keyOf(greeted.ids[0]), link);
    link.open(greeted);
  }

  #onAccepted(greeted: Greeted): void {
    const accept = this.#accept;
    if (accept === undefined || !this.#hasRoom) return void greeted.socket.destroy();
    this.#onOpened(this.#makeLink(false, accept), greeted);
  }

  #onDatagram(bytes: Buffer, from: Endpoint): void {
    if (bytes.length < PREFIX_BYTES || bytes.length > DATAGRAM_WIRE_BYTES_MAX) return;
    const link = this.#inlets.get(keyOf(bytes));
    // The copy does not hold the buffer that the system filled.
    link?.onDatagram(bytes[ID_BYTES], new Uint8Array(bytes.subarray(PREFIX_BYTES)), from);
  }

  #start(): Promise<Sockets> {
    if (this.#closed) return Promise.reject(new Error("the transport is closed: make a new one"));
    const { host, port = 0 } = this.#options;
    this.#listening ??= openSockets(host, port, {
      connection: (socket) => {
        this.#track(socket);
        this.#incoming.onConnection(socket);
      },
      datagram: (bytes, from) => this.#onDatagram(bytes, from),
    }).then((sockets) => {
      if (this.#closed) sockets.close();
      this.#sockets = sockets;
      return sockets;
    });
    return this.#listening;
  }

  #track(socket: Socket): void {
    this.#connections.add(socket);
    socket.on("close", () => {
      this.#connections.delete(socket);
      if (this.#connections.size === 0) clearTimeout(this.#flushing);
    });
  }

  /** What others are told: where they reach us from outside, or else where we are. */
  #told({ host, port }: Sockets): Endpoint[] {
    const told = this.#advertised.map((one) => ({ host: one.host, port: one.port ?? port }));
    return told.length > 0 ? told : addressesOf(host).map((one) => ({ host: one, port }));
  }

  /** All addresses that the other end of an attempt may try: those that are advertised, by number, and our own. */
  async #candidates(host: string, port: number): Promise<Endpoint[]> {
    const advertised = await Promise.all(
      this.#advertised.map(async (one) => {
        const hosts = await this.#lookup(one.host).catch(() => []);
        return hosts.map((address) => ({ host: address, port: one.port ?? port }));
      }),
    );
    const own = addressesOf(host).map((one) => ({ host: one, port }));
    return [...advertised.flat(), ...own].slice(0, ENDPOINTS_MAX);
  }

  async #lookup(host: string): Promise<readonly string[]> {
    if (isIP(host) > 0) return [host];
    if (this.#options.lookup !== undefined) return await this.#options.lookup(host);
    return (await lookup(host, { all: true })).map(({ address }) => address);
  }
}

function keyOf(id: Buffer): string {
  return id.toString("latin1", 0, ID_BYTES);
}
