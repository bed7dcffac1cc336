/** Whose address a request came from, also through proxies, as the text that budgets are kept by. */

import type { IncomingMessage } from "node:http";
import { isIP, isIPv6 } from "node:net";

/**
 * Each proxy adds to the right of `X-Forwarded-For` whom it was asked by. So of `hops` trusted proxies the outermost
 * has written the entry that many from the right; what stands left of it anybody may have made up.
 */
export function clientAddress(request: IncomingMessage, hops: number): string {
  const socket = request.socket.remoteAddress ?? "";
  if (hops === 0) return networkOf(socket);
  const header = request.headers["x-forwarded-for"] ?? "";
  const entries = String(header).split(",");
  const entry = withoutPort(entries.at(-hops)?.trim() ?? "");
  return networkOf(isIP(entry) ? entry : socket);
}

function withoutPort(entry: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(entry)?.[1];
  return bracketed ?? (/^[\d.]+:\d+$/.test(entry) ? entry.replace(/:.*/, "") : entry);
}

/** An IPv4 address by itself; of an IPv6 address the 64 bits that belong to one line. */
function networkOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = "", tail] = address.replace(/%.*/, "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...new Array<string>(zeros).fill("0"), ...after];
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}
