/** What the tests of the command line share: programs as children, whose printed lines are waited for with a bound. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Starting, linking and noticing a crash take a while on a machine with much to do. Milliseconds. */
const WAIT_MS = 20_000;

export interface Program {
  readonly child: ChildProcess;
  /** All that it has printed so far, both streams. */
  output(): string;
  /** Waits until `find` finds something in what it prints. */
  until<T>(what: string, find: (output: string) => T | undefined): Promise<T>;
  /** The exit code, waited for with a bound; null if a signal ended it. */
  exit(): Promise<number | null>;
}

/** Runs Node with these arguments in the folder of the project; killed with the test. */
export function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...env } });
  onTestFinished(() => void child.kill("SIGKILL"));
  const checks = new Set<() => void>();
  let output = "";
  let code: number | null | undefined;
  const changed = (): void => {
    for (const check of checks) check();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (data) => {
      output += data;
      changed();
    });
  }
  child.once("close", (exitCode) => {
    code = exitCode;
    changed();
  });
  const wait = <T>(what: string, look: () => T | undefined): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const fail = (why: string): void => {
        end();
        reject(new Error(`${why}: ${what}. It printed:\n${output}`));
      };
      const timer = setTimeout(() => fail(`not within ${WAIT_MS} ms`), WAIT_MS);
      const end = (): void => {
        clearTimeout(timer);
        checks.delete(check);
      };
      const check = (): void => {
        const found = look();
        if (found !== undefined) {
          end();
          resolve(found);
        } else if (code !== undefined) fail(`the program has ended with ${code}`);
      };
      checks.add(check);
      check();
    });
  return {
    child,
    output: () => output,
    until: (what, find) => wait(what, () => find(output)),
    exit: () =>
      wait("the end", () => (code === undefined ? undefined : { code })).then((it) => it.code),
  };
}

/** For `node --import`: a process without the package wrtc. */
export const NO_WRTC = new URL("../support/without.mjs?wrtc", import.meta.url).href;

/** The command `hearsay`, from its source. */
export function hearsay(...args: string[]): Program {
  return runNode(["--import", "tsx", "src/bin/hearsay.ts", ...args]);
}

/** Starts `hearsay serve` on a free port. */
export async function serve(): Promise<Program & { readonly url: string }> {
  const program = hearsay("serve", "--port", "0", "--host", "127.0.0.1");
  const url = await program.until("the address", (output) => {
    return /members connect to {2}(ws:\S+)\/CLUSTER\n/.exec(output)?.[1];
  });
  return { ...program, url };
}

/** One line of `hearsay peer --json`. */
export interface PrintedLine {
  readonly event: string;
  readonly peer?: { readonly id: string; readonly name: string; readonly state: string };
  readonly [field: string]: unknown;
}

export interface PeerProgram extends Program {
  lines(): PrintedLine[];
  /** Waits for a line with this event that has all these fields; a peer is meant by its name. */
  sees(event: string, fields?: Readonly<Record<string, unknown>>): Promise<PrintedLine>;
}

/** Runs `hearsay peer --json`. */
export function peer(url: string, ...args: string[]): PeerProgram {
  const program = hearsay("peer", url, "--json", ...args);
  const parse = (output: string): PrintedLine[] =>
    output
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  return {
    ...program,
    lines: () => parse(program.output()),
    sees: (event, fields = {}) =>
      program.until(`${event} ${JSON.stringify(fields)}`, (output) =>
        parse(output).find((line) => line.event === event && hasAll(line, fields)),
      ),
  };
}

function hasAll(line: PrintedLine, fields: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(fields).every(([name, value]) => {
    const printed = name === "peer" ? line.peer?.name : line[name];
    return JSON.stringify(printed) === JSON.stringify(value);
  });
}
