#!/usr/bin/env node
/** The command `hearsay`: finds the subcommand and ends with its exit code. */

import { createRequire } from "node:module";
import process from "node:process";
import { serve } from "../../signaling-server/main.ts";
import { token } from "../../signaling-server/token-command.ts";
import { peer } from "./peer.ts";
import { sim } from "./sim.ts";

const USAGE = `Usage: hearsay COMMAND [options]

Say it once, every peer hears it: a mesh of browser tabs and Node processes over WebRTC.

  hearsay serve                          run the signaling server, through which peers find each other
  hearsay token CLUSTER --key KEY        make a token for a server that asks for them
  hearsay peer ws://HOST:PORT/CLUSTER    join a cluster and show what happens in it
  hearsay sim --scenario NAME            run the mesh in virtual time, with faults
  hearsay COMMAND --help                 what a command takes
  hearsay --version                      print the version
`;

async function run([command, ...rest]: string[]): Promise<number> {
  switch (command) {
    case "serve":
      return await serve(rest);
    case "token":
      return token(rest);
    case "peer":
      return await peer(rest);
    case "sim":
      return sim(rest);
    case "help":
    case "--help":
    case "-h":
      process.stdout.write(USAGE);
      return 0;
    case "version":
    case "--version":
    case "-v":
      process.stdout.write(`${version()}\n`);
      return 0;
    default: {
      const problem = command === undefined ? "a command is missing" : `no command ${command}`;
      process.stderr.write(`hearsay: ${problem}\n\n${USAGE}`);
      return 2;
    }
  }
}

/** The package names itself, so this holds for the source and for what is built from it. */
function version(): string {
  const manifest: { version: string } = createRequire(import.meta.url)("hearsay/package.json");
  return manifest.version;
}

process.exitCode = await run(process.argv.slice(2));
