/** A member in a process without WebRTC. Says what it warns of, how it is, and whom it links with. */

import process from "node:process";
import { join } from "../../src/index.node.ts";

const [seed = ""] = process.argv.slice(2);
const warnings: unknown[] = [];
const logger = {
  debug() {},
  warn: (_message: string, details?: object) => {
    const { error } = details as { error: { code?: string; message: string } };
    warnings.push({ code: error.code, message: error.message });
  },
  error() {},
};
const mesh = await join({ cluster: "udp", name: "bare", seeds: [seed], logger });
const { reasons, why } = mesh.health;
const links = mesh.stats().links.map(({ transport }) => transport);
process.stdout.write(`${JSON.stringify({ warnings, reasons, why, links })}\n`);
await mesh.leave();
