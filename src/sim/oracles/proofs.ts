/** Where all must be proven, nobody believes what was forged, and nobody refuses what was not. */

import { FORGED } from "../forger.ts";
import type { MakeOracle } from "./oracle.ts";

export const proofs: MakeOracle = (world, report) => ({
  name: "proofs",
  onEvent(member, event) {
    const name = event.type === "member" ? event.member.name : "name" in event && event.name;
    const isForged = name === FORGED || ("value" in event && textOf(event.value) === FORGED);
    if (isForged) report(member, `believes a forged ${event.type}`);
  },
  check() {
    for (const member of world.live()) {
      const { forged } = member.core.layers;
      if (member.config.proofs !== "none" && forged > member.forgeries) {
        report(member, `has refused ${forged - member.forgeries} things that nobody forged`);
      }
    }
  },
});

function textOf(value: Uint8Array | undefined): string {
  return value?.length === FORGED.length ? String.fromCharCode(...value) : "";
}
