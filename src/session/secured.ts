/** Any transport, with links that open only to who has proven to be somebody, and to know the cluster's secret. */

import type { MemberId } from "../core/lib/ids.ts";
import type { ConnectOptions, Link, LinkHandlers, Transport } from "../transport/transport.ts";
import { refusal } from "./greeting.ts";
import { SecuredLink } from "./secured-link.ts";
import type { Session } from "./session.ts";

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
  const { kind, slowOfferer, encrypted } = transport;
  const pending = new Set<SecuredLink>();
  const onPending = (link: SecuredLink, isPending: boolean): void => {
    if (!isPending) return void pending.delete(link);
    const [oldest] = pending;
    if (pending.size >= pendingMax) oldest?.refuse(refusal("flood"));
    pending.add(link);
  };
  return {
    kind,
    slowOfferer,
    encrypted: true,
    connect({ invitationPsk, ...options }, handlers) {
      const { initiator } = options;
      const common = { session, initiator, encrypted, invitationPsk, rekeyFrames, onPending };
      const link = new SecuredLink(common, handlers);
      return link.attach(transport.connect(options, link.below));
    },
    close: () => transport.close(),
  };
}
