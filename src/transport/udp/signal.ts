/** What the two ends of an attempt tell each other: where they are, and by what the dialler shows that it is meant. */

import { Reader, Writer } from "../../core/lib/bytes.ts";
import { bytes, type Infer, list, oneOf, string, struct } from "../../core/wire/schema.ts";
import { ENDPOINTS_MAX, type Endpoint, formatEndpoint, parseIpEndpoint } from "./address.ts";

export const TOKEN_BYTES = 16;

const SIGNAL_BYTES_MAX = 1_024;
const ENDPOINT_BYTES_MAX = 64;
const MAGIC = "hearsay-udp/1";

const signal = struct({
  magic: string(MAGIC.length),
  /** The initiator's, or the other end's. */
  role: oneOf(["offer", "answer"]),
  /** Random, of this attempt and this end. */
  token: bytes(TOKEN_BYTES),
  endpoints: list(string(ENDPOINT_BYTES_MAX), ENDPOINTS_MAX),
});

export interface Signal extends Pick<Infer<typeof signal>, "role" | "token"> {
  /** IP addresses only: a name would have us ask whomever the other end likes. */
  readonly endpoints: readonly Endpoint[];
}

export function encodeSignal({ role, token, endpoints }: Signal): Uint8Array {
  const w = new Writer();
  signal.write(w, { magic: MAGIC, role, token, endpoints: endpoints.map(formatEndpoint) });
  return w.take();
}

/** Total: undefined for whatever is no signal. */
export function decodeSignal(payload: Uint8Array): Signal | undefined {
  if (payload.length > SIGNAL_BYTES_MAX) return undefined;
  const r = new Reader(payload);
  const { magic, role, token, endpoints } = signal.read(r);
  if (r.failed || r.remaining > 0 || magic !== MAGIC || token.length !== TOKEN_BYTES) {
    return undefined;
  }
  return { role, token, endpoints: endpoints.flatMap((text) => parseIpEndpoint(text) ?? []) };
}
