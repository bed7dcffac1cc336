/** What a home's router does to packets, as rules of nftables. */

/**
 * `port-restricted`: one port outside for each inside, whoever is spoken to. `symmetric`: another one for each that is
 * spoken to, so that nobody can tell it beforehand.
 */
export type NatKind = "port-restricted" | "symmetric";

export function natRules(kind: NatKind): string {
  return `
    table ip nat {
      chain postrouting {
        type nat hook postrouting priority 100;
        oifname "eth0" masquerade ${kind === "symmetric" ? "fully-random" : ""}
      }
    }
    table ip filter {
      chain forward {
        type filter hook forward priority 0; policy drop;
        iifname "inside" accept
        ct state established,related accept
      }
      # What nobody has asked for leaves no trace: a port that it came to stays free for who asks next.
      chain input {
        type filter hook input priority 0;
        iifname "eth0" ct state new drop
      }
    }`;
}
