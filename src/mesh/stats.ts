/** Figures of a member since its start, for diagnosis. */

import type { Core } from "../core/core.ts";
import type { CoreStats } from "../core/view.ts";

export interface MeshStats extends CoreStats {
  readonly links: readonly {
    readonly peer: string;
    readonly transport: string;
    readonly rttMs: number | undefined;
    readonly lossShare: number | undefined;
    readonly queuedBytes: number;
    readonly sentBytes: number;
    readonly receivedBytes: number;
  }[];
  /** Values that came and could not be read. */
  readonly unreadable: number;
}

export function statsOf(core: Core, unreadable: number): MeshStats {
  const links = core.links().map(({ health, ...link }) => ({
    ...link,
    rttMs: health?.rttMs,
    lossShare: health?.lossShare,
  }));
  return { ...core.stats(), links, unreadable };
}
