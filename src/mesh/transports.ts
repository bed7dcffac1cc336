/** The transports of one life: the user's, or those of the platform, and which of them take links at an address. */

import { HearsayError } from "../errors.ts";
import type { Host, IceServer } from "../runtime/host.ts";
import type { ProvenLink, SecuredTransport } from "../session/secured.ts";
import type { LinkHandlers, Transport } from "../transport/transport.ts";
import { isServer, type JoinOptions } from "./options.ts";

export interface Transports {
  readonly all: readonly Transport[];
  /** Those that have an address listen there. */
  readonly listen: boolean;
  /** What is missing here, and what to do. */
  readonly problem: HearsayError | undefined;
}

export interface TransportsContext {
  readonly host: Host;
  readonly options: JoinOptions;
  readonly seedUrls: Iterable<string>;
  /** It ran before: transports that are given as such have ended. */
  readonly hasRun: boolean;
  iceServers(): readonly IceServer[];
}

/** @throws HearsayError `options:transport` */
export async function makeTransports(context: TransportsContext): Promise<Transports> {
  const { host, options, hasRun, seedUrls, iceServers } = context;
  const { transports: given = options.transport, udp } = options;
  if (given === undefined) {
    const { transports, problem } = await host.defaultTransports({ ...options, iceServers });
    // Who is to be reached at an address says so; others do not want a port to be open.
    const listen = udp === undefined ? [...seedUrls].some((url) => !isServer(url)) : udp !== false;
    return { all: transports, listen, problem };
  }
  if (hasRun && typeof given !== "function") {
    const message =
      "the transport ended when the mesh was left: give join a function that makes one";
    throw new HearsayError("options:transport", message);
  }
  const made = typeof given === "function" ? await given() : given;
  return { all: [made].flat(), listen: true, problem: undefined };
}

/** Takes links at the addresses of those that have some. Gives why it cannot. */
export async function listened(
  { all, listen }: { all: readonly SecuredTransport[]; listen: boolean },
  accept: (kind: string, link: ProvenLink) => LinkHandlers | undefined,
): Promise<HearsayError | undefined> {
  const take = (kind: string, link: ProvenLink): LinkHandlers => {
    const handlers = accept(kind, link);
    if (handlers === undefined) link.close();
    return handlers ?? DEAF;
  };
  const listening = all.map(({ kind, dialling }) =>
    listen ? dialling?.listen((link) => take(kind, link)) : undefined,
  );
  try {
    await Promise.all(listening);
  } catch (error) {
    const remedy = "choose another port, or 0 for one that is free";
    return new HearsayError("join:listen", `${(error as Error).message}: ${remedy}`);
  }
  return undefined;
}

const DEAF: LinkHandlers = { signal() {}, open() {}, frame() {}, drain() {}, close() {} };
