/** Figures of a member since its start, for diagnosis. */

import type { CoreStats, LinkView } from "../core/view.ts";

export interface MeshStats extends CoreStats {
  readonly links: readonly {
    readonly peer: string;
    readonly transport: string;
    readonly rttMs: number | undefined;
    readonly lossShare: number | undefined;
    /** φ: how unlikely its silence is by now. */
    readonly suspicion: number;
    readonly queuedBytes: number;
    readonly sentBytes: number;
    readonly receivedBytes: number;
  }[];
  /** Values that came and could not be read. */
  readonly unreadable: number;
}

export function statsOf(
  core: CoreStats,
  linkViews: readonly LinkView[],
  unreadable: number,
): MeshStats {
  const links = linkViews.map(({ health, phi, ...link }) => ({
    ...link,
    suspicion: phi,
    rttMs: health?.rttMs,
    lossShare: health?.lossShare,
  }));
  return { ...core, links, unreadable };
}
