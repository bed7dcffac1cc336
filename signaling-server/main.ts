#!/usr/bin/env node
/** The signaling server as a program: `hearsay serve`, or this file itself. */

import { stat } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { HearsayError } from "../src/errors.ts";
import type { LogEntry } from "./options.ts";
import { parseServeArgs, type ServeArgs, USAGE } from "./serve-args.ts";
import { createSignalingServer, type SignalingServer } from "./server.ts";

/**
 * Runs the server until SIGINT or SIGTERM, which stop it gracefully; a second signal ends the process at once. SIGHUP
 * reads the certificate anew.
 *
 * @param argv the arguments after `hearsay serve`.
 * @returns the exit code: 0 after a graceful stop, 1 if it could not listen, 2 for arguments it does not understand.
 */
export async function serve(argv: readonly string[]): Promise<number> {
  let args: ServeArgs | undefined;
  try {
    args = parseServeArgs(argv);
  } catch (error) {
    process.stderr.write(`hearsay serve: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (!args) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    const server = await start(args);
    process.stdout.write(greeting(server, args));
    await signalled(server);
    await server.close({ drainMs: args.drainMs });
    return 0;
  } catch (error) {
    process.stderr.write(`hearsay serve: ${(error as Error).message}\n`);
    return error instanceof HearsayError && error.code.startsWith("server:bad-") ? 2 : 1;
  }
}

async function start({ options, log }: ServeArgs): Promise<SignalingServer> {
  const demo = options.staticDir;
  if (demo !== undefined && !(await stat(demo).catch(() => undefined))?.isDirectory()) {
    throw new HearsayError("server:no-folder", `--demo ${demo}: no such folder`);
  }
  return await createSignalingServer({ ...options, ...(log && { logger: printLog }) }).listen();
}

function printLog(entry: LogEntry): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

function greeting(server: SignalingServer, { options: { staticDir } }: ServeArgs): string {
  const members = server.urls.map((url) => `  members connect to  ${url}/CLUSTER\n`);
  const pages = server.urls.map((url) => `  the page is at      ${url.replace(/^ws/, "http")}/\n`);
  const shown = staticDir === undefined ? "" : pages.join("");
  return `hearsay signaling server\n${members.join("")}${shown}`;
}

/** Resolves at the first SIGINT or SIGTERM. The next one finds no listener of ours and ends the process. */
function signalled(server: SignalingServer): Promise<void> {
  const reload = () => {
    try {
      server.reload();
    } catch (error) {
      process.stderr.write(`hearsay serve: ${(error as Error).message}\n`);
    }
  };
  process.on("SIGHUP", reload);
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
