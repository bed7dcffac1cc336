/** The arguments of `hearsay serve`: what it prints of them, and the server's options from them. */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { HearsayError } from "../src/errors.ts";
import type { IceServer, Rate } from "../src/signaling/protocol.ts";
import { LIMITS } from "./limits.ts";
import type { SignalingLimits, SignalingServerOptions } from "./options.ts";

const DRAIN_MS = 5_000;
const DRAIN_MS_MAX = 600_000;

export interface ServeArgs {
  readonly options: SignalingServerOptions & { readonly port: number };
  readonly log: boolean;
  readonly drainMs: number;
}

const LIMIT_NAMES = Object.keys(LIMITS) as (keyof SignalingLimits)[];

/** `socketsMax` as it is written on the command line: `sockets-max`. */
const flagOf = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function limitLine(name: keyof SignalingLimits): string {
  const { value, min, max, about } = LIMITS[name];
  const isRate = typeof value !== "number";
  const shown = isRate
    ? `${value.perSecond}/s, burst ${value.burst}`
    : `${value}; ${min} to ${max}`;
  const flag = `--${flagOf(name)} ${isRate ? "N:BURST" : name.endsWith("Ms") ? "MS" : "N"}`;
  return `  ${flag.padEnd(33)} ${about} (${shown})\n`;
}

export const USAGE = `Usage: hearsay serve [options]

Runs the signaling server, through which members of a cluster find each other.

  --port PORT          listen here; 0 takes a free one (default 8080)
  --host HOST          listen on this address only (default ::, all of IPv6 and IPv4)
  --demo DIR           serve the page in this folder at /
  --log                print what happens as lines of JSON on standard error
  --help               print this

Who may come in:
  --origin ORIGIN      let pages of this origin in, of no other; may be repeated (default all)
  --token-key KEY      ask for a token signed by this key, see hearsay token --help; may be repeated:
                       the first signs, all are taken (default none: everybody is let in)

Where it stands:
  --tls-cert FILE      serve wss:// with this certificate and its chain, in PEM; SIGHUP reads it anew
  --tls-key FILE       its key
  --trust-proxy N      so many proxies stand before it, whose X-Forwarded-For tells who connects (default 0)
  --public-url URL     tell of this URL in discovery, such as wss://mesh.example; may be repeated
  --redis URL          share rooms with all servers of this Redis: redis://HOST:PORT; needs npm i ioredis
  --metrics            answer /metrics in Prometheus' text form
  --drain-ms MS        on SIGTERM send members away one after another over this time (default ${DRAIN_MS}; 0 to ${DRAIN_MS_MAX})

What members are told of:
  --stun URL           a STUN server, stun:HOST:PORT; may be repeated
  --turn URL           a TURN server, turn:HOST:PORT; may be repeated
  --turn-secret KEY    its static-auth-secret, from which members get credentials of their own
  --turn-life-ms MS    how long those hold (default 3600000; 60000 to 86400000)

Limits (default; range):
${LIMIT_NAMES.map(limitLine).join("")}
KEY and the URL of Redis may be @FILE: then the first line of that file is taken, and nobody sees it in the list of
processes.
`;

const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;
const FLAGS = {
  port: { type: "string", default: "8080" },
  host: text,
  demo: text,
  log: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
  origin: texts,
  "token-key": texts,
  "tls-cert": text,
  "tls-key": text,
  "trust-proxy": text,
  "public-url": texts,
  redis: text,
  metrics: { type: "boolean", default: false },
  "drain-ms": text,
  stun: texts,
  turn: texts,
  "turn-secret": text,
  "turn-life-ms": text,
} as const;

/** `undefined` if help is asked for. */
export function parseServeArgs(argv: readonly string[]): ServeArgs | undefined {
  const limitFlags = Object.fromEntries(LIMIT_NAMES.map((name) => [flagOf(name), text]));
  const options = { ...limitFlags, ...FLAGS };
  const { values } = parseArgs({ args: [...argv], options });
  if (values.help) return undefined;
  const { port, host, demo, log, origin, metrics, redis } = values;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw wrong("server:bad-port", `--port ${port}: a port is a number from 0 to 65535`);
  }
  const drainMs = numberOf("drain-ms", values["drain-ms"]) ?? DRAIN_MS;
  if (drainMs > DRAIN_MS_MAX)
    throw wrong("server:bad-argument", `--drain-ms: 0 to ${DRAIN_MS_MAX}`);
  const hops = numberOf("trust-proxy", values["trust-proxy"]);
  const given: SignalingServerOptions & { readonly port: number } = {
    port: Number(port),
    ...(host !== undefined && { host }),
    ...(demo !== undefined && { staticDir: demo }),
    ...(origin && { origins: origin }),
    ...(values["token-key"] && { tokenKeys: values["token-key"].map(secretOf) }),
    ...(hops !== undefined && { trustProxyHops: hops }),
    ...(values["public-url"] && { publicUrls: values["public-url"] }),
    ...(redis !== undefined && { redis: secretOf(redis) }),
    ...tlsOf(values["tls-cert"], values["tls-key"]),
    ...iceOf(values),
    metrics,
    limits: limitsOf(values as Readonly<Record<string, unknown>>),
  };
  return { options: given, log, drainMs };
}

function tlsOf(certFile?: string, keyFile?: string): Pick<SignalingServerOptions, "tls"> {
  if (certFile === undefined && keyFile === undefined) return {};
  if (certFile !== undefined && keyFile !== undefined) return { tls: { certFile, keyFile } };
  throw wrong("server:bad-argument", "--tls-cert and --tls-key go together");
}

function iceOf(values: {
  readonly stun?: string[] | undefined;
  readonly turn?: string[] | undefined;
  readonly "turn-secret"?: string | undefined;
  readonly "turn-life-ms"?: string | undefined;
}): Pick<SignalingServerOptions, "iceServers" | "turn"> {
  const { stun, turn } = values;
  const secret = values["turn-secret"];
  if ((turn === undefined) !== (secret === undefined)) {
    throw wrong("server:bad-argument", "--turn and --turn-secret go together");
  }
  const iceServers: IceServer[] | undefined = stun && [{ urls: stun }];
  const lifeMs = numberOf("turn-life-ms", values["turn-life-ms"]);
  return {
    ...(iceServers && { iceServers }),
    ...(turn &&
      secret !== undefined && {
        turn: { urls: turn, secret: secretOf(secret), ...(lifeMs !== undefined && { lifeMs }) },
      }),
  };
}

function limitsOf(values: Readonly<Record<string, unknown>>): Partial<SignalingLimits> {
  const limits: Partial<Record<keyof SignalingLimits, number | Rate>> = {};
  for (const name of LIMIT_NAMES) {
    const flag = flagOf(name);
    const value = values[flag];
    if (typeof value !== "string") continue;
    if (typeof LIMITS[name].value === "number") limits[name] = Number(value);
    else {
      const [perSecond, burst] = value.split(":").map(Number);
      limits[name] = { perSecond: perSecond as number, burst: burst as number };
    }
  }
  return limits as Partial<SignalingLimits>;
}

function numberOf(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw wrong("server:bad-argument", `--${flag} ${value}: a whole number is needed`);
}

/** `@FILE` is what the first line of that file says. */
export function secretOf(value: string): string {
  if (!value.startsWith("@")) return value;
  try {
    return readFileSync(value.slice(1), "utf8").split("\n", 1)[0]?.trim() ?? "";
  } catch (cause) {
    const message = `${value.slice(1)} cannot be read: ${(cause as Error).message}`;
    throw new HearsayError("server:no-file", message, { cause });
  }
}

function wrong(code: string, message: string): HearsayError {
  return new HearsayError(code, message);
}
