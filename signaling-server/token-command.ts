/** The command `hearsay token`: prints an access token for one cluster. */

import process from "node:process";
import { parseArgs } from "node:util";
import { parseClusterPath } from "../src/signaling/protocol.ts";
import { secretOf } from "./serve-args.ts";
import { signToken } from "./tokens.ts";

const USAGE = `Usage: hearsay token CLUSTER --key KEY [options]

Prints a token with which a member joins that cluster at a server with this key (hearsay serve --token-key KEY).

  --key KEY        the server's key; @FILE takes the first line of that file
  --life-ms MS     how long the token holds (default 3600000, an hour)
  --discover       a key for GET /discover/CLUSTER instead, whose answer has a short-lived token: made to last longer
  --help           print this
`;

/** @returns the exit code: 0, or 2 for arguments that it does not understand. */
export function token(argv: readonly string[]): number {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        key: { type: "string" },
        "life-ms": { type: "string", default: "3600000" },
        discover: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    const [cluster = "", ...more] = positionals;
    const name = parseClusterPath(`/${encodeURIComponent(cluster)}`);
    if (!name.ok || more.length > 0) throw new Error("the name of one cluster is needed");
    if (values.key === undefined) throw new Error("--key is needed");
    const key = secretOf(values.key);
    const use = values.discover ? "discover" : "join";
    process.stdout.write(
      `${signToken({ key, cluster, use, lifeMs: Number(values["life-ms"]) })}\n`,
    );
    return 0;
  } catch (error) {
    process.stderr.write(`hearsay token: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
}
