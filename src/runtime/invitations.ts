/** Linking with a newcomer by two texts that people carry: see `signaling/invitation.ts` for what they hold. */

import type { MemberId } from "../core/machine.ts";
import { HearsayError } from "../errors.ts";
import { randomBytes } from "../session/crypto.ts";
import { idOfKey, type KeyPair } from "../session/identity.ts";
import {
  type InvitationFlaw,
  parseInvitation,
  parseReply,
  writeInvitation,
  writeReply,
} from "../signaling/invitation.ts";
import type { Link } from "../transport/transport.ts";
import type { Driver } from "./driver.ts";

const NONCE_BYTES = 16;
const PSK_BYTES = 32;

/** How long the transport may take to gather what goes into a text, ms. */
const GATHER_MS = 10_000;

/** How long an invitation holds unless said otherwise, ms. */
const LIFE_MS = 600_000;

/** Invitations that wait for a reply. Each holds an unconnected transport connection. */
const OPEN_MAX = 16;

/** The longest time that timers of all platforms hold, ms: 24 days. */
const LIFE_MS_MAX = 2 ** 31 - 1;

/** How long the link may take once both texts have arrived, ms. */
const LINK_MS = 20_000;

export interface Invitation {
  /** To be carried to the newcomer, who gives it to `acceptInvite`. */
  readonly text: string;
  /** Wall clock, ms since 1970. */
  readonly expiresAt: number;
  /**
   * Takes the newcomer's reply; resolves when the link stands.
   * @throws HearsayError `invite:…`
   */
  complete(reply: string): Promise<void>;
  /** Withdraws it. */
  cancel(): void;
}

export interface AcceptedInvitation {
  /** The reply, to be carried back to who invited. */
  readonly text: string;
  /** Resolves when the link stands: after the other end has taken the reply, which may take minutes. */
  readonly linked: Promise<void>;
  cancel(): void;
}

const REMEDY: Readonly<Record<InvitationFlaw, string>> = {
  malformed: "this is no such text, or a part of it is missing: copy all of it",
  version: "it was made by another version of hearsay: use the same version on both ends",
  cluster: "it is for another cluster: join with the same `cluster` on both ends",
  expired: "it has expired: ask for a new one",
  forged: "it does not answer this invitation, or was changed on the way: make a new invitation",
};

const USED = "this invitation was answered by somebody else: make one for each newcomer";

type LinkOptions = Parameters<Driver["openLink"]>[0];

export class Invitations {
  readonly #driver: Driver;
  readonly #keys: KeyPair;
  readonly #clusterHash: number;
  readonly #open = new Set<Handshake>();

  constructor(driver: Driver, keys: KeyPair, clusterHash: number) {
    this.#driver = driver;
    this.#keys = keys;
    this.#clusterHash = clusterHash;
  }

  async invite(lifeMs = LIFE_MS): Promise<Invitation> {
    if (!(lifeMs >= 1 && lifeMs <= LIFE_MS_MAX)) {
      const message = `lifeMs must be from 1 to ${LIFE_MS_MAX}, and is ${lifeMs}`;
      throw new HearsayError("options:lifeMs", message);
    }
    const psk = randomBytes(PSK_BYTES);
    const handshake = this.#begin({ initiator: true, invitationPsk: psk });
    const nonce = randomBytes(NONCE_BYTES);
    const expiresAt = Date.now() + lifeMs;
    const clusterHash = this.#clusterHash;
    const { publicKey } = this.#keys;
    const offer = await handshake.gathered;
    handshake.expireAfter(lifeMs, "nobody answered the invitation in its time");
    let answer: string | undefined;
    return {
      text: writeInvitation({ clusterHash, publicKey, nonce, expiresAt, psk, offer }),
      expiresAt,
      complete: async (text) => {
        const parsed = await parseReply(String(text), { clusterHash, nonce, psk });
        if (!parsed.ok) throw flawed("reply", parsed.flaw);
        answer ??= parsed.value.nonce.join();
        // The link is with whoever answered first: another newcomer's reply must not seem to have worked.
        if (answer !== parsed.value.nonce.join()) throw new HearsayError("invite:used", USED);
        handshake.expect(await idOfKey(parsed.value.publicKey));
        handshake.link.signal(parsed.value.answer);
        handshake.expireAfter(
          LINK_MS,
          "the two ends could not connect: try again, or configure a TURN server",
        );
        await handshake.linked;
      },
      cancel: () => handshake.end("cancelled"),
    };
  }

  async accept(text: string): Promise<AcceptedInvitation> {
    const parsed = parseInvitation(String(text), this.#clusterHash, Date.now());
    if (!parsed.ok) throw flawed("invitation", parsed.flaw);
    const { nonce: invitationNonce, psk, offer, expiresAt, publicKey: inviter } = parsed.value;
    if (inviter.every((byte, i) => byte === this.#keys.publicKey[i])) {
      throw new HearsayError("invite:own", "this invitation is your own: give it to somebody else");
    }
    const inviterId = await idOfKey(inviter);
    const handshake = this.#begin({ initiator: false, invitationPsk: psk, offer });
    handshake.expect(inviterId);
    handshake.link.signal(offer);
    const answer = await handshake.gathered;
    handshake.expireAfter(expiresAt - Date.now() + LINK_MS, "the reply was not taken in time");
    const clusterHash = this.#clusterHash;
    const { publicKey } = this.#keys;
    const nonce = randomBytes(NONCE_BYTES);
    const reply = await writeReply({ clusterHash, invitationNonce, nonce, publicKey, answer }, psk);
    return { text: reply, linked: handshake.linked, cancel: () => handshake.end("cancelled") };
  }

  close(): void {
    for (const handshake of this.#open) handshake.end("the mesh was left");
  }

  #begin(options: LinkOptions): Handshake {
    if (this.#open.size >= OPEN_MAX) {
      throw new HearsayError(
        "invite:too-many",
        `${OPEN_MAX} invitations are open: cancel one, or wait until one expires`,
      );
    }
    const handshake = new Handshake(this.#driver, options, () => this.#open.delete(handshake));
    this.#open.add(handshake);
    return handshake;
  }
}

/** One link in the making, and the time it has. */
class Handshake {
  readonly link: Link;
  readonly gathered: Promise<Uint8Array>;
  readonly linked: Promise<void>;
  readonly #driver: Driver;
  readonly #succeed: () => void;
  readonly #fail: (error: Error) => void;
  #unexpect = (): void => {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  readonly #done: () => void;

  constructor(driver: Driver, options: LinkOptions, done: () => void) {
    this.#done = done;
    const gathered = deferred<Uint8Array>();
    const linked = deferred<void>();
    // Nobody may be waiting for one of them when it fails.
    gathered.promise.catch(() => {});
    linked.promise.catch(() => {});
    this.gathered = gathered.promise;
    this.linked = linked.promise;
    this.#driver = driver;
    this.#succeed = () => linked.resolve();
    this.#fail = (error) => {
      gathered.reject(error);
      linked.reject(error);
    };
    const handlers = {
      signal: gathered.resolve,
      failed: (reason: string) => this.end(reason),
    };
    this.link = driver.openLink(options, handlers);
    this.expireAfter(GATHER_MS, "the transport did not get ready in time");
  }

  /** It is done when the link with `peer` is greeted: then each is in the other's mesh. */
  expect(peer: MemberId): void {
    if (this.#ended) return;
    this.#unexpect();
    this.#unexpect = this.#driver.whenLinked(peer, () => {
      this.#finish();
      this.#succeed();
    });
  }

  expireAfter(ms: number, reason: string): void {
    clearTimeout(this.#timer);
    // Nothing is left to wait for, and a timer would hold the process.
    if (this.#ended) return;
    this.#timer = setTimeout(() => this.end(reason), Math.min(ms, LIFE_MS_MAX));
  }

  end(reason: string): void {
    this.#finish();
    this.#fail(new HearsayError("invite:failed", reason));
    if (this.link.state === "opening") this.link.close();
  }

  #finish(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#unexpect();
    this.#done();
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function flawed(what: string, flaw: InvitationFlaw): HearsayError {
  return new HearsayError(`invite:${flaw}`, `the ${what} cannot be used: ${REMEDY[flaw]}`);
}
