/** What `join` takes, checked: a wrong option is an error that says what is right, never ignored. */

import { HearsayError } from "../errors.ts";
import type { IceServer, Logger, UdpSettings } from "../runtime/host.ts";
import { SECRET_KEY_BYTES } from "../session/crypto.ts";
import type { Backoff } from "../signaling/backoff.ts";
import type { OpenStore } from "../store/store.ts";
import type { Transport } from "../transport/transport.ts";
import { type ParameterOptions, parametersOf } from "./core-config.ts";

export interface JoinOptions extends ParameterOptions {
  /** Keeps strangers' meshes apart: members of different clusters never meet. 1 to 64 characters. */
  readonly cluster: string;
  /**
   * Keeps strangers out: who does not know it gets no link. Long and random is best, since who pretends to be a member
   * can try others. Two during a rotation: links are begun with the first, and both are taken. Default none: then the
   * cluster is open to everybody who knows its name.
   */
  readonly secret?: string | readonly string[];
  /**
   * Signaling servers, `ws://host:port` or `wss://…`; in Node also members, `udp://host:port`, and all addresses of a name,
   * `dns://name:port`. None: the way in is an invitation. Default none.
   */
  readonly seeds?: readonly string[];
  /**
   * Whether tabs of one browser find each other without a server: those of this page's origin and cluster. Default
   * true; elsewhere it has no effect.
   */
  readonly tabs?: boolean;
  /** A name for people, up to 64 characters. Default: the first digits of the id. */
  readonly name?: string;
  /** What this member is, up to 64 characters: `worker`, `viewer`, … Default "". */
  readonly role?: string;
  /** Anything else that others should know about it; up to 1 KiB as MessagePack. */
  readonly meta?: unknown;
  /** Who this member is, from an earlier `mesh.identity`. Default: a new one. Never use one twice at once. */
  readonly identity?: Identity;
  /**
   * Keeps the identity and `mesh.config` over the end of this page or process: `indexedDbStore(name)`,
   * `diskStore(folder)`. `false`: keep nothing. Default: a tab keeps its identity over reloads, while a duplicated tab
   * gets one of its own.
   */
  readonly store?: false | OpenStore;
  /**
   * What each member signs, so that no other can write in its name: `all` that it says, sets and configures, or only
   * what it is (`records`), where all members trust each other. The same at all members of a cluster: others do not
   * link. Default `all`.
   */
  readonly signatures?: "all" | "records";
  /**
   * The access token that the signaling servers ask for, or what gives one before each attempt: tokens end. Default none.
   */
  readonly token?: string | (() => string | Promise<string>);
  /** STUN and TURN servers, besides those that the signaling servers name. Default none. */
  readonly iceServers?: readonly IceServer[];
  /**
   * Whether the STUN and TURN servers that signaling servers name are used. They learn this member's address, and TURN
   * servers with whom it speaks and when. Default true.
   */
  readonly iceServersFromSeeds?: boolean;
  /** `relay`: only through TURN servers, so that nobody learns this member's address. Default `all`. */
  readonly iceTransportPolicy?: "all" | "relay";
  /**
   * Carries the links: a transport, or what makes one. It ends with `leave`, so to start again a function is needed.
   * Default: WebRTC, in Node also UDP.
   */
  readonly transport?: Transport | (() => Transport);
  /** Several of them, the best first: a link goes by the first that both ends have, else by the next. */
  readonly transports?: readonly Transport[] | (() => readonly Transport[]);
  /**
   * In Node: take links over UDP and TCP at an address and a port. `false`: no UDP at all. Default: as far as a `udp` or
   * `dns` seed asks for it, at any port; links that are agreed on otherwise open one too.
   */
  readonly udp?: boolean | UdpSettings;
  /** How long `join` waits for a seed or a link before it fails, ms. 0: for ever. Default 15,000. */
  readonly joinTimeoutMs?: number;
  /** Gives `join` up when it aborts, and leaves the mesh when it aborts later. */
  readonly signal?: AbortSignal;
  /** In Node: leave at SIGINT and SIGTERM, then let the process end as it would. Default true. */
  readonly leaveOnSignals?: boolean;
  /**
   * Told what happens inside. Silent by default, except for handlers that throw; in Node the environment variable
   * DEBUG shows it, by names such as `hearsay:peer` or `hearsay:*`.
   */
  readonly logger?: Logger;
  /** Pauses between attempts to reach a seed. */
  readonly backoff?: Partial<Backoff>;
  /**
   * Sets all own values anew this often, so that who hears of them with `know` hears that they still hold, ms. Default
   * never: members notice by themselves who is there and what they have missed.
   */
  readonly repeatValuesMs?: number;
}

export interface SayOptions {
  /**
   * Who comes within this time hears it too, once: newcomers, and who was cut off. Up to 64 KiB of data, and up to
   * 3,600,000 ms: an hour. Default 0: only who is here.
   */
  readonly forMs?: number;
}

export interface SetOptions {
  /**
   * It ends by itself at everyone after this, from 1 ms to a year, unless it is set again. Default: it lasts as long as
   * its owner is in the mesh. Not together with `log`.
   */
  readonly ttlMs?: number;
  /**
   * Keeps the latest changes of this key in order, 100 of them or `max` from 1 to 10,000, within the limits of the
   * state: every connected member gets all of them. Default: others may get the last only.
   */
  readonly log?: boolean | { readonly max?: number };
}

export interface SendOptions {
  /** How long to go on trying, ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** Stops waiting for the answer. The message may arrive all the same. */
  readonly signal?: AbortSignal;
}

export interface InviteOptions {
  /** How long the invitation holds, ms. Default 600,000: ten minutes. */
  readonly lifeMs?: number;
}

/** What a member says about itself: see `JoinOptions`. */
export interface Description {
  readonly name?: string;
  readonly role?: string;
  readonly meta?: unknown;
}

/** Who a member is. Keep the secret key secret: who has it can be this member. */
export interface Identity {
  /** 32 bytes, Ed25519. */
  readonly secretKey: Uint8Array;
  /** Counts the starts with this identity; the next start uses a higher one. */
  readonly generation: number;
}

const LENGTH_MAX = 64;
const SECRET_LENGTH_MAX = 1_024;

/** More than one during a rotation. */
const SECRETS_MAX = 2;

/** What is to last longer is state, or configuration. */
const LIFE_MS_MAX = 3_600_000;

/** A year. */
const TTL_MS_MAX = 31_536_000_000;

/** Changes that a log keeps. */
const LOG_DEFAULT = 100;
const LOG_MAX = 10_000;

/** Values that are repeated more often than that are no heartbeat but a flood. */
const REPEAT_MS_MIN = 100;
const REPEAT_MS_MAX = 3_600_000;

const KNOWN: ReadonlySet<string> = new Set<keyof JoinOptions>([
  "cluster",
  "secret",
  "seeds",
  "tabs",
  "token",
  "name",
  "role",
  "meta",
  "identity",
  "store",
  "signatures",
  "iceServers",
  "iceServersFromSeeds",
  "iceTransportPolicy",
  "transport",
  "transports",
  "udp",
  "joinTimeoutMs",
  "signal",
  "leaveOnSignals",
  "logger",
  "backoff",
  "repeatValuesMs",
  "detector",
  "overlay",
  "limits",
  "parameters",
]);

/**
 * Options from what the user gave: the options themselves, or the short form `ws://host:port/cluster`.
 * @throws HearsayError `options:…`
 */
export function parseOptions(given: string | JoinOptions): JoinOptions {
  const options = typeof given === "string" ? fromUrl(given) : given;
  if (typeof options !== "object" || options === null) {
    throw wrong("options", "join takes a URL, ws://host:port/cluster, or an object with a cluster");
  }
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) {
      throw wrong("unknown", `there is no option ${name}; there are ${[...KNOWN].join(", ")}`);
    }
  }
  checkText("cluster", options.cluster, 1);
  checkSecret(options);
  checkDescription(options);
  const { seeds = [], identity, joinTimeoutMs = 0, backoff = {} } = options;
  if (!Array.isArray(seeds)) throw wrong("seeds", 'seeds must be a list: ["ws://host:port"]');
  for (const seed of seeds) checkSeed(seed);
  if (identity !== undefined) checkIdentity(identity);
  const { store = false } = options;
  if (store !== false && typeof store !== "function") {
    throw wrong(
      "store",
      "store must be a store, such as diskStore(folder), or false: keep nothing",
    );
  }
  const { signatures = "all" } = options;
  if (signatures !== "all" && signatures !== "records") {
    throw wrong("signatures", `signatures must be "all" or "records", and is ${signatures}`);
  }
  checkBoolean("tabs", options.tabs);
  checkBoolean("iceServersFromSeeds", options.iceServersFromSeeds);
  const { token = "" } = options;
  if (typeof token !== "string" && typeof token !== "function") {
    throw wrong("token", "token must be a text, or a function that gives one");
  }
  checkBoolean("leaveOnSignals", options.leaveOnSignals);
  if (!(joinTimeoutMs >= 0)) throw wrong("joinTimeoutMs", "joinTimeoutMs must be 0 or more");
  for (const [name, ms] of Object.entries(backoff)) {
    if (!(ms > 0)) throw wrong("backoff", `backoff.${name} must be more than 0 ms, and is ${ms}`);
  }
  const { repeatValuesMs } = options;
  if (
    repeatValuesMs !== undefined &&
    !(repeatValuesMs >= REPEAT_MS_MIN && repeatValuesMs <= REPEAT_MS_MAX)
  ) {
    const range = `from ${REPEAT_MS_MIN} to ${REPEAT_MS_MAX}`;
    throw wrong("repeatValuesMs", `repeatValuesMs must be ${range}, and is ${repeatValuesMs}`);
  }
  parametersOf(options);
  checkTransports(options);
  checkMethods("logger", options.logger, ["debug", "warn", "error"]);
  checkMethods("signal", options.signal, ["throwIfAborted", "addEventListener"]);
  return options;
}

/** @throws HearsayError `options:forMs` */
export function checkLife(forMs: number): void {
  if (forMs >= 0 && forMs <= LIFE_MS_MAX) return;
  throw wrong("forMs", `forMs must be from 0 to ${LIFE_MS_MAX}, and is ${forMs}`);
}

/** @throws HearsayError `options:ttlMs`, `options:log` */
export function mannerOf({ ttlMs, log = false }: SetOptions): { lifeMs?: number; log?: number } {
  if (ttlMs !== undefined && !(ttlMs >= 1 && ttlMs <= TTL_MS_MAX)) {
    throw wrong("ttlMs", `ttlMs must be from 1 to ${TTL_MS_MAX}, and is ${ttlMs}`);
  }
  if (log === false) return ttlMs === undefined ? {} : { lifeMs: ttlMs };
  const { max = LOG_DEFAULT } = log === true ? {} : log;
  if (!(Number.isInteger(max) && max >= 1 && max <= LOG_MAX)) {
    throw wrong("log", `log.max must be a whole number from 1 to ${LOG_MAX}, and is ${max}`);
  }
  if (ttlMs === undefined) return { log: max };
  throw wrong("log", "a log has no ttlMs: its oldest changes go when there are more than log.max");
}

/** @throws HearsayError `options:timeoutMs` */
export function checkTimeout(timeoutMs: number): void {
  if (!(timeoutMs > 0)) throw wrong("timeoutMs", `timeoutMs must be above 0, and is ${timeoutMs}`);
}

/** None, one, or during a rotation two. */
export function secretsOf({ secret = [] }: JoinOptions): readonly string[] {
  return typeof secret === "string" ? [secret] : secret;
}

function checkSecret(options: JoinOptions): void {
  const secrets = secretsOf(options);
  const isText = (one: unknown): boolean =>
    typeof one === "string" && one.length > 0 && one.length <= SECRET_LENGTH_MAX;
  if (Array.isArray(secrets) && secrets.length <= SECRETS_MAX && secrets.every(isText)) return;
  throw wrong(
    "secret",
    `secret must be a text of 1 to ${SECRET_LENGTH_MAX} characters, or during a rotation a list of two`,
  );
}

function checkIdentity(identity: Identity): void {
  const { secretKey, generation } = identity ?? {};
  if (!(secretKey instanceof Uint8Array) || secretKey.length !== SECRET_KEY_BYTES) {
    throw wrong("identity", `identity.secretKey must be a Uint8Array of ${SECRET_KEY_BYTES} bytes`);
  }
  if (!Number.isSafeInteger(generation) || generation < 0) {
    throw wrong("identity", "identity.generation must be a whole number from 0 up");
  }
}

function checkBoolean(name: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw wrong(name, `${name} must be true or false, and is ${value}`);
}

function checkTransports({ transport, transports, udp }: JoinOptions): void {
  if (transport !== undefined && transports !== undefined) {
    throw wrong("transports", "give transport or transports, not both");
  }
  if (typeof transport !== "function") checkMethods("transport", transport, ["connect", "close"]);
  if (typeof transports !== "function") {
    const given: unknown = transports ?? [];
    if (!Array.isArray(given)) throw wrong("transports", "transports must be a list, or make one");
    for (const one of given) checkMethods("transports", one ?? {}, ["connect", "close"]);
    if (transports?.length === 0) throw wrong("transports", "without a transport there is no link");
  }
  if (udp === undefined || typeof udp === "boolean") return;
  const { port = 0 } = udp ?? { port: -1 };
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw wrong(
      "udp",
      "udp must be true, false, or { host, port, advertise }, port from 0 to 65535",
    );
  }
}

function checkMethods(name: string, value: object | undefined, methods: readonly string[]): void {
  if (value === undefined) return;
  const missing = methods.filter(
    (method) => typeof Reflect.get(Object(value), method) !== "function",
  );
  if (missing.length > 0) throw wrong(name, `${name} has no ${missing.join(", no ")}`);
}

/** A signaling server; everything else is an address. */
export function isServer(url: string): boolean {
  return /^wss?:/.test(url);
}

/** What a transport may dial: a host and a port, of a scheme that is none of the web's. */
const ADDRESS = /^(?!wss?:|https?:)[a-z][a-z\d+.-]*:\/\/([^\s/?#@[\]:]+|\[[\da-f:.]+\]):\d{1,5}$/i;

/** The URL of a cluster's room at a signaling server; an address stays what it is. */
export function seedUrl(seed: string, cluster: string): string {
  if (!isServer(seed)) return seed;
  return `${seed.replace(/\/+$/, "")}/${encodeURIComponent(cluster)}`;
}

/** @throws HearsayError `options:seed` */
export function checkSeed(seed: unknown): asserts seed is string {
  if (typeof seed === "string" && ADDRESS.test(seed)) return;
  const url = typeof seed === "string" && URL.canParse(seed) ? new URL(seed) : undefined;
  if (url === undefined || !isServer(url.href)) {
    throw wrong(
      "seed",
      `a seed is a signaling server, ws://host:port or wss://host, or in Node udp://host:port or dns://name:port: got ${seed}`,
    );
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw wrong("seed", `a seed has no path, the cluster is an option of its own: got ${seed}`);
  }
}

function fromUrl(text: string): JoinOptions {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const cluster = url === undefined ? "" : decode(url.pathname.slice(1));
  if (url === undefined || cluster === "" || url.search !== "" || url.hash !== "") {
    throw wrong("url", `join takes ws://host:port/cluster: got ${text}`);
  }
  return { cluster, seeds: [`${url.protocol}//${url.host}`] };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return "";
  }
}

/** @throws HearsayError `options:name`, `options:role` */
export function checkDescription({ name = "", role = "" }: Description): void {
  checkText("name", name, 0);
  checkText("role", role, 0);
}

function checkText(name: string, value: unknown, lengthMin: number): void {
  if (typeof value !== "string" || value.length < lengthMin || value.length > LENGTH_MAX) {
    throw wrong(name, `${name} must be a text of ${lengthMin} to ${LENGTH_MAX} characters`);
  }
  // Half of a surrogate pair has no place in a URL or on the wire.
  if (/\p{Surrogate}/u.test(value)) throw wrong(name, `${name} must be well-formed text`);
}

function wrong(what: string, message: string): HearsayError {
  return new HearsayError(`options:${what}`, message);
}
