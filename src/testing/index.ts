/** For those who write a transport of their own. Works in any test runner. */

export {
  type TransportCheck,
  type TransportPair,
  transportChecks,
} from "./transport-suite.ts";
