/** Any transport, with links that open only to who has proven to be somebody, and to know the cluster's secret. */

import type { MemberId } from "../core/lib/ids.ts";
import type {
  ConnectOptions,
  Dialling,
  Link,
  LinkHandlers,
  Transport,
} from "../transport/transport.ts";
import { refusal } from "./greeting.ts";
import { SecuredLink } from "./secured-link.ts";
import type { Session } from "./session.ts";

export { makeSession } from "./session.ts";

/** Handshakes under way at a time: beyond, the one that has waited longest goes. */
const PENDING_MAX = 128;

export interface SecuredConnectOptions extends ConnectOptions {
  /** The key of an invitation, known to nobody else: in the place of what the cluster shares. */
  readonly invitationPsk?: Uint8Array | undefined;
}

/** A link whose other end is known once it is open. */
export interface ProvenLink extends Link {
  /** Undefined until it is open. */
  readonly peer: MemberId | undefined;
  /** Names of what the other end knows beyond the major version of the protocol. */
  readonly features: readonly string[];
}

export interface SecuredTransport extends Transport {
  connect(options: SecuredConnectOptions, handlers: LinkHandlers): ProvenLink;
  readonly dialling?: SecuredDialling | undefined;
}

export interface SecuredDialling extends Dialling {
  /** `accept` is called for links whose other end is known: a stranger is not even shown. */
  listen(accept: (link: ProvenLink) => LinkHandlers): Promise<void>;
  dial(addresses: readonly string[], handlers: LinkHandlers): ProvenLink;
}

export interface SecuredOptions {
  /** Frames under one key. */
  readonly rekeyFrames?: number;
  readonly pendingMax?: number;
}

export function secured(
  transport: Transport,
  session: Session,
  { rekeyFrames, pendingMax = PENDING_MAX }: SecuredOptions = {},
): SecuredTransport {
  const { kind, slowOfferer, encrypted, dialling } = transport;
  const pending = new Set<SecuredLink>();
  const onPending = (link: SecuredLink, isPending: boolean): void => {
    if (!isPending) return void pending.delete(link);
    const [oldest] = pending;
    if (pending.size >= pendingMax) oldest?.refuse(refusal("flood"));
    pending.add(link);
  };
  const common = { session, encrypted, rekeyFrames, onPending };
  return {
    kind,
    slowOfferer,
    encrypted: true,
    recognises: (signal) => transport.recognises?.(signal) ?? false,
    connect({ invitationPsk, ...options }, handlers) {
      const { initiator } = options;
      const link = new SecuredLink({ ...common, initiator, invitationPsk }, handlers);
      return link.attach(transport.connect(options, link.below));
    },
    dialling: dialling && {
      schemes: dialling.schemes,
      get addresses() {
        return dialling.addresses;
      },
      listen: (accept) =>
        dialling.listen(
          (inner) => new SecuredLink({ ...common, initiator: false }, accept).attach(inner).below,
        ),
      resolve: (url) => dialling.resolve(url),
      ...(dialling.discover && {
        discover: (name, found) =>
          dialling.discover?.(name, found) ?? Promise.reject(new Error("no discovery")),
      }),
      dial(addresses, handlers) {
        const link = new SecuredLink({ ...common, initiator: true }, handlers);
        return link.attach(dialling.dial(addresses, link.below));
      },
    },
    close: () => transport.close(),
  };
}
