/** Signatures in a page: by the platform, which takes its time. */

import { sign, verify } from "./crypto.ts";
import type { Ed25519 } from "./notary.ts";

export const signing: Ed25519 = { sign, verify };
