/**
 * The bus of a pool on Redis: publish and subscribe, nothing stored. By ioredis, which is loaded only when it is asked
 * for and need not be installed otherwise.
 */

import { HearsayError } from "../src/errors.ts";
import type { Bus } from "./pool.ts";

/** Channels of another version would say something else. */
const PREFIX = "hearsay:1:";

const RETRY_MS_MAX = 2_000;

export interface BusHandlers {
  connected(): void;
  /** It is lost, and connected anew by itself. */
  lost(reason: string): void;
  message(bytes: Uint8Array): void;
}

/** What is used of ioredis. */
interface Client {
  readonly status: string;
  duplicate(): Client;
  publish(channel: string, message: Buffer): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
  quit(): Promise<unknown>;
  on(event: "ready" | "close", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "messageBuffer", listener: (channel: Buffer, message: Buffer) => void): void;
}

type MakeClient = new (url: string, options: object) => Client;

/** @throws HearsayError `server:no-ioredis` */
export async function redisBus(url: string, handlers: BusHandlers): Promise<RedisBus> {
  return new RedisBus(new (await loadIoredis())(url, OPTIONS), handlers);
}

/** @throws HearsayError `server:bad-redis` */
export function checkRedisUrl(url: string): void {
  if (URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol)) return;
  const message =
    "the URL of Redis is like redis://host:6379 or rediss://user:password@host:6379/0";
  throw new HearsayError("server:bad-redis", message);
}

async function loadIoredis(): Promise<MakeClient> {
  // By a name that no compiler looks up: the package is there only where somebody wants it.
  const name: string = "ioredis";
  try {
    return (await import(name)).Redis;
  } catch (cause) {
    const message = `sharing rooms through Redis needs the package ioredis: npm install ioredis (${cause})`;
    throw new HearsayError("server:no-ioredis", message, { cause });
  }
}

const OPTIONS = {
  // What cannot be said now is not said later: then all is told anew.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  connectionName: "hearsay",
  retryStrategy: (times: number) =>
    Math.min(RETRY_MS_MAX, 50 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2),
};

export class RedisBus implements Bus {
  readonly #speaker: Client;
  /** A connection that hears says nothing else. */
  readonly #listener: Client;
  readonly #handlers: BusHandlers;
  #up = false;
  #closed = false;
  #reason = "";

  constructor(speaker: Client, handlers: BusHandlers) {
    this.#speaker = speaker;
    this.#listener = speaker.duplicate();
    this.#handlers = handlers;
    for (const client of [this.#speaker, this.#listener]) {
      client.on("ready", () => this.#look());
      client.on("close", () => this.#look());
      client.on("error", (error) => {
        this.#reason = error.message;
      });
    }
    this.#listener.on("messageBuffer", (_, message) => handlers.message(message));
  }

  publish(channel: string, message: Uint8Array): void {
    const { buffer, byteOffset, byteLength } = message;
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    // What fails is followed by a close.
    this.#speaker.publish(PREFIX + channel, bytes).catch(ignore);
  }

  subscribe(channels: readonly string[], done: () => void): void {
    this.#listener.subscribe(...channels.map((channel) => PREFIX + channel)).then(done, ignore);
  }

  unsubscribe(channel: string): void {
    this.#listener.unsubscribe(PREFIX + channel).catch(ignore);
  }

  restart(): void {
    this.#speaker.disconnect(true);
    this.#listener.disconnect(true);
  }

  /** Says what is still to be said, if it can, and ends. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#speaker.status === "ready") await this.#speaker.quit().catch(ignore);
    this.#speaker.disconnect();
    this.#listener.disconnect();
  }

  #look(): void {
    const up = this.#speaker.status === "ready" && this.#listener.status === "ready";
    if (up === this.#up || this.#closed) return;
    this.#up = up;
    if (up) this.#handlers.connected();
    else this.#handlers.lost(this.#reason || "the connection was closed");
  }
}

function ignore(): void {}
