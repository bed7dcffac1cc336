/**
 * A network namespace of our own. It has no name and no file: it is held by a process whose input is ours, so that
 * nothing of it is left once this process is gone, however it went.
 */

import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { promisify } from "node:util";
import { untilReady } from "./ready.ts";

/** Links come out without rules that drop what takes another way back, and packets pass on. */
const SET_UP = `
  for of in all default; do echo 0 > /proc/sys/net/ipv4/conf/$of/rp_filter; done
  echo 1 > /proc/sys/net/ipv4/ip_forward
  ip link set lo up
  echo held
  exec cat`;

export class Namespace {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async start(): Promise<Namespace> {
    const holder = spawn("unshare", ["--net", "--", "sh", "-ec", SET_UP], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await untilReady(holder, "a network namespace", once(holder.stdout, "data"));
    return new Namespace(holder);
  }

  /** Names it to `ip link … netns`. */
  get pid(): number {
    return this.#holder.pid ?? 0;
  }

  /** Runs a script of the shell in it. Rejects with what it printed when a command fails. */
  async run(script: string): Promise<void> {
    const [file, ...args] = this.inside("sh", "-ec", script);
    await promisify(execFile)(file, args);
  }

  /** Sets rules of nftables in it. */
  async rule(rules: string): Promise<void> {
    await this.run(`${process.env["NFT_PATH"] ?? "nft"} -f - <<'END'\n${rules}\nEND`);
  }

  spawn(command: readonly [string, ...string[]], options: SpawnOptions): ChildProcess {
    const [file, ...args] = this.inside(...command);
    return spawn(file, args, options);
  }

  /** The processes in it hold it until they end. */
  async close(): Promise<void> {
    const ended = once(this.#holder, "exit");
    this.#holder.stdin?.end();
    await ended;
  }

  /** The command that runs another one in it. */
  inside(...command: string[]): [string, ...string[]] {
    return ["nsenter", `--net=/proc/${this.pid}/ns/net`, "--", ...command];
  }
}
