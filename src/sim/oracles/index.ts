/** All oracles. */

import { agreement } from "./agreement.ts";
import type { MakeOracle } from "./oracle.ts";

export const ORACLES: readonly MakeOracle[] = [agreement];
