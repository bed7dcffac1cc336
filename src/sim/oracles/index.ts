/** All oracles. */

import { agreement } from "./agreement.ts";
import { bounds } from "./bounds.ts";
import { delivery } from "./delivery.ts";
import { detection } from "./detection.ts";
import { incarnations } from "./incarnations.ts";
import type { MakeOracle } from "./oracle.ts";
import { overlay } from "./overlay.ts";
import { replication } from "./replication.ts";

export const ORACLES: readonly MakeOracle[] = [
  agreement,
  bounds,
  delivery,
  detection,
  incarnations,
  overlay,
  replication,
];
