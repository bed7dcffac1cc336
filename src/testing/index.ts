/** For those who write a transport or a store of their own. Works in any test runner. */

export { type StoreCheck, storeChecks } from "./store-suite.ts";
export {
  type TransportCheck,
  type TransportPair,
  transportChecks,
} from "./transport-suite.ts";
