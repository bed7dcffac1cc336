#!/usr/bin/env node
/** The signaling server as a program: `hearsay serve`, or this file itself. */

import { stat } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { HearsayError } from "../src/errors.ts";
import type { LogEntry } from "./options.ts";
import { createSignalingServer, type SignalingServer } from "./server.ts";

const usage = `Usage: hearsay serve [options]

Runs the signaling server, through which members of a cluster find each other.

  --port PORT   listen here; 0 takes a free port (default 8080)
  --host HOST   listen on this address only (default ::, all of IPv6 and IPv4)
  --demo DIR    serve the page in this folder at /
  --log         print what happens as lines of JSON on standard error
  --help        print this
`;

interface ServeArgs {
  readonly port: number;
  readonly host: string | undefined;
  readonly demo: string | undefined;
  readonly log: boolean;
}

/**
 * Runs the server until SIGINT or SIGTERM, which stop it gracefully; a second signal ends the process at once.
 *
 * @param argv the arguments after `hearsay serve`.
 * @returns the exit code: 0 after a graceful stop, 1 if it could not listen, 2 for arguments it does not understand.
 */
export async function serve(argv: readonly string[]): Promise<number> {
  let args: ServeArgs | undefined;
  try {
    args = parse(argv);
  } catch (error) {
    process.stderr.write(`hearsay serve: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (!args) {
    process.stdout.write(usage);
    return 0;
  }
  try {
    const server = await start(args);
    process.stdout.write(greeting(server, args));
    await signalled();
    await server.close();
    return 0;
  } catch (error) {
    process.stderr.write(`hearsay serve: ${(error as Error).message}\n`);
    return 1;
  }
}

/** `undefined` if help is asked for. */
function parse(argv: readonly string[]): ServeArgs | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      port: { type: "string", default: "8080" },
      host: { type: "string" },
      demo: { type: "string" },
      log: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const { port, host, demo, log } = values;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new HearsayError("server:bad-port", `--port ${port}: a port is a number from 0 to 65535`);
  }
  return { port: Number(port), host, demo, log };
}

async function start({ port, host, demo, log }: ServeArgs): Promise<SignalingServer> {
  if (demo !== undefined && !(await stat(demo).catch(() => undefined))?.isDirectory()) {
    throw new HearsayError("server:no-folder", `--demo ${demo}: no such folder`);
  }
  const server = createSignalingServer({
    port,
    ...(host !== undefined && { host }),
    ...(demo !== undefined && { staticDir: demo }),
    ...(log && { logger: printLog }),
  });
  return await server.listen();
}

function printLog(entry: LogEntry): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

function greeting(server: SignalingServer, { demo }: ServeArgs): string {
  const members = server.urls.map((url) => `  members connect to  ${url}/CLUSTER\n`);
  const pages = server.urls.map((url) => `  the page is at      ${url.replace(/^ws/, "http")}/\n`);
  return `hearsay signaling server\n${members.join("")}${demo === undefined ? "" : pages.join("")}`;
}

/** Resolves at the first SIGINT or SIGTERM. The next one finds no listener of ours and ends the process. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await serve(process.argv.slice(2));
}
