/** Under which URLs a listening server can be reached, as far as this machine can tell. */

import { type AddressInfo, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/** For the address of all interfaces: `localhost` first, then each address that other machines may know. */
export function urlsOf({ address, family, port }: AddressInfo, scheme: "ws" | "wss"): string[] {
  const urlOf = (host: string): string =>
    `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (address !== "::" && address !== "0.0.0.0") return [urlOf(address)];
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((one) => !one.internal && (family === "IPv6" || one.family === "IPv4"))
    // Link-local addresses mean something only together with an interface, which a URL cannot name.
    .filter((one) => !one.address.startsWith("fe80:"));
  return [urlOf("localhost"), ...others.map((one) => urlOf(one.address))];
}
