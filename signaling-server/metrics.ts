/** What the server counts, and its text for Prometheus (exposition format 0.0.4). */

/** The value of each gauge at the moment it is asked for. */
export type Gauges = Readonly<Record<string, number>>;

const ABOUT: Readonly<Record<string, string>> = {
  connections_total: "WebSockets that were let in",
  refused_total: "Requests and WebSockets that were not let in, by reason",
  cut_total: "WebSockets that the server ended, by close code",
  relayed_total: "Packets handed on to a member here",
  relayed_bytes_total: "Bytes of those packets",
  gone_total: "Packets for somebody who is not here",
  pool_messages_total: "Messages of the pool, those of this server included",
  pool_malformed_total: "Messages of the pool that made no sense",
  rooms: "Clusters with a member here",
  members: "Members here",
  remote_members: "Members known of at other servers of the pool",
  pool_up: "1 while the server is connected to its pool, 0 while it is degraded",
  sockets: "Open WebSockets",
  addresses: "Addresses that a budget is kept for",
  draining: "1 while the server is stopping",
  uptime_seconds: "Time since the start",
  resident_memory_bytes: "Memory of the process",
};

export class Metrics {
  readonly #counts = new Map<string, number>([["connections_total", 0]]);
  relayed = 0;
  relayedBytes = 0;

  /** @param label `name="value"`, of a fixed few values */
  count(name: string, label?: string): void {
    const key = label === undefined ? name : `${name}{${label}}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  text(gauges: Gauges): string {
    const counters: [string, number][] = [
      ...this.#counts,
      ["relayed_total", this.relayed],
      ["relayed_bytes_total", this.relayedBytes],
    ];
    const lines: string[] = [];
    let last = "";
    const sorted = counters.sort(([one], [other]) => (one < other ? -1 : 1));
    for (const [key, value] of [...sorted, ...Object.entries(gauges)]) {
      const name = key.replace(/\{.*/, "");
      if (name !== last) {
        const type = name.endsWith("_total") ? "counter" : "gauge";
        lines.push(`# HELP hearsay_${name} ${ABOUT[name] ?? name}.`);
        lines.push(`# TYPE hearsay_${name} ${type}`);
      }
      last = name;
      lines.push(`hearsay_${key} ${value}`);
    }
    return `${lines.join("\n")}\n`;
  }
}
