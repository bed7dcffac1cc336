/** Signatures in Node: at once. */

import { signSync, verifySync } from "./ed25519.node.ts";
import type { Ed25519 } from "./notary.ts";

export const signing: Ed25519 = { sign: signSync, verify: verifySync };
