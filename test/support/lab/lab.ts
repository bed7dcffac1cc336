/**
 * A network of our own that goes wrong when it is told to: hosts, each in a namespace of its own, joined by one router.
 * Nothing leads out of it.
 *
 * ```
 *  10.66.1.2 host ──┐
 *  10.66.2.2 host ──┤ router ── all packets are late by `delayMs`, some are lost, some pairs are cut
 *  10.66.3.2 NAT ───┘
 *       │ 192.168.1.1
 *  192.168.1.2 host                 the same address behind every NAT, as in so many homes
 * ```
 */

import type { ChildProcess } from "node:child_process";
import process from "node:process";
import { onTestFinished } from "vitest";
import { bundleOf } from "./bundle.ts";
import { cutsBetween, type Faults, NO_FAULTS, rulesOf } from "./faults.ts";
import { Host } from "./host.ts";
import { Namespace } from "./namespace.ts";
import { type NatKind, natRules } from "./nat.ts";
import { untilReady } from "./ready.ts";

const DELAYED = "late";
/** The table of routes for what has just come in. */
const TABLE = 66;

export class Lab {
  readonly #router: Namespace;
  readonly #namespaces: Namespace[] = [];
  readonly #hosts: Host[] = [];
  readonly #isLate: boolean;
  #faults = NO_FAULTS;
  #delayer: ChildProcess | undefined;

  private constructor(router: Namespace, isLate: boolean) {
    this.#router = router;
    this.#isLate = isLate;
    this.#namespaces.push(router);
  }

  /** Ends with the test. @param delayMs how late each packet arrives */
  static async start(delayMs: number = 0): Promise<Lab> {
    const lab = new Lab(await Namespace.start(), delayMs > 0);
    onTestFinished(() => lab.#close());
    if (delayMs > 0) await lab.#delay(delayMs);
    return lab;
  }

  async hosts(count: number): Promise<Host[]> {
    const hosts: Host[] = [];
    while (hosts.length < count) hosts.push(await this.host());
    return hosts;
  }

  async host(): Promise<Host> {
    const { namespace, address, gateway } = await this.#attach();
    const host = new Host(namespace, address, gateway);
    this.#hosts.push(host);
    return host;
  }

  /** A host that reaches all others through a NAT, and is reached by nobody who was not asked. */
  async hostBehind(kind: NatKind): Promise<Host> {
    const { namespace: nat, address: outside } = await this.#attach();
    const inside = await this.#namespace();
    const [gateway, address] = ["192.168.1.1", "192.168.1.2"];
    await nat.run(`
      ip link add inside type veth peer name eth0 netns ${inside.pid}
      ip addr add ${gateway}/24 dev inside
      ip link set inside up`);
    await nat.rule(natRules(kind));
    const host = new Host(inside, address, gateway, outside);
    await host.up();
    this.#hosts.push(host);
    return host;
  }

  /** @param share of all packets, both ways, that is lost from now on */
  async lose(share: number): Promise<void> {
    await this.#apply({ ...this.#faults, loss: share });
  }

  /** From now on nothing of `from` arrives at `to`. The other way it does. */
  async cut(from: Host, to: Host): Promise<void> {
    const cut = { from: from.outside, to: to.outside };
    await this.#apply({ ...this.#faults, cuts: [...this.#faults.cuts, cut] });
  }

  /** From now on nothing passes between these groups. */
  async partition(...groups: (readonly Host[])[]): Promise<void> {
    const cuts = cutsBetween(groups.map((group) => group.map(({ outside }) => outside)));
    await this.#apply({ ...this.#faults, cuts });
  }

  /** Nothing is cut any more. */
  async heal(): Promise<void> {
    await this.#apply({ ...this.#faults, cuts: [] });
  }

  async #apply(faults: Faults): Promise<void> {
    this.#faults = faults;
    await this.#router.rule(rulesOf(faults, DELAYED));
  }

  async #namespace(): Promise<Namespace> {
    const namespace = await Namespace.start();
    this.#namespaces.push(namespace);
    return namespace;
  }

  /** A namespace with a network of its own at the router. */
  async #attach(): Promise<{ namespace: Namespace; address: string; gateway: string }> {
    const namespace = await this.#namespace();
    const number = this.#namespaces.length;
    const [gateway, address] = [`10.66.${number}.1`, `10.66.${number}.2`];
    const link = `to${number}`;
    await this.#router.run(`
      ip link add ${link} type veth peer name eth0 netns ${namespace.pid}
      ip addr add ${gateway}/24 dev ${link}
      ip link set ${link} up
      ${this.#isLate ? `ip rule add iif ${link} lookup ${TABLE}` : ""}`);
    await new Host(namespace, address, gateway).up();
    return { namespace, address, gateway };
  }

  async #delay(ms: number): Promise<void> {
    const script = bundleOf("delay");
    const child = this.#router.spawn([process.execPath, script, DELAYED, `${ms}`], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#delayer = child;
    await untilReady(child, "what delays packets");
    await this.#router.run(`ip route add default dev ${DELAYED} table ${TABLE}`);
  }

  async #close(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.end()));
    this.#delayer?.kill();
    await Promise.all(this.#namespaces.map((namespace) => namespace.close()));
  }
}
