/** Under which URLs a listening server can be reached, as far as this machine can tell. */

import { type AddressInfo, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/** For the address of all interfaces: `localhost` first, then each address that other machines may know. */
export function urlsOf({ address, family, port }: AddressInfo): string[] {
  if (address !== "::" && address !== "0.0.0.0") return [urlOf(address, port)];
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((one) => !one.internal && (family === "IPv6" || one.family === "IPv4"))
    // Link-local addresses mean something only together with an interface, which a URL cannot name.
    .filter((one) => !one.address.startsWith("fe80:"));
  return [urlOf("localhost", port), ...others.map((one) => urlOf(one.address, port))];
}

function urlOf(host: string, port: number): string {
  return `ws://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
