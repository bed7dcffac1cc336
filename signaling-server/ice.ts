/**
 * The ICE servers that members are told of. Credentials for TURN are short-lived and made here, by the scheme that
 * coturn calls `use-auth-secret` (draft-uberti-behave-turn-rest): the user's name is `end:member`, the end in seconds
 * since 1970, and the password is the base64 of HMAC-SHA-1 of that name under a secret shared with the TURN server.
 */

import { createHmac } from "node:crypto";
import { HearsayError } from "../src/errors.ts";
import { encodeMessage, type IceServer, parseServerMessage } from "../src/signaling/protocol.ts";
import type { TurnOptions } from "./options.ts";

const LIFE_MS = 3_600_000;
const LIFE_MS_MIN = 60_000;
const LIFE_MS_MAX = 86_400_000;

export class Ice {
  /** How often a member needs new credentials; undefined where nothing ends. Milliseconds. */
  readonly renewMs: number | undefined;
  readonly #lasting: readonly IceServer[];
  readonly #turn: TurnOptions | undefined;
  readonly #lifeMs: number;

  /** @throws HearsayError `server:bad-ice` */
  constructor(lasting: readonly IceServer[] = [], turn?: TurnOptions) {
    this.#lasting = lasting;
    this.#turn = turn;
    this.#lifeMs = turn?.lifeMs ?? LIFE_MS;
    this.renewMs = turn && this.#lifeMs / 2;
    if (turn && turn.secret === "") throw bad("turn.secret is empty: give the TURN server's");
    if (!(this.#lifeMs >= LIFE_MS_MIN && this.#lifeMs <= LIFE_MS_MAX)) {
      throw bad(
        `turn.lifeMs must be from ${LIFE_MS_MIN} to ${LIFE_MS_MAX}, and is ${this.#lifeMs}`,
      );
    }
    // What members would refuse is refused here, where somebody can mend it.
    const iceServers = this.serversFor("0".repeat(32), 0);
    const message = parseServerMessage(encodeMessage({ type: "ping", iceServers }));
    if (!message.ok) {
      throw bad("up to 4 servers, each with 1 to 4 URLs such as stun:host:3478 or turn:host:3478");
    }
  }

  serversFor(member: string, wallMs: number): readonly IceServer[] {
    if (!this.#turn) return this.#lasting;
    const { urls, secret } = this.#turn;
    const username = `${Math.floor((wallMs + this.#lifeMs) / 1_000)}:${member}`;
    const credential = createHmac("sha1", secret).update(username).digest("base64");
    return [...this.#lasting, { urls: [...urls], username, credential }];
  }
}

function bad(message: string): HearsayError {
  return new HearsayError("server:bad-ice", message);
}
