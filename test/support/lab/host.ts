/** A machine of a lab: an address, an interface that can go down, and the processes that run there. */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { bundleOf, type Script } from "./bundle.ts";
import type { Namespace } from "./namespace.ts";
import { untilReady } from "./ready.ts";

export class Host {
  /** Where others see it: its own address, or that of its NAT. */
  readonly outside: string;
  readonly #namespace: Namespace;
  readonly #gateway: string;
  readonly #processes = new Set<ChildProcess>();
  #address: string;

  constructor(namespace: Namespace, address: string, gateway: string, outside: string = address) {
    this.#namespace = namespace;
    this.#address = address;
    this.#gateway = gateway;
    this.outside = outside;
  }

  get address(): string {
    return this.#address;
  }

  /** A Node process there, which is told by messages what to do. Resolves once it has said that it is ready. */
  async node(script: Script, ...args: string[]): Promise<ChildProcess> {
    const child = this.#namespace.spawn([process.execPath, bundleOf(script), ...args], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    this.#track(child);
    await untilReady(child, script);
    return child;
  }

  /** Another program there. Resolves once it has printed what tells that it is ready, with what gives all that it printed. */
  async program(command: readonly [string, ...string[]], ready: RegExp): Promise<() => string> {
    // Its shell ends it when we are gone: then the input ends.
    const wrapped = ["sh", "-c", '"$@" & cat; kill $!', "sh", ...command] as const;
    const child = this.#namespace.spawn(wrapped, { stdio: "pipe" });
    this.#track(child);
    let printed = "";
    const isReady = new Promise<void>((resolve) => {
      const take = (text: string): void => {
        printed += text;
        if (ready.test(printed)) resolve();
      };
      for (const stream of [child.stdout, child.stderr])
        stream?.setEncoding("utf8").on("data", take);
    });
    await untilReady(child, command[0], isReady).catch((error: Error) => {
      throw new Error(`${error.message}. It printed:\n${printed}`);
    });
    return () => printed;
  }

  /** The command that runs another one there. */
  inside(...command: string[]): string[] {
    return this.#namespace.inside(...command);
  }

  /** The interface comes up. */
  async up(): Promise<void> {
    await this.#namespace.run(this.#upAgain);
  }

  /** The interface goes down, and comes up again after a while, perhaps with another address of the same network. */
  async bounce(ms: number, address: string = this.#address): Promise<void> {
    this.#address = address;
    await this.#namespace.run(`
      ip link set eth0 down
      sleep ${ms / 1_000}
      ip addr flush dev eth0
      ${this.#upAgain}`);
  }

  /** Ends all processes there. */
  async end(): Promise<void> {
    const running = [...this.#processes];
    await Promise.all(
      running.map(async (child) => {
        const exit = once(child, "exit");
        if (child.stdin) child.stdin.end();
        else child.kill("SIGKILL");
        await exit;
      }),
    );
  }

  get #upAgain(): string {
    return `
      ip addr replace ${this.#address}/24 dev eth0
      ip link set eth0 up
      ip route replace default via ${this.#gateway}`;
  }

  #track(child: ChildProcess): void {
    this.#processes.add(child);
    child.once("exit", () => this.#processes.delete(child));
  }
}
