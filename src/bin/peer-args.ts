/** The arguments of `hearsay peer`. */

import process from "node:process";
import { parseArgs } from "node:util";
import { HearsayError } from "../errors.ts";
import { type JoinOptions, parseOptions } from "../mesh/options.ts";
import { checkName, matcherOf } from "../mesh/pattern.ts";
import type { UdpSettings } from "../runtime/host.ts";

export const PEER_USAGE = `Usage: hearsay peer ws://HOST:PORT/CLUSTER [options]
       hearsay peer udp://HOST:PORT/CLUSTER [options]     by the address of a member
       hearsay peer CLUSTER --udp PORT [options]          the first one, without any server

Joins a cluster and shows what happens in it, until SIGINT (Ctrl-C) or SIGTERM: then it takes its leave.
Lines on standard input are said to all as chat. What is said while nobody is there waits for the first peer.

  --name NAME      a name for people (default: the first digits of the id)
  --seed URL       another way in: ws://…, udp://HOST:PORT or dns://NAME:PORT; may be repeated
  --udp [HOST:]PORT  take links over UDP and TCP there; 0 is a port that is free
  --advertise HOST[:PORT]  where others reach this peer, when that is elsewhere (NAT); may be repeated
  --role ROLE      what this peer is, such as worker
  --say TEXT       say TEXT as chat once somebody is there; may be repeated
  --set KEY=VALUE  set a key of this peer's state; VALUE is JSON, or else a text; may be repeated
  --hear PATTERN   show what is said under names that match (default **, which is everything)
  --know PATTERN   show what others set of keys that match (default: nothing)
  --wait SECONDS   give up when it is not in the mesh by then; 0 waits for ever (default 15)
  --json           print one JSON object per line
  --help           print this

The environment variable HEARSAY_SECRET holds the secret of a cluster that has one, HEARSAY_TOKEN the access token of
a signaling server that asks for one.

Exit codes: 0 after it has left, 1 when it could not join or was put out, 2 for wrong arguments.
`;

export interface PeerArgs {
  readonly options: JoinOptions;
  readonly say: readonly string[];
  readonly set: ReadonlyMap<string, unknown>;
  readonly hear: string;
  readonly know: string | undefined;
  readonly json: boolean;
}

/**
 * `undefined` if help is asked for.
 * @throws Error that says what is wrong
 */
export function parsePeerArgs(argv: readonly string[]): PeerArgs | undefined {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      name: { type: "string" },
      role: { type: "string" },
      seed: { type: "string", multiple: true, default: [] },
      udp: { type: "string" },
      advertise: { type: "string", multiple: true, default: [] },
      say: { type: "string", multiple: true, default: [] },
      set: { type: "string", multiple: true, default: [] },
      hear: { type: "string", default: "**" },
      know: { type: "string" },
      wait: { type: "string", default: "15" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const { name, role, say, hear, know, json } = values;
  const [url, extra] = positionals;
  if (url === undefined) {
    throw wrong("which cluster? Say ws://HOST:PORT/CLUSTER, or CLUSTER with --udp or --seed");
  }
  if (extra !== undefined) throw wrong(`one cluster at a time: what is ${extra}?`);
  // Not an argument: those can be seen by everybody on the machine.
  const { HEARSAY_SECRET: secret, HEARSAY_TOKEN: token } = process.env;
  const options = parseOptions({
    ...waysIn(url, values),
    ...(secret && { secret }),
    ...(token && { token }),
    ...(name !== undefined && { name }),
    ...(role !== undefined && { role }),
    joinTimeoutMs: milliseconds(values.wait),
  });
  matcherOf(hear);
  if (know !== undefined) matcherOf(know);
  return { options, say, set: new Map(values.set.map(assignment)), hear, know, json };
}

/** The cluster, who introduces us to it, and where we are. */
function waysIn(
  url: string,
  {
    seed,
    udp,
    advertise,
  }: { seed: readonly string[]; udp?: string | undefined; advertise: string[] },
): JoinOptions {
  const { cluster, seeds = [] } = /^\w+:\/\//.test(url) ? parseOptions(url) : { cluster: url };
  if (udp === undefined && advertise.length > 0) throw wrong("--advertise says where --udp is");
  const at =
    udp === undefined ? {} : { udp: { ...placeOf(udp), ...(advertise[0] && { advertise }) } };
  if (seeds.length + seed.length === 0 && udp === undefined) {
    throw wrong(`how to get into ${cluster}? Say ws://HOST:PORT/${cluster}, or --udp PORT`);
  }
  return { cluster, seeds: [...seeds, ...seed], ...at };
}

function placeOf(text: string): UdpSettings {
  const [, v6, host, port] = /^(?:(?:\[([\da-fA-F:.]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined) throw wrong(`--udp ${text}: say PORT or HOST:PORT`);
  const bound = v6 ?? host;
  return { port: Number(port), ...(bound !== undefined && { host: bound }) };
}

function assignment(text: string): [key: string, value: unknown] {
  const at = text.indexOf("=");
  if (at < 1) throw wrong(`--set ${text}: say KEY=VALUE`);
  const key = text.slice(0, at);
  checkName(key);
  return [key, jsonOrText(text.slice(at + 1))];
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function milliseconds(seconds: string): number {
  if (!/^\d+([.]\d+)?$/.test(seconds)) throw wrong(`--wait ${seconds}: say a number of seconds`);
  return Number(seconds) * 1_000;
}

function wrong(message: string): HearsayError {
  return new HearsayError("cli:arguments", message);
}
