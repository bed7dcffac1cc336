/** All oracles. */

import { accusation } from "./accusation.ts";
import { agreement } from "./agreement.ts";
import { bounds } from "./bounds.ts";
import { common } from "./common.ts";
import { conduct } from "./conduct.ts";
import { delivery } from "./delivery.ts";
import { detection } from "./detection.ts";
import { direct } from "./direct.ts";
import { incarnations } from "./incarnations.ts";
import { lives } from "./lives.ts";
import type { MakeOracle } from "./oracle.ts";
import { overlay } from "./overlay.ts";
import { proofs } from "./proofs.ts";
import { queueHandling } from "./queue-handling.ts";
import { queueLeases } from "./queue-leases.ts";
import { queueReceipts } from "./queue-receipts.ts";
import { queueRest } from "./queue-rest.ts";
import { replication } from "./replication.ts";
import { streams } from "./streams.ts";
import { trees } from "./trees.ts";

export const ORACLES: readonly MakeOracle[] = [
  accusation,
  agreement,
  bounds,
  common,
  conduct,
  delivery,
  detection,
  direct,
  incarnations,
  lives,
  overlay,
  proofs,
  queueHandling,
  queueLeases,
  queueReceipts,
  queueRest,
  replication,
  streams,
  trees,
];
