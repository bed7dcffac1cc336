/** What the address of the page says: `?cluster=…&server=…#invite=…`. */

export interface Settings {
  readonly cluster: string;
  /** The signaling server; undefined with `server=none`. */
  readonly server: string | undefined;
  /** What of the address could not be used, for the person who wrote it. */
  readonly problem: string | undefined;
}

const CLUSTER_LENGTH_MAX = 64;

export function readSettings({ protocol, host, search }: Location): Settings {
  const query = new URLSearchParams(search);
  const problems: string[] = [];
  let cluster = query.get("cluster") || "demo";
  if (cluster.length > CLUSTER_LENGTH_MAX) {
    problems.push(
      `the cluster's name is longer than ${CLUSTER_LENGTH_MAX} characters, “demo” is used`,
    );
    cluster = "demo";
  }
  const own = host === "" ? undefined : `${protocol === "https:" ? "wss" : "ws"}://${host}`;
  const asked = query.get("server");
  if (asked === null || asked === "") return { cluster, server: own, problem: problems[0] };
  if (asked === "none") return { cluster, server: undefined, problem: problems[0] };
  const server = serverUrl(asked);
  if (server === undefined) {
    problems.push(
      "the server in the address is no URL like ws://host:port; the page's own is used",
    );
  }
  return { cluster, server: server ?? own, problem: problems.join("; ") || undefined };
}

function serverUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, pathname, search, hash } = new URL(text);
  const plain = pathname === "/" && search === "" && hash === "";
  return plain && /^wss?:$/.test(protocol) && host !== "" ? `${protocol}//${host}` : undefined;
}

/** The invitation in a link, or in a text that somebody pasted: link or bare text. */
export function invitationIn(text: string): string {
  const at = text.indexOf("#invite=");
  if (at < 0) return text.trim();
  try {
    return decodeURIComponent(text.slice(at + "#invite=".length).trim());
  } catch {
    return text.trim();
  }
}

/** A link to this page that carries an invitation. What stands behind `#` is sent to no server. */
export function invitationLink(page: Location, invitation: string): string {
  const link = new URL(page.href);
  link.hash = `invite=${encodeURIComponent(invitation)}`;
  return link.href;
}
