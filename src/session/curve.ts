/** What is used of the curves: named here, so that a bundler leaves the rest of them out of what loads on first use. */

export { ed25519 } from "@noble/curves/ed25519.js";
