/**
 * @noble's primitives, for pages without `crypto.subtle` and engines without Ed25519. A module of their own, loaded on
 * first use: so a bundler takes from the packages only what is named here.
 */

export { ed25519 } from "@noble/curves/ed25519.js";
export { hmac } from "@noble/hashes/hmac.js";
export { sha256 } from "@noble/hashes/sha2.js";
