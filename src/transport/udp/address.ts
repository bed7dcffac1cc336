/** Where an end is: an IP address or a host's name, and a port. `udp://10.0.0.7:7946`, `udp://[fd00::7]:7946`. */

import { isIP, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

export interface Endpoint {
  /** An IP address, or a name. */
  readonly host: string;
  readonly port: number;
}

/** Endpoints of one end that are told to others, and tried. */
export const ENDPOINTS_MAX = 8;

const SCHEME = "udp://";
const URL_SHAPE = /^(udp|dns):\/\/(.+)$/;

const HOST_LENGTH_MAX = 253;
const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/?#@[\]]+)):(\d{1,5})$/;

/** `host:port` or `[v6]:port`; undefined for anything else. */
function parseEndpoint(text: string): Endpoint | undefined {
  const [, v6, name, digits] = HOST_AND_PORT.exec(text) ?? [];
  const host = v6 ?? name ?? "";
  const port = Number(digits);
  if (host === "" || host.length > HOST_LENGTH_MAX || !(port >= 1 && port <= 65_535)) {
    return undefined;
  }
  return v6 !== undefined && !isIPv6(v6) ? undefined : { host: plain(host), port };
}

/** An endpoint whose host is an IP address: nobody is asked where it is. */
export function parseIpEndpoint(text: string): Endpoint | undefined {
  const endpoint = parseEndpoint(text);
  return endpoint !== undefined && isIP(endpoint.host) > 0 ? endpoint : undefined;
}

export function parseAddress(text: string): Endpoint | undefined {
  return text.startsWith(SCHEME) ? parseEndpoint(text.slice(SCHEME.length)) : undefined;
}

export function formatAddress(endpoint: Endpoint): string {
  return `${SCHEME}${formatEndpoint(endpoint)}`;
}

/** @throws RangeError for what is no `udp://host:port` or `dns://name:port` */
export function parseUrl(url: string): Endpoint & { readonly scheme: string } {
  const [, scheme = "", rest = ""] = URL_SHAPE.exec(url) ?? [];
  const endpoint = parseEndpoint(rest);
  if (endpoint === undefined) {
    throw new RangeError(`an address is udp://host:port or dns://name:port, not ${url}`);
  }
  return { scheme, ...endpoint };
}

/** Where others reach an end: without a port it is the one that the end is bound to. */
export interface Advertised {
  readonly host: string;
  readonly port: number | undefined;
}

/** @throws RangeError for what is no `host`, `host:port` or `[v6]:port` */
export function parseAdvertised(text: string): Advertised {
  const endpoint = parseAddress(text) ?? parseEndpoint(text);
  if (endpoint !== undefined) return endpoint;
  const host = isIPv6(text) ? text : parseEndpoint(`${text}:1`)?.host;
  if (host !== undefined) return { host: plain(host), port: undefined };
  throw new RangeError(`advertise takes host, host:port or [v6]:port, not ${text}`);
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** IPv4 addresses show up as IPv6 ones at a socket that takes both. */
export function plain(address: string): string {
  return /^::ffff:(\d+[.]\d+[.]\d+[.]\d+)$/i.exec(address)?.[1] ?? address;
}

/** Bound there, a socket has all addresses. */
export function isWildcard(host: string): boolean {
  return host === "::" || host === "0.0.0.0";
}

/** The addresses under which others may reach a socket that is bound to `host`. */
export function addressesOf(host: string): string[] {
  if (!isWildcard(host)) return [host];
  const all = Object.values(networkInterfaces()).flatMap((of) => of ?? []);
  const fits = all.filter(
    ({ family, scopeid }) => family === "IPv4" || (host === "::" && !scopeid),
  );
  const outer = fits.filter(({ internal }) => !internal);
  // Alone on this machine there are still other processes.
  const found = (outer.length > 0 ? outer : fits).map(({ address }) => address);
  return found.sort((a, b) => isIP(a) - isIP(b)).slice(0, ENDPOINTS_MAX);
}
