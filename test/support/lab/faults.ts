/** What a network does wrong, as rules of nftables for the router that all packets pass. */

/** Packets from one address to another that do not arrive. */
export interface Cut {
  readonly from: string;
  readonly to: string;
}

export interface Faults {
  /** Of all packets, 0 to 1. */
  readonly loss: number;
  readonly cuts: readonly Cut[];
}

export const NO_FAULTS: Faults = { loss: 0, cuts: [] };

/** Of so many packets. */
const SHARES = 1_000;

/** @param delayedBy the interface where packets pass first: they come by twice, and are judged the second time */
export function rulesOf({ loss, cuts }: Faults, delayedBy: string): string {
  const pairs = cuts.map(({ from, to }) => `${from} . ${to}`);
  return `
    table ip faults
    delete table ip faults
    table ip faults {
      chain forward {
        type filter hook forward priority 0;
        oifname "${delayedBy}" accept
        ${pairs.length > 0 ? `ip saddr . ip daddr { ${pairs.join(", ")} } drop` : ""}
        ${loss > 0 ? `numgen random mod ${SHARES} < ${Math.round(loss * SHARES)} drop` : ""}
      }
    }`;
}

/** Nobody of one group hears anybody of another. */
export function cutsBetween(groups: readonly (readonly string[])[]): Cut[] {
  return groups.flatMap((group) =>
    groups
      .filter((other) => other !== group)
      .flatMap((other) => group.flatMap((from) => other.map((to) => ({ from, to })))),
  );
}
